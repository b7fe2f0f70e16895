"""`portrayal download` against a small hub of its own: whole, resumed, damaged, offline; what is listed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from app_support import ANNA, ended
from conftest import Ran
from golden.liveportrait import tiny
from portrayal.app.jobs import Jobs, Task
from portrayal.engines import engine_info
from portrayal.engines.liveportrait.checkpoint import load_checkpoint
from portrayal.weights import WEIGHTS, Weights, advice

REPOSITORY = "KwaiVGI/LivePortrait"


class Hub(ThreadingHTTPServer):
    """Answers as the Hugging Face Hub does for files of one repository."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.requests: list[tuple[str, str, str | None]] = []
        self.cut: dict[str, int] = {}
        self.damaged: set[str] = set()
        self.ranges = True


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        file = self.path.removeprefix(f"/{REPOSITORY}/resolve/main/")
        wanted = self.headers.get("Range")
        self.server.requests.append((self.command, file, wanted))
        content = self.server.files.get(file)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        if not body:
            return
        sent = content[first:]
        if file in self.server.damaged:
            self.server.damaged.remove(file)
            sent = bytes(len(sent))
        cut = self.server.cut.pop(file, None)
        self.wfile.write(sent[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("published")
    tiny.write_pth(folder, tiny.plain_networks())
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pth")}


@pytest.fixture
def hub(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(dict(files))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path / "kept"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield server
    server.shutdown()
    server.server_close()


BIG = f"{tiny.BASE}/spade_generator.pth"


def test_files_are_fetched_once(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    folder = tmp_path / "kept" / REPOSITORY
    ran = command("download", "liveportrait")
    assert (ran.status, ran.out) == (0, f"{folder}\n")
    assert ran.err == f"liveportrait: 522 MB from {REPOSITORY}, licence MIT, commercial use: yes\n"
    for file, content in hub.files.items():
        assert (folder / file).read_bytes() == content
    assert not list(folder.rglob("*.part"))
    assert np.isfinite(load_checkpoint().generator.fc.weight).all()
    asked = len(hub.requests)
    assert command("download", "liveportrait").err == "" and len(hub.requests) == asked


def test_what_comes_with_others(
    hub: Hub, command: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = Weights("Another/Repository", {"more.safetensors": 7_000}, "Apache-2.0", "unclear")
    monkeypatch.setitem(WEIGHTS, "more", more)
    monkeypatch.setitem(WEIGHTS, "both", replace(WEIGHTS["liveportrait"], also=("more",)))
    hub.files["/Another/Repository/resolve/main/more.safetensors"] = b"tensors"
    ran = command("download", "both")
    assert (ran.status, ran.out) == (0, f"{tmp_path / 'kept' / REPOSITORY}\n")
    assert (
        "both: 522 MB from" in ran.err and "more: 7 kB from Another/Repository, licence Apache-2.0" in ran.err
    )
    assert (tmp_path / "kept" / "Another/Repository/more.safetensors").read_bytes() == b"tensors"
    assert "522 MB" in advice("both") and command("download", "both").err == ""


def test_what_was_cut_off_goes_on(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    hub.cut[BIG] = 5000
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and ran.err.count("\n") == 1
    assert "spade_generator.pth" in ran.err and "the same command goes on" in ran.err
    kept = tmp_path / "kept" / REPOSITORY
    assert not (kept / BIG).exists()
    hub.requests.clear()
    assert command("download", "liveportrait", "--quiet").status == 0
    assert (kept / BIG).read_bytes() == hub.files[BIG]
    assert ("GET", BIG, "bytes=5000-") in hub.requests
    assert not any("appearance" in file for _, file, _ in hub.requests)


def test_a_server_without_ranges_starts_anew(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    hub.cut[BIG] = 5000
    hub.ranges = False
    assert command("download", "liveportrait").status == 1
    assert command("download", "liveportrait").status == 0
    assert (tmp_path / "kept" / REPOSITORY / BIG).read_bytes() == hub.files[BIG]


def test_another_version_is_not_continued(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    hub.cut[BIG] = 5000
    assert command("download", "liveportrait").status == 1
    hub.files[BIG] = hub.files[BIG][::-1]
    assert command("download", "liveportrait").status == 0
    assert (tmp_path / "kept" / REPOSITORY / BIG).read_bytes() == hub.files[BIG]


def test_what_arrives_damaged_is_not_kept(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    hub.damaged.add(BIG)
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and "arrived damaged" in ran.err
    assert not list((tmp_path / "kept").rglob("spade*"))
    assert command("download", "liveportrait").status == 0


def test_offline(hub: Hub, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and ran.err.startswith("error: HF_HUB_OFFLINE is set, and ")
    assert hub.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert command("download", "liveportrait").status == 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert command("download", "liveportrait").status == 0


def test_errors_of_the_network_are_one_line(
    hub: Hub, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    del hub.files[BIG]
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and ran.err.count("\n") == 1 and f"{BIG}: http://127.0.0.1" in ran.err
    assert "answered 404" in ran.err
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and ran.err.count("\n") == 1
    assert "no answer from http://127.0.0.1:9" in ran.err


def test_a_folder_that_cannot_be_written(hub: Hub, command: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    ran = command("download", "liveportrait", "--quiet")
    assert ran.status == 1 and ran.err.count("\n") == 1 and "not a directory" in ran.err


def test_what_there_is(hub: Hub, command: Callable[..., Ran]) -> None:
    table = command("download", "--list").out
    assert all(name in table for name in WEIGHTS) and "522 MB" in table and "MIT" in table
    assert command("download").status == 2
    ran = command("download", "dreams")
    assert ran.status == 2 and "there are liveportrait, liveportrait-animals" in ran.err


def test_engines_say_whether_weights_are_here(hub: Hub, command: Callable[..., Ran]) -> None:
    def card() -> dict[str, object]:
        cards = json.loads(command("engines", "--json").out)
        return next(card for card in cards if card["name"] == "liveportrait")

    assert (card()["weights_here"], card()["weights_size"]) == (False, WEIGHTS["liveportrait"].size)
    assert "portrayal download liveportrait" in command("engines").out
    command("download", "liveportrait")
    assert card()["weights_here"] is True
    assert "here (522 MB)" in command("engines").out


def test_a_job_fetches_them_too(hub: Hub, tmp_path: Path) -> None:
    """What the button of the page does; where nothing answers, its line says so."""
    jobs = Jobs(tmp_path / "data")
    hub.cut[BIG] = 1000
    failed = ended(jobs, ANNA, jobs.submit(ANNA, Task("download", "liveportrait")).id)
    assert failed.state == "failed" and "what has arrived is kept" in failed.message
    done = ended(jobs, ANNA, jobs.submit(ANNA, Task("download", "liveportrait")).id)
    assert (done.state, done.message, done.results) == ("done", "", {})
    assert engine_info("liveportrait").weights_here
    jobs.close()

"""The HTTP API, what guards it, and its client."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.testclient import TestClient

from app_support import ANNA, BEN, Told, ended, until
from portrayal.app.jobs import Jobs, Limits, Report
from portrayal.app.server import build
from portrayal.client import Client
from portrayal.engines import list_engines
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image

HERE = "http://127.0.0.1:7860"


def as_owner(owner: str) -> dict[str, str]:
    return {"X-Portrayal-Owner": owner}


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path / "data", Limits(per_owner=2, upload=1_000_000), Told())
    yield made
    made.close()


@pytest.fixture
def api(jobs: Jobs) -> Iterator[TestClient]:
    with TestClient(build(jobs), base_url=HERE, headers=as_owner(ANNA)) as client:
        yield client


def send(api: TestClient, path: Path) -> str:
    answer = api.post(f"/api/uploads?name={path.name}", content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def submit(api: TestClient, portrait: str, **more: Any) -> Any:
    task = {"kind": "edit", "files": {"portrait": portrait}, "options": {"pitch": 5}, **more}
    return api.post("/api/jobs", json=task)


def fetch(api: TestClient) -> str:
    """A job that reads no files; its id."""
    answer = api.post("/api/jobs", json={"kind": "download", "engine": "liveportrait"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_engines_are_listed_with_options_weights_and_licences(api: TestClient) -> None:
    said = {each["name"]: each for each in api.get("/api/engines").json()}
    assert list(said) == [info.name for info in list_engines()]
    assert said["puppet"]["weights"] is None
    strength = said["puppet"]["options"]["properties"]["strength"]
    assert (strength["minimum"], strength["maximum"], strength["default"]) == (0, 5, 1.0)
    live = said["liveportrait"]
    assert live["weights"] == {
        "name": "liveportrait", "size": 522_400_000, "licence": "MIT", "commercial": "yes",
        "here": live["weights"]["here"], "source": "KwaiVGI/LivePortrait",
    }  # fmt: skip
    assert live["files"] == ["sample"] and "smile" in live["sliders"]
    assert not {"weights", "device", "sample"} & live["options"]["properties"].keys()


def test_an_engine_that_was_added_is_there(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from conftest import Bars
    from portrayal import engines

    monkeypatch.setattr(engines, "_registered", {"bars": Bars})
    bars = {each["name"]: each for each in api.get("/api/engines").json()}["bars"]
    assert bars["options"]["properties"]["bar_ink"]["enum"] == ["red", "blue"]


def test_what_one_can_ask_for_is_listed(api: TestClient) -> None:
    said = api.get("/api/tasks").json()
    assert {"start", "fps", "face", "size", "crop", "compare", "sheet", "format"} < said["animate"][
        "properties"
    ].keys()
    assert "max_pixels" not in said["animate"]["properties"]
    names = [slider["name"] for slider in said["sliders"]]
    assert len(names) == 60 and {"pitch", "gaze-x", "jaw-open"} < set(names)


def test_the_api_is_documented(api: TestClient) -> None:
    paths = api.get("/api/openapi.json").json()["paths"]
    assert {
        "/api/engines",
        "/api/uploads",
        "/api/jobs",
        "/api/jobs/{id}",
        "/api/jobs/{id}/results/{name}",
    } < set(paths)
    assert all(act.get("summary") for path in paths.values() for act in path.values())


def test_a_job_from_upload_to_deletion(api: TestClient, jobs: Jobs, media: Path) -> None:
    portrait = send(api, media / "hopper.png")
    answer = submit(api, portrait, options={"pitch": 5, "size": 128})
    job = answer.json()
    assert (
        answer.status_code == 201 and job["state"] == "queued" and job["files"] == {"portrait": "hopper.png"}
    )
    told: Told = jobs._worker  # type: ignore[assignment]
    until(lambda: told.started)
    place = f"/api/jobs/{job['id']}"
    assert api.get(f"{place}/preview").status_code == 404
    (told.started[0].folder / "preview.jpg").write_bytes(b"a picture")
    assert api.get(f"{place}/preview").content == b"a picture"
    told.reports[job["id"]] = Report("done", 1, 1, results=(("picture", "out/half.mp4"),))
    done = api.get(place, params={"wait": 20}).json()
    assert (
        done["state"] == "done" and done["results"] == ["picture"] and str(jobs.root) not in json.dumps(done)
    )
    file = api.get(f"{place}/results/picture")
    assert file.content == b"half a file" and "hopper-edit.mp4" in file.headers["content-disposition"]
    assert api.get(f"{place}/results/video").json() == {
        "detail": "there is no such result; there are: picture"
    }
    assert [each["id"] for each in api.get("/api/jobs").json()] == [job["id"]]
    assert api.delete(place).status_code == 204 and api.get(place).status_code == 404
    assert api.delete(f"/api/uploads/{portrait}").status_code == 204
    assert submit(api, portrait).json() == {
        "detail": "there is no such upload (they are removed after a day)"
    }


def test_a_result_drives_the_next_job(api: TestClient, jobs: Jobs, media: Path) -> None:
    portrait = send(api, media / "hopper.png")
    first = submit(api, portrait).json()["id"]
    told: Told = jobs._worker  # type: ignore[assignment]
    until(lambda: told.started)
    (told.started[0].folder / "out" / "made.mp4").write_bytes((media / "talk.mp4").read_bytes())
    told.reports[first] = Report("done", results=(("video", "out/made.mp4"),))
    ended(jobs, ANNA, first)
    files = {"portrait": portrait, "driving": f"{first}/video"}
    answer = api.post("/api/jobs", json={"files": files})
    assert answer.status_code == 201 and answer.json()["files"]["driving"] == "hopper-edit.mp4"
    theirs = api.post("/api/jobs", json={"files": files}, headers=as_owner(BEN))
    assert theirs.status_code == 404


def test_events_tell_every_step(api: TestClient, jobs: Jobs) -> None:
    id = fetch(api)
    told: Told = jobs._worker  # type: ignore[assignment]
    until(lambda: told.started)

    def go_on() -> None:
        told.reports[id] = Report("running", 1, 2)
        until(lambda: jobs.get(ANNA, id).done == 1)
        told.reports[id] = Report("failed", 1, 2, message="there is no face")

    threading.Timer(0.5, go_on).start()
    lines = [line for line in api.get(f"/api/jobs/{id}/events").text.splitlines() if line]
    said = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert said[0]["state"] == "running"
    assert (said[-1]["state"], said[-1]["message"]) == ("failed", "there is no face")


def test_what_is_wrong_is_one_line_with_a_status(api: TestClient, media: Path) -> None:
    portrait = send(api, media / "hopper.png")
    assert (answer := submit(api, portrait, options={"size": 3})).status_code == 400
    assert answer.json() == {"detail": "--size: should be greater than or equal to 16"}
    assert submit(api, portrait, surprise=1).status_code == 400
    assert submit(api, portrait, options={"a": {"b": 1}}).status_code == 400
    assert api.post("/api/jobs", content=b"{").status_code == 400
    assert api.post("/api/uploads?name=a.mp4", content=b"no video").json() == {
        "detail": "a.mp4: not a video, sound or picture that can be read"
    }
    large = api.post("/api/uploads?name=a.mp4", content=iter([bytes(1_000_001)]))
    assert (large.status_code, large.json()) == (400, {"detail": "a.mp4: is larger than 1 MB"})
    assert api.post("/api/uploads?name=a.mp4", content=bytes(3_000_000)).status_code == 413
    for _ in range(2):
        submit(api, portrait)
    assert submit(api, portrait).status_code == 429


def test_no_path_leads_out(api: TestClient) -> None:
    id = fetch(api)
    for path in (
        f"/api/jobs/{id}/results/..%2f..%2f..%2fqueue.sqlite", f"/api/jobs/{id}/results/../../queue.sqlite",
        "/api/jobs/..%2f..%2fetc%2fpasswd", f"/api/jobs/{id}/results/%2fetc%2fpasswd",
        f"/api/jobs/{id}/results/in%2fportrait", "/api/uploads/..%2f..%2fqueue.sqlite",
        "/gradio_api/file=/etc/passwd", "/file=/etc/passwd", "/gradio_api/proxy=http://127.0.0.1:22/",
    ):  # fmt: skip
        for method in ("GET", "DELETE"):
            answer = api.request(method, path)
            assert answer.status_code in (404, 405), (path, answer.text)
            assert b"SQLite" not in answer.content and b"root:" not in answer.content
    for reference in ("/etc/passwd", "../../queue.sqlite", f"{id}/../work.json", f"{id}/in/portrait"):
        assert submit(api, reference).status_code == 404


def test_nobody_reaches_what_is_of_others(api: TestClient, media: Path) -> None:
    portrait = send(api, media / "hopper.png")
    id = fetch(api)
    ben = as_owner(BEN)
    assert api.get("/api/jobs", headers=ben).json() == []
    for method, path in (
        ("GET", f"/api/jobs/{id}"), ("GET", f"/api/jobs/{id}/events"), ("GET", f"/api/jobs/{id}/preview"),
        ("POST", f"/api/jobs/{id}/cancel"), ("DELETE", f"/api/jobs/{id}"),
        ("DELETE", f"/api/uploads/{portrait}"), ("GET", f"/api/jobs/{id}/results/picture"),
    ):  # fmt: skip
        assert api.request(method, path, headers=ben).status_code == 404
    task = {"kind": "edit", "files": {"portrait": portrait}, "options": {"pitch": 1}}
    assert api.post("/api/jobs", json=task, headers=ben).status_code == 404
    assert api.get(f"/api/jobs/{id}").json()["state"] in ("queued", "running")


def test_a_browser_is_known_by_its_cookie(jobs: Jobs) -> None:
    with TestClient(build(jobs), base_url=HERE) as browser, TestClient(build(jobs), base_url=HERE) as other:
        cookie = browser.get("/api/jobs").headers["set-cookie"]
        assert re.fullmatch(r"portrayal_owner=[\w-]{43}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", cookie)
        id = fetch(browser)
        assert [job["id"] for job in browser.get("/api/jobs").json()] == [id]
        assert "set-cookie" not in browser.get("/api/jobs").headers
        assert other.get("/api/jobs").json() == []
        assert other.get("/api/jobs", headers=as_owner("short")).json() == []


CROSS = {"Sec-Fetch-Site": "cross-site"}


@pytest.mark.parametrize(
    ("headers", "status", "reading"),
    [
        ({}, 201, 200), ({"Origin": HERE}, 201, 200), ({"Sec-Fetch-Site": "same-origin"}, 201, 200),
        ({"Origin": "https://evil.example"}, 403, 403), ({"Origin": "null"}, 403, 403), (CROSS, 403, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403, 403), (CROSS | {"Sec-Fetch-Mode": "no-cors"}, 403, 403),
        (CROSS | {"Sec-Fetch-Mode": "navigate"}, 403, 200),
        (CROSS | {"Sec-Fetch-Mode": "navigate", "Origin": "https://evil.example"}, 403, 403),
        ({"Host": "evil.example"}, 421, 421), ({"Host": "127.0.0.1.evil.example:7860"}, 421, 421),
        ({"Host": ""}, 421, 421), ({"Host": "192.168.0.7:7860"}, 421, 421),
        ({"Host": "localhost:7860"}, 201, 200), ({"Host": "[::1]:7860"}, 201, 200),
    ],
)  # fmt: skip
def test_other_sites_and_other_names_are_refused(
    api: TestClient, headers: dict[str, str], status: int, reading: int
) -> None:
    task = {"kind": "download", "engine": "liveportrait"}
    assert api.post("/api/jobs", json=task, headers=headers).status_code == status
    assert api.get("/api/jobs", headers=headers).status_code == reading


def test_on_the_network_a_password_is_asked_for(jobs: Jobs) -> None:
    app = build(jobs, names={"studio"}, network=True, password="correct horse")
    with TestClient(app, base_url="http://192.168.0.7:7860") as api:
        asked = api.get("/api/engines")
        assert asked.status_code == 401 and asked.headers["www-authenticate"].startswith("Basic ")
        assert api.get("/", headers=basic("wrong")).status_code == 401
        assert api.get("/api/jobs", headers=basic("correct horse") | {"Host": "studio"}).status_code == 200
        assert api.get("/api/jobs", headers={"Host": "studio"}).status_code == 200  # its ticket is a cookie
        assert (
            api.get("/api/jobs", headers=basic("correct horse") | {"Host": "evil.example"}).status_code == 421
        )
    with TestClient(app, base_url="http://192.168.0.7:7860", cookies={"portrayal_ticket": "forged"}) as api:
        assert api.get("/api/jobs").status_code == 401
        assert [api.get("/api/jobs", headers=basic(str(n))).status_code for n in range(10)][-2:] == [401, 429]
        assert api.get("/api/jobs", headers=basic("correct horse")).status_code == 429


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server with real workers, and its address."""
    jobs = Jobs(tmp_path / "data")
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(build(jobs, password="open sesame"), log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    jobs.close()


def test_the_client_fetches_what_it_asked_for(server: str, media: Path, tmp_path: Path) -> None:
    client = Client(server, password="open sesame")
    job = client.edit(media / "hopper.png", {"jaw-open": 1, "yaw": 10}, size=96)
    steps: list[int] = []
    assert job.wait(lambda done, total: steps.append(done)).state == "done" and steps[-1] == 1
    assert job.save(tmp_path / "out.png") == tmp_path / "out.png"
    assert max(read_image(tmp_path / "out.png").rgb.shape) == 96
    with pytest.raises(PortrayalError, match="already exists"):
        job.save(tmp_path / "out.png")
    assert [each.id for each in client.jobs()] == [job.id]
    assert client.job(job.id).state == "done"
    job.remove()
    with pytest.raises(PortrayalError, match="no such job"):
        client.job(job.id)
    with pytest.raises(PortrayalError, match="liveportrait: --pupil-x: should be less"):
        client.edit(media / "hopper.png", engine="liveportrait", pupil_x=99)
    with pytest.raises(PortrayalError, match=r"none\.png: no such file"):
        client.animate(tmp_path / "none.png", text="hello")
    with pytest.raises(PortrayalError, match="asks for its password"):
        Client(server).engines()
    with pytest.raises(PortrayalError, match="does not answer"):
        Client("http://127.0.0.1:9").engines()


@pytest.fixture
def page(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The server with a page that tells how the file begins that it was given."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(jobs.root / "page"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as blocks:
        given, told = gr.File(), gr.Textbox()
        gr.Button().click(lambda file: Path(file).read_bytes()[:5].hex(), given, told, api_name="head")
    routes = APIRouter()

    @routes.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    shown = SimpleNamespace(blocks=blocks, routes=routes, look={})
    with TestClient(build(jobs, shown), base_url=HERE, headers=as_owner(ANNA)) as client:
        yield client


def test_a_page_gives_files_to_their_owners_only(page: TestClient, jobs: Jobs) -> None:
    assert page.get("/").status_code == 200 and page.get("/api/jobs").json() == []
    folder = jobs.root / "jobs" / fetch(page)
    told: Told = jobs._worker  # type: ignore[assignment]
    until(lambda: told.started)
    mine = folder / "out" / "half.mp4"
    (folder / "out" / "link.mp4").symlink_to(jobs.root / "queue.sqlite")
    assert page.get(f"/gradio_api/file={mine}").content == b"half a file"
    assert page.get(f"/gradio_api/file={mine}", headers=as_owner(BEN)).status_code == 404
    for path in (
        jobs.root / "queue.sqlite", f"{folder}/../../queue.sqlite", folder / "out" / "link.mp4",
        "/etc/passwd", "%2fetc%2fpasswd", Path(__file__), "http://127.0.0.1:9/",
    ):  # fmt: skip
        for place in ("/gradio_api/file=", "/gradio_api/file/", "/file="):
            assert page.get(f"{place}{path}").status_code == 404, path
    closed = ("process_recording", "vibe-edit", "vibe-code", "deep_link?session_hash=a")
    assert [page.request("POST", f"/gradio_api/{each}").status_code for each in closed] == [404] * 4


def test_a_page_takes_files_that_were_uploaded_only(
    page: TestClient, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def head(path: str | Path) -> str:
        task = {"data": [{"path": str(path), "meta": {"_type": "gradio.FileData"}}]}
        event = page.post("/gradio_api/call/head", json=task).json()["event_id"]
        return page.get(f"/gradio_api/call/head/{event}").text

    sent = page.post("/gradio_api/upload", files={"files": ("../../../notes.txt", b"hello")}).json()[0]
    assert Path(sent).is_relative_to(jobs.root / "page") and b"hello".hex() in head(sent)
    for path in (
        "/etc/passwd",
        str(jobs.root / "queue.sqlite"),
        str(Path(__file__)),
        f"{sent}/../../../lock",
    ):
        assert "event: error" in head(path), path
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, monkeypatch.context() as patched:
        patched.setattr("gradio.processing_utils.PUBLIC_HOSTNAME_WHITELIST", ["127.0.0.1"])
        assert "event: error" in head(f"http://127.0.0.1:{elsewhere.getsockname()[1]}/notes.txt")
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            elsewhere.accept()
    large = page.post("/gradio_api/upload", files={"files": ("large", bytes(1_000_001))})
    assert large.status_code == 413


def test_a_web_socket_is_for_pages_of_ours(page: TestClient) -> None:
    place = "ws://127.0.0.1:7860/echo"
    with page.websocket_connect(place, headers={"Origin": HERE}) as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "hello"
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, CROSS):
        with (
            pytest.raises(WebSocketDisconnect),
            page.websocket_connect(place, headers=headers),
        ):
            pass

"""The HTTP API and its client."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from app_support import ANNA, BEN, Told, as_owner, ended, fetch, send, submit, until
from portrayal.app.jobs import Jobs, Report
from portrayal.app.server import build
from portrayal.client import Client
from portrayal.engines import list_engines
from portrayal.errors import PortrayalError


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


class Painter(Told):
    """Begins a picture, and has it done a moment later."""

    picture = b""

    def poll(self, id: str) -> Report:
        (self.started[-1].folder / "out" / "result.png").write_bytes(self.picture)
        return Report("done", 1, 1, results=(("picture", "out/result.png"),))


@pytest.fixture
def server(tmp_path: Path, media: Path) -> Iterator[str]:
    """A server in a thread, and its address."""
    painter = Painter()
    painter.picture = (media / "hopper.png").read_bytes()
    jobs = Jobs(tmp_path / "data", worker=painter)
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
    assert (tmp_path / "out.png").read_bytes() == (media / "hopper.png").read_bytes()
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

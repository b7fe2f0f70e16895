"""What strangers reach of the server, and what not: hosts, sites, passwords, paths, files of others."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.testclient import TestClient

from app_support import ANNA, BEN, HERE, Told, as_owner, fetch, send, submit, until
from portrayal.app.jobs import Jobs
from portrayal.app.server import build

#: What Gradio makes pandas say of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


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

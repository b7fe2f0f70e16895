"""A real browser for the tests: headless Chromium, driven by Playwright, with a clip for a camera."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from conftest import swaying
from portrayal.app import page
from portrayal.app.jobs import Jobs
from portrayal.app.server import build
from portrayal.media.image import read_image

#: Nothing of the browser's own goes to the network, and it needs no sandbox, GPU or person to allow a camera.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)  # fmt: skip


@contextmanager
def chromium(camera: Path) -> Iterator[Browser]:
    """The browser that Debian calls chromium, whose camera shows the clip `camera` again and again."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("the tests of the page need Chromium: apt-get install chromium", pytrace=False)
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@contextmanager
def served(jobs: Jobs) -> Iterator[str]:
    """The whole application on a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(build(jobs, page.build(jobs)), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and server.servers):
        assert thread.is_alive()
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def camera_clip(media: Path, path: Path) -> Path:
    """A face that sways, as a camera shows it: Motion JPEG, 320x240, 30 frames a second."""
    face = read_image(media / "hopper.png").rgb
    room = np.full((260, 340, 3), 110, np.uint8)
    room[:, 42:298] = face
    with av.open(str(path), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=30, options={"q": "3"})
        stream.width, stream.height, stream.pix_fmt = 340, 260, "yuvj420p"
        for rgb in swaying(room, 38):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
        container.mux(stream.encode(None))
    return path

"""Live and edit: frames a second and how late they are, of the loop itself and of the page in a browser.

python benchmarks/live.py [VIDEO] [--seconds 10] [--only loop,page]

VIDEO stands before the camera, again and again (a made one unless given). The page is opened in headless
Chromium, on the same machine, with VIDEO as its camera; how late is from the camera's picture in the browser
to the portrait's picture drawn there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from media import grace_hopper, made_clips
from portrayal import Portrait, load_engine
from portrayal.live.session import Live, Shown
from portrayal.media.video import VideoReader
from speed import machine

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", default="loop,page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        video = options.video or made_clips(Path(scratch))["made_talk"]
        frames = [_fitted(rgb) for rgb in islice(VideoReader(video), 240)]
        print(f"{machine()}; {video.name}; load {os.getloadavg()[0]:.1f}\n")
        for name in options.only.split(","):
            {"loop": _loop, "page": _page}[name](frames, options.seconds, Path(scratch))


def _fitted(rgb: Any) -> Any:
    """640x480, as a camera gives it."""
    height, width = rgb.shape[:2]
    scale = 480 / height
    small = cv2.resize(rgb, (min(640, round(width * scale)), 480), interpolation=cv2.INTER_AREA)
    left = (640 - small.shape[1]) // 2
    return cv2.copyMakeBorder(small, 0, 0, left, 640 - small.shape[1] - left, cv2.BORDER_REPLICATE)


def _loop(frames: list[Any], seconds: float, scratch: Path) -> None:
    """The puppet at 512 behind a camera of 30 pictures a second."""
    late: list[float] = []
    shown: list[float] = []

    def show(result: Shown) -> None:
        shown.append(time.monotonic())
        late.append(1000 * (shown[-1] - result.taken.time))

    portrait = Portrait.open(grace_hopper(), size=512)
    with Live(load_engine("puppet"), portrait, show) as live:
        live.feed(frames[0])
        live.started.wait()
        begun, (processor, dropped) = time.monotonic(), (time.process_time(), live.dropped)
        for number, rgb in enumerate(cycle(frames)):
            if number / 30 > seconds:
                break
            time.sleep(max(0.0, begun + number / 30 - time.monotonic()))
            live.feed(rgb)
        spent, missed = time.process_time() - processor, live.dropped - dropped
    count = sum(at > begun for at in shown)
    cost = f"{1000 * spent / count:.0f} ms of processor a frame"
    print(f"loop: {count / seconds:.1f} fps, {cost}, {missed} missed, late by {_spread(late[-count:])} ms\n")


def _page(frames: list[Any], seconds: float, scratch: Path) -> None:
    """The tab Live, then the preview of the tab Edit, in a browser."""
    from playwright.sync_api import sync_playwright

    clip = _camera(frames, scratch / "camera.mjpeg")
    with _served(scratch / "data") as address, sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={clip}"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        _measure_live(page, seconds)
        _measure_edit(page)
        browser.close()


def _measure_live(page: Any, seconds: float) -> None:
    page.get_by_role("tab", name="Live", exact=True).click()
    page.locator("#live-portrait input[type=file]").set_input_files(grace_hopper())
    page.locator("[data-act=start]:enabled").click()
    state = "({...document.querySelector('.live').dataset})"
    page.wait_for_function(f"Number({state}.frames) > 30")
    first, begun, late = int(page.evaluate(state)["frames"]), time.monotonic(), []
    while time.monotonic() - begun < seconds:
        page.wait_for_timeout(250)
        late.append(float(page.evaluate(state)["delay"]))
    shown = int(page.evaluate(state)["frames"]) - first
    fps, usual = shown / (time.monotonic() - begun), statistics.median(late)
    print(f"page, live: {fps:.1f} fps, late by {usual:.0f} ms (medians of 60, {max(late):.0f} at most)")
    page.get_by_role("button", name="Stop camera").click()


def _measure_edit(page: Any) -> None:
    page.get_by_role("tab", name="Edit", exact=True).click()
    page.locator("#edit-portrait input[type=file]").set_input_files(grace_hopper())
    page.locator("#edit-stage .after").wait_for()
    field, took = page.locator("#slider-pitch input[type=number]"), []
    for value in (4, -4, 8, -8, 12, -12, 6, -6, 3, -3):
        page.wait_for_timeout(400)
        before = page.locator("#edit-stage .after").get_attribute("src")
        begun = time.monotonic()
        field.fill(str(value))
        field.press("Enter")
        changed = "before => document.querySelector('#edit-stage .after').src !== before"
        page.wait_for_function(changed, arg=before, polling=5)
        took.append(1000 * (time.monotonic() - begun))
    print(f"page, edit: a slider is seen after {_spread(took)} ms")


class _served:
    """The application on a port of its own."""

    def __init__(self, folder: Path) -> None:
        import uvicorn

        os.environ |= {"GRADIO_TEMP_DIR": str(folder / "page"), "GRADIO_ANALYTICS_ENABLED": "False"}
        from portrayal.app import page
        from portrayal.app.jobs import Jobs
        from portrayal.app.server import build

        self._jobs = Jobs(folder)
        application = build(self._jobs, page.build(self._jobs))
        self._server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not (self._server.started and self._server.servers):
            time.sleep(0.02)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._jobs.close()


def _camera(frames: list[Any], path: Path) -> Path:
    """What Chromium takes for a camera."""
    with av.open(str(path), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=30, options={"q": "3"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb))))
        container.mux(stream.encode(None))
    return path


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{statistics.median(ordered):.0f} (95 %: {ordered[int(0.95 * (len(ordered) - 1))]:.0f})"


if __name__ == "__main__":
    main()

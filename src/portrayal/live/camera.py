"""Cameras: of this machine, or a video that plays as one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError

Rgb = NDArray[np.uint8]
#: Longest side of the pictures; the tracker sees no more of a face than this shows of it.
SIDE = 640


def camera_frames(camera: str, mirror: bool = False) -> Iterator[Rgb]:
    """The pictures (H, W, 3) uint8 of a camera, as they come.

    camera: its number (0 is the first), or a video file, which plays once at its own speed. mirror: exchange
    left and right, as people are used to see themselves. PortrayalError where it cannot be opened.
    """
    frames = _from_device(int(camera)) if camera.isdecimal() else _from_file(camera)
    for rgb in frames:
        yield np.ascontiguousarray(rgb[:, ::-1]) if mirror else rgb


def _from_device(number: int) -> Iterator[Rgb]:
    with _opened(number) as device:
        while True:
            there, bgr = device.read()
            if not there:
                raise PortrayalError(f"camera {number}: gives no pictures any more")
            yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@contextmanager
def _opened(number: int) -> Iterator[Any]:
    cv2.setLogLevel(0)  # it tells of every way in which a camera could not be opened
    device = cv2.VideoCapture(number)
    try:
        if not device.isOpened():
            raise PortrayalError(
                f"camera {number}: cannot be opened; is one connected, and used by no other program? "
                "--camera takes another number, or a video file"
            )
        device.set(cv2.CAP_PROP_FRAME_WIDTH, SIDE)
        device.set(cv2.CAP_PROP_FRAME_HEIGHT, SIDE * 3 // 4)
        device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        yield device
    finally:
        device.release()


def _from_file(path: str) -> Iterator[Rgb]:
    from portrayal.media.video import VideoReader

    video = VideoReader(Path(path))
    if max(video.info.width, video.info.height) > SIDE:
        video = VideoReader(Path(path), size=SIDE)
    frames = iter(video)
    yield next(frames)
    begun = time.monotonic()  # once who looks is ready for more
    for number, rgb in enumerate(frames, 1):
        time.sleep(max(0.0, begun + float(number / video.fps) - time.monotonic()))
        yield rgb

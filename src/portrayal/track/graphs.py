"""MediaPipe's face detector and face mesh (Apache-2.0, models inside its wheel)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: How often a still, or the first frame of a video, is looked at; its landmarks have settled by then.
LOOKS = 4


def solutions() -> Any:
    with quiet():
        try:
            import mediapipe.python.solutions as solutions
        except ImportError as error:
            if "libGL" in str(error):
                raise PortrayalError(
                    "OpenCV needs libGL.so.1: install it (Debian, Ubuntu: apt-get install libgl1)"
                ) from error
            raise
        from mediapipe.python.solutions import face_detection, face_mesh  # noqa: F401
    return solutions


@contextmanager
def quiet() -> Iterator[None]:
    """MediaPipe's C++ side writes to stderr whatever one asks of it; users should not see that."""
    _hush.enter()
    try:
        yield
    finally:
        _hush.leave()


class _Hush:
    """Sends stderr (file descriptor 2) nowhere while any thread wants it so."""

    def __init__(self) -> None:
        self._lock, self._wanted, self._saved = threading.Lock(), 0, -1

    def enter(self) -> None:
        with self._lock:
            if not self._wanted:
                null, self._saved = os.open(os.devnull, os.O_WRONLY), os.dup(2)
                os.dup2(null, 2)
                os.close(null)
            self._wanted += 1

    def leave(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                os.dup2(self._saved, 2)
                os.close(self._saved)


_hush = _Hush()


def new_mesh(static: bool, faces: int) -> Any:
    with quiet():
        graph = solutions().face_mesh.FaceMesh(
            static_image_mode=static, max_num_faces=faces, refine_landmarks=True
        )
        graph.process(np.zeros((64, 64, 3), np.uint8))  # its start-up log goes where nobody reads it
    return graph


@cache
def still_mesh() -> Any:
    """The graph for stills tracks, too: it looks at a picture several times, each time where it saw the face
    last, so that stills and videos are measured alike."""
    return new_mesh(static=False, faces=1)


@cache
def detector(full_range: int) -> Any:
    with quiet():
        graph = solutions().face_detection.FaceDetection(0.4, full_range)
        graph.process(np.zeros((64, 64, 3), np.uint8))
    return graph


def look_at(graph: Any, rgb: Rgb) -> list[Array]:
    height, width = rgb.shape[:2]
    found = graph.process(np.ascontiguousarray(rgb)).multi_face_landmarks or []
    size = np.array([width, height, width], np.float32)
    half = np.array([0.5, 0.5, 0], np.float32)
    return [np.array([(p.x, p.y, p.z) for p in f.landmark], np.float32) * size - half for f in found]

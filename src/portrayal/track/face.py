"""Faces in pictures, by MediaPipe's face mesh (Apache-2.0, models inside its wheel)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.track.geometry import HeadPose, fit_pose
from portrayal.track.topology import RIGID, mean_face

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
FaceChoice = Literal["largest", "left", "right"] | int

#: A mesh whose rigid points miss the mean face by more than this (rms, eye distances) is no human face.
MISFIT_LIMIT = 0.16
_lock = threading.Lock()


@dataclass(frozen=True)
class Face:
    """A face found in a picture. landmarks: (478, 3) pixels, z in pixels too (smaller is nearer)."""

    landmarks: Array

    @cached_property
    def pose(self) -> HeadPose:
        return fit_pose(self.landmarks)

    @cached_property
    def shape(self) -> Array:
        """(478, 3) landmarks in head space."""
        return self.pose.to_head(self.landmarks)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the landmarks in pixels."""
        low, high = self.landmarks[:, :2].min(0), self.landmarks[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def centre(self) -> Array:
        left, top, right, bottom = self.box
        return np.array([(left + right) / 2, (top + bottom) / 2], np.float32)

    @property
    def misfit(self) -> float:
        """How far the rigid points lie from a human mean face: rms in eye distances."""
        rigid = list(RIGID)
        return float(np.sqrt(((self.shape[rigid] - mean_face()[rigid]) ** 2).sum(1).mean()))


def choose_face(faces: list[Face], choice: FaceChoice) -> Face:
    """The face meant by `choice`: largest, leftmost, rightmost, or the Nth from the left (from 0)."""
    if isinstance(choice, int):
        ordered = sorted(faces, key=lambda f: f.centre[0])
        if not 0 <= choice < len(ordered):
            raise PortrayalError(f"there is no face number {choice}: found {len(faces)} (counted from 0)")
        return ordered[choice]
    rank: dict[str, Callable[[Face], float]] = {
        "largest": lambda f: -f.pose.scale,
        "left": lambda f: float(f.centre[0]),
        "right": lambda f: -float(f.centre[0]),
    }
    return min(faces, key=rank[choice])


def _solutions() -> Any:
    with _quiet():
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
def _quiet() -> Any:
    """MediaPipe's C++ side writes to stderr whatever one asks of it; users should not see that."""
    null, saved = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(null)
        os.close(saved)


@lru_cache(maxsize=4)
def _mesh(static: bool, faces: int, owner: object) -> Any:
    """A face mesh graph; `owner` keeps the graphs of different trackers apart."""
    with _quiet():
        graph = _solutions().face_mesh.FaceMesh(
            static_image_mode=static, max_num_faces=faces, refine_landmarks=True
        )
        graph.process(np.zeros((64, 64, 3), np.uint8))  # its start-up log goes where nobody reads it
    return graph


def _landmarks(graph: Any, rgb: Rgb) -> list[Array]:
    height, width = rgb.shape[:2]
    found = graph.process(np.ascontiguousarray(rgb)).multi_face_landmarks or []
    size = np.array([width, height, width], np.float32)
    half = np.array([0.5, 0.5, 0], np.float32)
    return [np.array([(p.x, p.y, p.z) for p in f.landmark], np.float32) * size - half for f in found]

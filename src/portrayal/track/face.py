"""Faces in pictures, by MediaPipe's face mesh (Apache-2.0, models inside its wheel)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.track.crop import square_crop
from portrayal.track.geometry import HeadPose, fit_pose, turned
from portrayal.track.topology import MOUTH_LEFT, MOUTH_RIGHT, RIGID, mean_face, pose_drift

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
FaceChoice = Literal["largest", "left", "right"] | int

#: A mesh whose rigid points miss the mean face by more than this (rms, eye distances) is no human face, ...
MISFIT_LIMIT = 0.1
#: ... nor by more than this where the detector's score is not over SURE: a dog, say.
MISFIT_LIMIT_UNSURE, SURE = 0.05, 0.75
#: How often a still, or the first frame of a video, is looked at; its landmarks have settled by then.
LOOKS = 4
#: A tracker looks at so many times the size of its face: in more, the detector loses small ones.
SURROUNDINGS = 5.0
#: Mean grey difference between two frames (24x24) that only a scene cut makes.
CUT_LIMIT = 28.0
#: By how many degrees of pitch, yaw, roll (rows) the tracker turns a head for every unit of :func:`_askew`:
#: from seven portraits of which only the mouth was moved. The yaw and roll of a man who smirks, his hair
#: standing still, deviate by 0.4 and 0.5 degrees with this, by 1.4 without.
ASKEW = np.array([[0, 0], [12, 20], [14, 17]], np.float32)
_ASKEW_POINTS = [MOUTH_RIGHT, MOUTH_LEFT, 168, 6, 197, 195, 5]  # and the ridge of the nose
_lock = threading.Lock()


@dataclass(frozen=True)
class Face:
    """A face found in a picture. landmarks: (478, 3) pixels, z in pixels too (smaller is nearer)."""

    landmarks: Array

    @cached_property
    def pose(self) -> HeadPose:
        """Where the head is, without what the tracker turns it by where the mouth is drawn aside."""
        seen = fit_pose(self.landmarks)
        return turned(seen, -(ASKEW @ _askew(seen.to_head(self.landmarks[_ASKEW_POINTS]), seen.angles)))

    @cached_property
    def shape(self) -> Array:
        """(478, 3) landmarks in head space."""
        return self.pose.to_head(self.landmarks)

    @cached_property
    def pose_free_shape(self) -> Array:
        """(478, 3) :attr:`shape` without what the tracker adds to a face because it is turned."""
        return self.shape - _drift(self.pose.angles, slice(None))

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


def _drift(angles: Array, points: list[int] | slice) -> Array:
    """(N, 3) what the tracker adds to these points of a face because it is turned."""
    turn = np.clip(angles[:2], -25, 25).astype(np.float32)
    return np.asarray(np.tensordot(turn, pose_drift()[:, points], 1), np.float32)


def _askew(points: Array, angles: Array) -> Array:
    """(2,) how far the middle of the mouth lies to the left of the nose, and how much higher its left corner
    than its right, in eye distances. points: (7, 3) those of :data:`_ASKEW_POINTS` in head space."""
    steady = points - _drift(angles, _ASKEW_POINTS)
    right, left = steady[:2]
    aside = (right[0] + left[0]) / 2 - steady[2:, 0].mean()
    return np.array([aside, right[1] - left[1]], np.float32)


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


def nearest(faces: list[Face], to: Face) -> Face:
    """The face whose centre is nearest to that of another."""
    return min(faces, key=lambda f: float(np.linalg.norm(f.centre - to.centre)))


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


def _new_mesh(static: bool, faces: int) -> Any:
    with quiet():
        graph = solutions().face_mesh.FaceMesh(
            static_image_mode=static, max_num_faces=faces, refine_landmarks=True
        )
        graph.process(np.zeros((64, 64, 3), np.uint8))  # its start-up log goes where nobody reads it
    return graph


@cache
def _still_mesh() -> Any:
    """The graph for stills tracks, too: it looks at a picture several times, each time where it saw the face
    last, so that stills and videos are measured alike."""
    return _new_mesh(static=False, faces=1)


@cache
def _detector(full_range: int) -> Any:
    with quiet():
        graph = solutions().face_detection.FaceDetection(0.4, full_range)
        graph.process(np.zeros((64, 64, 3), np.uint8))
    return graph


def _landmarks(graph: Any, rgb: Rgb) -> list[Array]:
    height, width = rgb.shape[:2]
    found = graph.process(np.ascontiguousarray(rgb)).multi_face_landmarks or []
    size = np.array([width, height, width], np.float32)
    half = np.array([0.5, 0.5, 0], np.float32)
    return [np.array([(p.x, p.y, p.z) for p in f.landmark], np.float32) * size - half for f in found]


def find_faces(rgb: Rgb) -> list[Face]:
    """All faces in a still picture, from left to right.

    Detections of two ranges (near, far), each looked at again in an upright crop of its own, so that the
    landmarks of a small face in a large picture are as exact as those of a portrait. A face that fills the
    picture is found by adding a margin.
    """
    with _lock, quiet():
        faces = _looked_at(rgb, _detections(rgb))
        if not faces:  # the detector missed it: take the whole picture for its surroundings
            faces = _looked_at(rgb, [_whole(rgb, 1.0), _whole(rgb, 1.6)])
    return sorted(faces, key=lambda f: f.centre[0])


class _Place(NamedTuple):
    """A square that may show a face: centre and side in pixels, and how sure that is, 0 to 1."""

    x: float
    y: float
    side: float
    score: float


def _whole(rgb: Rgb, factor: float) -> _Place:
    height, width = rgb.shape[:2]
    return _Place(width / 2, height / 2, factor * max(height, width), 0.0)


def _detections(rgb: Rgb) -> list[_Place]:
    """Where faces may be: those seen in the whole picture first, then those that only a part of it shows."""
    height, width = rgb.shape[:2]
    scale = min(1.0, 1280 / max(height, width))
    small = rgb
    if scale < 1:
        small = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    wide = [place for far in (0, 1) for place in _detected(_detector(far), small, (0, 0))]
    near = [place for part, corner in _parts(small) for place in _detected(_detector(0), part, corner)]
    return [
        _Place(place.x / scale, place.y / scale, place.side / scale, place.score)
        for places in (wide, near)
        for place in sorted(places, key=lambda place: -place.score)
    ]


def _detected(detector: Any, rgb: Rgb, corner: tuple[int, int]) -> Iterator[_Place]:
    """What a detector finds in the part of a picture that begins at `corner` (x, y)."""
    height, width = rgb.shape[:2]
    for found in detector.process(np.ascontiguousarray(rgb)).detections or []:
        box = found.location_data.relative_bounding_box
        x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
        side = 2.0 * max(box.width * width, box.height * height)
        yield _Place(corner[0] + x, corner[1] + y, side, float(found.score[0]))


def _parts(rgb: Rgb) -> Iterator[tuple[Rgb, tuple[int, int]]]:
    """Squares of half the picture's longer side, each half over the next, and their corners (x, y): detectors
    shrink what they see to 128 or 192 pixels, in which the faces of a group are too small."""
    side = max(1, max(rgb.shape[:2]) // 2)
    tops, lefts = (_starts(length, side) for length in rgb.shape[:2])
    for top in tops:
        for left in lefts:
            yield rgb[top : top + side, left : left + side], (left, top)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    steps = -(-(length - side) // max(1, side // 2))
    return [(length - side) * step // steps for step in range(steps + 1)]


def _looked_at(rgb: Rgb, places: list[_Place]) -> list[Face]:
    """The faces found at these places, each once."""
    faces: list[Face] = []
    for place in places:
        if any(_holds(face, place) for face in faces):
            continue
        limit = MISFIT_LIMIT if place.score > SURE else MISFIT_LIMIT_UNSURE
        for face in _faces_in_crop(rgb, place):
            if face.misfit < limit and not any(_same(face, other) for other in faces):
                faces.append(face)
    return faces


def _holds(face: Face, place: _Place) -> bool:
    left, top, right, bottom = face.box
    return left < place.x < right and top < place.y < bottom


def _faces_in_crop(rgb: Rgb, place: _Place) -> list[Face]:
    if place.side < 16:
        return []
    crop, to_crop = square_crop(rgb, (place.x, place.y), place.side, int(np.clip(place.side, 256, 640)))
    scale = np.float32(to_crop[0, 0])
    corner = np.array([*-to_crop[:, 2] / scale, 0], np.float32)
    graph = _still_mesh()
    graph.reset()
    looks = [_landmarks(graph, crop) for _ in range(LOOKS)]
    return [Face(points / scale + corner) for points in looks[-1]]


def _same(a: Face, b: Face) -> bool:
    return float(np.linalg.norm(a.centre - b.centre)) < 0.6 * max(a.pose.scale, b.pose.scale)


class CutDetector:
    """Tells, of frames that are shown to it in order, those with which a new scene begins."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def __call__(self, rgb: Rgb) -> bool:
        apart = max(1, min(rgb.shape[:2]) // 96)  # enough pixels to tell, at a fraction of the time
        few = np.ascontiguousarray(rgb[::apart, ::apart])
        grey = cv2.resize(few, (24, 24), interpolation=cv2.INTER_AREA).mean(2).astype(np.float32)
        before, self._before = self._before, grey
        return before is not None and float(np.abs(grey - before).mean()) > CUT_LIMIT


class _Window(NamedTuple):
    """The part of each frame that the tracker looks at: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, face: Face, frame: Rgb) -> _Window:
        """The whole frame, unless the face is small in it."""
        height, width = frame.shape[:2]
        left, top, right, bottom = face.box
        side = round(SURROUNDINGS * max(right - left, bottom - top))
        if side >= max(width, height):
            return cls(0, 0, width, height)
        across, down = min(side, width), min(side, height)
        x = int(np.clip(face.centre[0] - across / 2, 0, width - across))
        y = int(np.clip(face.centre[1] - down / 2, 0, height - down))
        return cls(x, y, x + across, y + down)

    def looked_through(self, graph: Any, frame: Rgb) -> list[Face]:
        part = frame[self.top : self.bottom, self.left : self.right]
        corner = np.array([self.left, self.top, 0], np.float32)
        return [Face(points + corner) for points in _landmarks(graph, part)]

    def is_far_from(self, other: _Window) -> bool:
        return max(abs(a - b) for a, b in zip(self, other, strict=True)) > (self.right - self.left) / 5


class FaceTracker:
    """Follows one face through the frames of a video.

    Call it with each frame (uint8 RGB, (H, W, 3)) in order; the answer is the face, or None where it is out
    of sight. `choice` says which face when the first frame with faces has several: by place, or the one
    nearest to a face seen before. A scene cut starts anew.
    """

    def __init__(self, choice: FaceChoice | Face = "largest") -> None:
        self._choice = choice
        self._graph: Any = None
        self._window = _Window(0, 0, 0, 0)
        self._last: Face | None = None
        self._is_cut = CutDetector()

    def __call__(self, rgb: Rgb) -> Face | None:
        if self._is_cut(rgb):
            self.close()
        if self._graph is None:
            return self._start(rgb)
        face = self._nearest(self._window.looked_through(self._graph, rgb))
        if face is not None and _Window.around(face, rgb).is_far_from(self._window):
            self._graph.reset()
            face = self._settled(rgb, face)
        self._last = face or self._last
        return face

    def close(self) -> None:
        """Forget the face; the next frame starts anew."""
        if self._graph is not None:
            self._graph.close()
        self._graph, self._last = None, None

    def _start(self, rgb: Rgb) -> Face | None:
        faces = find_faces(rgb)
        if not faces:
            return None
        choice = self._choice
        chosen = nearest(faces, choice) if isinstance(choice, Face) else choose_face(faces, choice)
        self._graph = _new_mesh(static=False, faces=len(faces))
        self._last = self._settled(rgb, chosen)
        return self._last

    def _settled(self, rgb: Rgb, face: Face) -> Face:
        """The face as the graph sees it after some looks through a window of its own."""
        self._window, self._last = _Window.around(face, rgb), face
        with quiet():
            looks = [self._window.looked_through(self._graph, rgb) for _ in range(LOOKS)]
        return self._nearest(looks[-1]) or face

    def _nearest(self, faces: list[Face]) -> Face | None:
        last = self._last
        if last is None or not faces:
            return None
        face = nearest(faces, last)
        return face if np.linalg.norm(face.centre - last.centre) < 1.5 * last.pose.scale else None

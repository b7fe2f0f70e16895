"""All faces in a still picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.crop import square_crop
from portrayal.track.face import Face
from portrayal.track.graphs import LOOKS, detector, look_at, quiet, still_mesh

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: A mesh whose rigid points miss the mean face by more than this (rms, eye distances) is no human face, ...
MISFIT_LIMIT = 0.1
#: ... nor by more than this where the detector's score is not over SURE: a dog, say.
MISFIT_LIMIT_UNSURE, SURE = 0.05, 0.75
_lock = threading.Lock()


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
    wide = [place for far in (0, 1) for place in _detected(detector(far), small, (0, 0))]
    near = [place for part, corner in _parts(small) for place in _detected(detector(0), part, corner)]
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
    graph = still_mesh()
    graph.reset()
    looks = [look_at(graph, crop) for _ in range(LOOKS)]
    return [Face(points / scale + corner) for points in looks[-1]]


def _same(a: Face, b: Face) -> bool:
    return float(np.linalg.norm(a.centre - b.centre)) < 0.6 * max(a.pose.scale, b.pose.scale)

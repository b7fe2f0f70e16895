"""What is measured in a frame: the numbers in which a driving and a result are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portrayal.track.face import Face
from portrayal.track.topology import (
    CHIN,
    FOREHEAD,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_IRIS,
    LIP_BOTTOM_INNER,
    LIP_TOP_INNER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_IRIS,
)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Measure:
    """A number measured in every frame. key: for programs; label: for people; unit: of its mean error."""

    key: str
    label: str
    unit: str


#: What :func:`measure` gives, in its order. Left and right are the head's own.
MEASURES: tuple[Measure, ...] = (
    Measure("mouth_open", "mouth opening", "of face height"),
    Measure("mouth_width", "mouth width", "of eye distance"),
    Measure("eye_right", "right eye open", "of eye width"),
    Measure("eye_left", "left eye open", "of eye width"),
    Measure("gaze_x", "gaze, horizontal", "of eye width"),
    Measure("gaze_y", "gaze, vertical", "of eye width"),
    Measure("brow_right", "right brow height", "of eye distance"),
    Measure("brow_left", "left brow height", "of eye distance"),
    Measure("pitch", "head pitch", "degrees"),
    Measure("yaw", "head yaw", "degrees"),
    Measure("roll", "head roll", "degrees"),
)
COLUMN: dict[str, int] = {m.key: i for i, m in enumerate(MEASURES)}

#: Points of the skull whose trembling is the jitter: bridge and ridge of the nose, the four eye corners.
STEADY = (168, 6, 197, 195, 5, 4, 33, 133, 362, 263)

_RIGHT_EYE = (33, 160, 158, 133, 153, 144)
_LEFT_EYE = (362, 385, 387, 263, 373, 380)
_RIGHT_BROW, _LEFT_BROW = (63, 105, 66), (293, 334, 296)


def measure(face: Face) -> Array:
    """(11,) the :data:`MEASURES` of a face.

    Mouth opening: inner lips 13-14 over forehead to chin 10-152. Mouth width: corners 61-291 over outer eye
    corners 33-263. Eyes: aspect ratio (Soukupova & Cech 2016, eq. 1). Gaze: mean over both eyes of the iris
    centre's place along the line from corner to corner, and its distance from that line (down is positive),
    over the eye's width. Brows: height over the line of the eye corners with the head's pose taken out
    (:attr:`Face.pose_free_shape`), so that neither a nod nor a blink counts. Head: `Face.pose.angles`.
    All but brows and head are measured flat in the picture.
    """
    points = face.landmarks[:, :2]

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b]))

    gaze = _gaze(points, RIGHT_IRIS[0], RIGHT_EYE_OUTER, RIGHT_EYE_INNER)
    gaze = (gaze + _gaze(points, LEFT_IRIS[0], LEFT_EYE_INNER, LEFT_EYE_OUTER)) / 2
    shape = face.pose_free_shape
    return np.array(
        [
            length(LIP_TOP_INNER, LIP_BOTTOM_INNER) / length(FOREHEAD, CHIN),
            length(MOUTH_RIGHT, MOUTH_LEFT) / length(RIGHT_EYE_OUTER, LEFT_EYE_OUTER),
            _aspect_ratio(points, _RIGHT_EYE),
            _aspect_ratio(points, _LEFT_EYE),
            *gaze,
            _brow_height(shape, _RIGHT_BROW, (RIGHT_EYE_OUTER, RIGHT_EYE_INNER)),
            _brow_height(shape, _LEFT_BROW, (LEFT_EYE_OUTER, LEFT_EYE_INNER)),
            *face.pose.angles,
        ],
        np.float32,
    )


def _aspect_ratio(points: Array, eye: tuple[int, ...]) -> float:
    p1, p2, p3, p4, p5, p6 = points[list(eye)]
    lids = np.linalg.norm(p2 - p6) + np.linalg.norm(p3 - p5)
    return float(lids / (2 * np.linalg.norm(p1 - p4)))


def _gaze(points: Array, iris: int, start: int, end: int) -> Array:
    """(2,) iris centre in the eye's own axes: along the corner line from 0 to 1, and below it, in widths."""
    axis, offset = points[end] - points[start], points[iris] - points[start]
    along = axis @ offset
    below = axis[0] * offset[1] - axis[1] * offset[0]
    return np.array([along, below], np.float32) / np.float32(axis @ axis)


def _brow_height(shape: Array, brow: tuple[int, ...], corners: tuple[int, int]) -> float:
    return float(shape[list(corners), 1].mean() - shape[list(brow), 1].mean())

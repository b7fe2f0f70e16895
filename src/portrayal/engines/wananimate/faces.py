"""The driving's face, cut as Wan-Animate was trained to see it: not square, stretched to 512 by 512."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.body import FACE

Rgb = NDArray[np.uint8]
Array = NDArray[np.float64]
#: left, right, top, bottom in pixels.
Box = tuple[int, int, int, int]

SIDE = 512
#: By how much the area of the landmarks' box grows.
GROWTH = 1.3
#: How quickly the box follows, per frame, and how many of its sizes it may lag behind.
FOLLOW, LAG = 0.25, 0.08


def face_box(points: NDArray[np.floating], size: tuple[int, int]) -> Box:
    """The box of a face of 133 points in a picture of (width, height), by the official rule."""
    return _in_pixels(_grown(points), size)


class FaceCrops:
    """Cuts the face out of every frame.

    The official box follows the landmarks in every frame, and trembles with them; here it follows smoothly,
    stays where the face was when that is lost, and is the picture's middle before any was seen. compat: the
    box of every frame by itself.
    """

    def __init__(self, compat: bool = False) -> None:
        self._compat = compat
        self._box: Array | None = None

    def __call__(self, rgb: Rgb, points: NDArray[np.floating] | None) -> Rgb:
        """(512, 512, 3) of a frame (H, W, 3) and its points (133, 3), None where nobody is."""
        height, width = rgb.shape[:2]
        if points is not None and points[FACE, 2].mean() > 0.3:
            self._follow(_grown(points))
        box = _middle(width, height) if self._box is None else self._box
        left, right, top, bottom = _in_pixels(box, (width, height))
        if right - left < 2 or bottom - top < 2:  # all of it outside
            left, right, top, bottom = _in_pixels(_middle(width, height), (width, height))
        return np.asarray(cv2.resize(rgb[top:bottom, left:right], (SIDE, SIDE)), np.uint8)

    def _follow(self, box: Array) -> None:
        if self._box is None or self._compat:
            self._box = box
            return
        allowed = LAG * np.repeat([box[1] - box[0], box[3] - box[2]], 2)
        moved = self._box + FOLLOW * (box - self._box)
        self._box = np.clip(moved, box - allowed, box + allowed)


def _grown(points: NDArray[np.floating]) -> Array:
    face = np.asarray(points[FACE, :2], np.float64)
    (left, top), (right, bottom) = face.min(0), face.max(0)
    across, down = (side * (np.sqrt(GROWTH) - 1) / 2 for side in (right - left, bottom - top))
    return np.array([left - across, right + across, top - 1.5 * down, bottom + 0.5 * down])


def _in_pixels(box: Array, size: tuple[int, int]) -> Box:
    width, height = size
    left, right = (int(np.clip(x, 0, width)) for x in box[:2])
    top, bottom = (int(np.clip(y, 0, height)) for y in box[2:])
    return left, right, top, bottom


def _middle(width: int, height: int) -> Array:
    half = 0.15 * min(width, height)
    return np.array([width / 2 - half, width / 2 + half, height / 2 - half, height / 2 + half])

"""Where a face is cut out of a picture for LivePortrait, and how.

A crop is a square that stands upright on the face: its down axis runs from between the eyes to the mouth. Its
matrices keep LivePortrait's convention (the middle of the crop is at size / 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.track.topology import (
    LEFT_BROW,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    OUTER_LIP_BOTTOM,
    OUTER_LIP_TOP,
    RIGHT_BROW,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
)

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions
    from portrayal.track.face import Face

Rgb = NDArray[np.uint8]
Array = NDArray[np.float64]

#: Sides of the crop that is pasted back, and of what the networks see.
CROP, INPUT = 512, 256
#: Side of a source's crop over the face's extent, and how far it is shifted along the face's axes, in sides.
SOURCE_SCALE, SOURCE_SHIFT = 2.3, (0.0, -0.125)
#: The same of a driving's crop.
DRIVING_SCALE, DRIVING_SHIFT = 2.2, (0.0, -0.1)
#: How much larger a face is than the extent of its eyes' centres and its mouth.
_BEYOND_POINTS = 2.4


@dataclass(frozen=True, eq=False)
class Anchors:
    """What a crop is made of. points: (N, 2) its extent; eyes: (2, 2) their centres, that on the picture's
    left first; mouth: (2,) its centre. All in pixels.
    """

    points: Array
    eyes: Array
    mouth: Array

    @classmethod
    def of(cls, points: NDArray[np.floating]) -> Anchors:
        """From the (N, 2) points of a known landmark model: N = 203, 106, 101, 68, 5, or MediaPipe's 478 with
        every point in the extent (as FasterLivePortrait takes them; see :meth:`of_mesh`).

        PortrayalError for any other N.
        """
        parts = _PARTS.get(len(points))
        if parts is None:
            known = ", ".join(str(n) for n in _PARTS)
            raise PortrayalError(f"{len(points)} landmarks are of no known model: use {known}")
        p = np.asarray(points, np.float64)[:, :2]
        left, right, mouth = (p[list(part)].mean(0) for part in parts)
        return cls(p, np.stack([left, right]), mouth)

    @classmethod
    def of_mesh(cls, landmarks: NDArray[np.floating]) -> Anchors:
        """From MediaPipe's (478, 2) or (478, 3) landmarks, with the extent of the 106 or 203 points (no
        forehead) and the corners of eyes and mouth, which a look aside or an open mouth does not move.
        """
        p = np.asarray(landmarks, np.float64)[:, :2]
        eyes = np.stack([p[[33, 133]].mean(0), p[[263, 362]].mean(0)])
        return cls(p[list(_MESH_EXTENT)], eyes, p[[61, 291]].mean(0))


#: Left eye, right eye (of the picture), mouth, by number of landmarks.
_PARTS: dict[int, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    203: ((0, 6, 12, 18), (24, 30, 36, 42), (48, 66)),
    106: ((33, 35, 40, 39), (87, 89, 94, 93), (52, 61)),
    101: ((39, 42, 45, 48), (51, 54, 57, 60), (75, 81)),
    68: ((36, 39), (42, 45), (48, 54)),
    5: ((0,), (1,), (3, 4)),
    478: ((468,), (473,), (14,)),
}  # fmt: skip
_OUTLINE = (
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323,
    454, 356,
)  # fmt: skip
_NOSE = (1, 2, 4, 5, 6, 195, 197, 98, 327, 48, 278)
_MESH_EXTENT = (
    *_OUTLINE, *_NOSE, *RIGHT_BROW, *LEFT_BROW, *OUTER_LIP_TOP, *OUTER_LIP_BOTTOM,
    *RIGHT_EYE_TOP, *RIGHT_EYE_BOTTOM, *LEFT_EYE_TOP, *LEFT_EYE_BOTTOM,
)  # fmt: skip


@dataclass(frozen=True)
class Square:
    """A square in a picture. centre: (x, y) and side in pixels; angle: radians, clockwise on the screen."""

    centre: tuple[float, float]
    side: float
    angle: float = 0.0

    @classmethod
    def around(
        cls, face: Anchors, scale: float = SOURCE_SCALE, shift: tuple[float, float] = SOURCE_SHIFT
    ) -> Square:
        """The square that stands upright on a face.

        scale: side over the extent of the points along the face's axes. shift: of the centre along these
        axes, right and down, in sides.
        """
        down = face.mouth - face.eyes.mean(0)
        length = float(np.linalg.norm(down))
        down = np.array([0.0, 1.0]) if length <= 1e-3 else down / length
        axes = np.array([[down[1], -down[0]], down])
        middle = face.points.mean(0)
        along = (face.points - middle) @ axes.T
        low, high = along.min(0), along.max(0)
        side = float((high - low).max()) * scale
        centre = middle + ((low + high) / 2 + np.array(shift) * side) @ axes
        angle = math.acos(min(max(float(axes[0, 0]), -1.0), 1.0))
        x, y = (float(c) for c in centre)
        return cls((x, y), side, -angle if axes[0, 1] < 0 else angle)

    @classmethod
    def within(cls, box: tuple[float, float, float, float], factor: float, size: tuple[int, int]) -> Square:
        """The square around a box (left, top, right, bottom), `factor` times its longer side, shifted into a
        picture of size (width, height) and no larger than that; whole pixels, upright.
        """
        left, top, right, bottom = box
        width, height = size
        side = min(int(max(right - left, bottom - top) * factor), width, height)
        x = min(max(int((left + right) / 2 - side / 2), 0), width - side)
        y = min(max(int((top + bottom) / 2 - side / 2), 0), height - side)
        return cls((x + side / 2, y + side / 2), side)

    @property
    def upright(self) -> Square:
        """The same square without rotation."""
        return replace(self, angle=0.0)

    def matrix(self, size: int) -> Array:
        """(3, 3) from picture to crop coordinates, for a crop of `size` pixels."""
        scale, (x, y) = size / self.side, self.centre
        cos, sin = scale * math.cos(self.angle), scale * math.sin(self.angle)
        half = size / 2
        return np.array(
            [[cos, sin, half - cos * x - sin * y], [-sin, cos, half + sin * x - cos * y], [0, 0, 1]],
            np.float64,
        )

    def cut(self, rgb: Rgb, size: int = CROP) -> Rgb:
        """The square as a picture (size, size, 3), black beyond the edges."""
        matrix = self.matrix(size)[:2].astype(np.float32)
        return np.asarray(cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def portrait_square(options: LivePortraitOptions, face: Face | None, size: tuple[int, int]) -> Square:
    """Where a portrait of `size` (width, height) is cropped: by the points or box given, else by its face,
    else the largest square in its middle."""
    scale, shift = options.source_scale, (options.source_x, options.source_y)
    if options.points is not None:
        three = np.array([float(v) for v in options.points.split(",")]).reshape(3, 2)
        return Square.around(Anchors(three, three[:2], three[2]), scale * _BEYOND_POINTS, shift)
    if options.box is not None:
        left, top, right, bottom = (float(v) for v in options.box.split(","))
        side = scale * max(right - left, bottom - top)
        return Square(((left + right) / 2 + shift[0] * side, (top + bottom) / 2 + shift[1] * side), side)
    if face is not None and not options.animal:
        return Square.around(Anchors.of_mesh(face.landmarks), scale, shift)
    return Square((size[0] / 2, size[1] / 2), min(size))


def mean_square(squares: list[Square]) -> Square:
    """One upright square for all of a video's: the mean of their edges."""
    edges = [(s.centre[0], s.centre[1], s.side) for s in squares]
    x, y, side = (float(v) for v in np.mean(edges, 0))
    return Square((x, y), side)


def source_input(crop: Rgb) -> Rgb:
    """A source's crop (512, 512, 3) as the networks see it (256, 256, 3)."""
    return np.asarray(cv2.resize(crop, (INPUT, INPUT), interpolation=cv2.INTER_AREA), np.uint8)


def driving_input(picture: Rgb) -> Rgb:
    """A driving frame or its crop as the motion extractor sees it (256, 256, 3), the aspect ratio lost."""
    return np.asarray(cv2.resize(picture, (INPUT, INPUT), interpolation=cv2.INTER_LINEAR), np.uint8)


def limited_size(height: int, width: int, longest: int = 1280, division: int = 2) -> tuple[int, int]:
    """(height, width) that LivePortrait works at: at most `longest`, then cut to multiples of `division`."""
    if longest > 0 and max(height, width) > longest:
        if height > width:
            height, width = longest, int(width * (longest / height))
        else:
            height, width = int(height * (longest / width)), longest
    return height - height % division, width - width % division

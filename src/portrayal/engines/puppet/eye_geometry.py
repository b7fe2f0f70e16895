"""Where the rings of skin around an eye and the edges of its lids are, and how the picture moves with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.opening import catmull_rom
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import RIGHT_EYE_BOTTOM, RIGHT_EYE_TOP, RIGHT_IRIS, mirror

Array = NDArray[np.float32]
Side = Literal["right", "left"]
Box = tuple[int, int, int, int]

#: From the brow's foot down to the cheek's rim, each from the picture's left to its right.
_RIGHT_LOOPS = (
    (226, 113, 225, 224, 223, 222, 221, 189, 244),
    (130, 247, 30, 29, 27, 28, 56, 190, 243),
    RIGHT_EYE_TOP,
    RIGHT_EYE_BOTTOM,
    (130, 25, 110, 24, 23, 22, 26, 112, 243),
    (226, 31, 228, 229, 230, 231, 232, 233, 244),
)
BRIDGE = (9, 8, 168, 6, 197, 195)
#: Rows of a :class:`Region`.
OUTER_TOP, CREASE, LASH_TOP, TOP, BOTTOM, LASH_BOTTOM, RIM, OUTER_BOTTOM = range(8)
_SPLINE = catmull_rom(9, 8)
_COLUMNS = 512
#: Height of the strip along each lid's edge (lashes, rim) that moves as one, in eye distances.
STRIP_TOP, STRIP_BOTTOM = 0.03, 0.022
#: A tracked blink that closes an eye to this share of its opening at rest closes it entirely.
NEARLY_SHUT = 0.14
#: How far the line where closed lids meet is the arc nearest to the lower lid's edge.
LEVELLED = 0.75
#: The least opening (mean, eye distances) that others are measured against.
_LEAST_GAP = 0.05


@cache
def loops(side: Side) -> NDArray[np.int32]:
    """(6, 9) landmarks of the rings above, lid edges, rings below."""
    right = np.array(_RIGHT_LOOPS, np.int32)
    return right if side == "right" else mirror()[right][:, ::-1]


@cache
def iris_points(side: Side) -> NDArray[np.int32]:
    """(5,) landmarks of the iris, its centre first."""
    right = np.array(RIGHT_IRIS, np.int32)
    return right if side == "right" else mirror()[right]


@dataclass(frozen=True)
class Frame:
    """Eye coordinates: x along the corners towards the picture's right eye corner, y down, in eye distances.

    origin: (2,) pixels, between the corners. axis: (2,) unit vector of x in the picture. scale: pixels.
    """

    origin: Array
    axis: Array
    scale: float

    @classmethod
    def of(cls, points: Array, scale: float, side: Side) -> Frame:
        first, last = points[loops(side)[TOP - 1, [0, -1]], :2]
        across = last - first
        return cls((first + last) / 2, across / max(float(np.hypot(*across)), 1e-3), scale)

    def into(self, points: Array) -> Array:
        """(..., 2) pixels to eye coordinates."""
        x, y = self.axis
        return ((points - self.origin) @ np.array([[x, -y], [y, x]], np.float32) / self.scale).astype(np.float32)

    def out(self, points: Array) -> Array:
        """(..., 2) eye coordinates to pixels."""
        x, y = self.axis
        return (self.scale * points @ np.array([[x, y], [-y, x]], np.float32) + self.origin).astype(np.float32)

    def grid(self, box: Box) -> tuple[Array, Array]:
        """x and y of each pixel of a box (left, top, right, bottom)."""
        across = (np.arange(box[0], box[2], dtype=np.float32) - self.origin[0])[None, :] / self.scale
        down = (np.arange(box[1], box[3], dtype=np.float32) - self.origin[1])[:, None] / self.scale
        return self.axis[0] * across + self.axis[1] * down, self.axis[0] * down - self.axis[1] * across


class Lids(NamedTuple):
    """The six loops as dense curves, (6, K, 2), in eye coordinates, and how open the eye is: 1 as in the
    portrait, 0 shut."""

    curves: Array
    openness: float


#: What to add to the landmarks' curves of the upper and lower lid, (2, K, 2) eye coordinates.
NO_OFFSETS = np.zeros((2, len(_SPLINE), 2), np.float32)


def curves_of(points: Array, frame: Frame, side: Side) -> Array:
    """(6, K, 2) the loops in eye coordinates."""
    return np.asarray(_SPLINE @ frame.into(points[loops(side), :2]), np.float32)


class Anatomy:
    """The lids of one eye of one portrait, at rest and moved."""

    def __init__(self, face: Face, side: Side) -> None:
        self.side: Side = side
        self.frame = Frame.of(face.landmarks, face.pose.scale, side)
        self._own = curves_of(face.landmarks, self.frame, side)
        self._gap = _mean_gap(self._own)
        self.offsets = NO_OFFSETS

    @property
    def rest(self) -> Lids:
        return Lids(self._with_offsets(self._own.copy(), 1.0), 1.0)

    def moved(self, target: Target) -> tuple[Frame, Lids]:
        points, pose = target.points, target.pose
        frame = Frame.of(points, pose.scale, self.side)
        curves = curves_of(points, frame, self.side)
        reference = max(self._gap, _LEAST_GAP)
        open_now = max(1 + (_mean_gap(curves) - self._gap) / reference, 0.0)
        curves = self._with_offsets(curves, min(open_now, 1.0))
        openness = open_now if open_now > 1 else max(0.0, (open_now - NEARLY_SHUT) / (1 - NEARLY_SHUT))
        top, bottom = curves[TOP - 1, :, 1], curves[BOTTOM - 1, :, 1]
        gap = np.maximum(bottom - top, 0)
        top[:] = bottom - (gap * (openness / open_now) if 0 < open_now < 1 else gap * (open_now > 0))
        self._level(curves, 1 - min(openness, 1.0))
        return frame, Lids(curves, openness)

    @staticmethod
    def _level(curves: Array, closed: float) -> None:
        """Closing lids meet in a flat arc; the corners are drawn down a little."""
        x, y = curves[BOTTOM - 1].T
        arc = np.polyval(np.polyfit(x, y, 2), x)
        curves[[TOP - 1, BOTTOM - 1], :, 1] += LEVELLED * closed * (arc - y)

    def _with_offsets(self, curves: Array, share: float) -> Array:
        offsets = self.offsets.copy()
        offsets[..., 1] *= share
        curves[[TOP - 1, BOTTOM - 1]] += offsets
        return curves


def _mean_gap(curves: Array) -> float:
    return float((curves[BOTTOM - 1, :, 1] - curves[TOP - 1, :, 1]).mean())


class Region(NamedTuple):
    """The rows around an eye, sampled at the same columns.

    start, step: eye coordinate x of the first column and between columns. y: (8, N) where each row is now;
    source: (8, N, 2) where it is in the portrait, each in its own eye coordinates.
    """

    start: float
    step: float
    y: Array
    source: Array

    def column(self, x: Array) -> NDArray[np.intp]:
        return np.clip(np.rint((x - self.start) / self.step), 0, self.y.shape[1] - 1).astype(np.intp)


def region(rest: Array, now: Array, closed: float, inset: float) -> Region:
    """Rows of the portrait, (6, K, 2) curves `rest`, against where they are `now`.

    closed: 0-1; by so much of `inset` (eye distances) the lids' edges are taken from further outside, where
    no white of the eye is mixed into them.
    """
    xs, own = (_extended(c) for c in (now, rest))
    left, right = float(now[0, 0, 0]), float(now[0, -1, 0])
    columns = np.linspace(left, max(right, left + 1e-3), _COLUMNS, dtype=np.float32)
    y = np.empty((6, _COLUMNS), np.float32)
    source = np.empty((6, _COLUMNS, 2), np.float32)
    for row, (there, here) in enumerate(zip(xs, own, strict=True)):
        along = np.maximum.accumulate(there[:, 0]) + np.arange(len(there)) * np.float32(1e-6)
        y[row] = np.interp(columns, along, there[:, 1])
        source[row, :, 0] = np.interp(columns, along, here[:, 0])
        source[row, :, 1] = np.interp(columns, along, here[:, 1])
    y, source[..., 1] = _ordered(y), _ordered(source[..., 1])
    strips = [np.minimum(limit, 0.6 * np.abs(source[a, :, 1] - source[b, :, 1])) for limit, a, b in
              ((STRIP_TOP, 1, 2), (STRIP_BOTTOM, 3, 4))]
    here = [np.minimum(s, 0.85 * np.abs(y[a] - y[b])) for s, a, b in zip(strips, (1, 3), (2, 4), strict=True)]
    rows = np.stack([y[0], y[1], y[2] - here[0], y[2], y[3], y[3] + here[1], y[4], y[5]])
    top, bottom = source[2].copy(), source[3].copy()
    top[:, 1] -= closed * np.minimum(inset, 0.5 * strips[0])
    bottom[:, 1] += closed * np.minimum(inset, 0.5 * strips[1])
    down = np.stack([np.zeros_like(columns), np.ones_like(columns)], 1)
    strip_top, strip_bottom = source[2] - strips[0][:, None] * down, source[3] + strips[1][:, None] * down
    own_rows = np.stack([source[0], source[1], strip_top, top, bottom, strip_bottom, source[4], source[5]])
    return Region(left, float(columns[1] - columns[0]), rows, own_rows)


def _extended(curves: Array) -> list[Array]:
    """Each curve from the outermost loop's first to its last point: all share the ends."""
    first, last = curves[0, 0], curves[0, -1]
    inner, outer = curves[1, 0], curves[1, -1]
    rings = [np.concatenate([[first], c, [last]]) for c in curves]
    for row in (TOP - 1, BOTTOM - 1):
        rings[row] = np.concatenate([[first, inner], curves[row], [outer, last]])
    return rings


def _ordered(y: Array) -> Array:
    """Rows, from the lid edges outwards, never on the wrong side of the next."""
    y = y.copy()
    y[2] = np.minimum(y[2], y[3])
    for row in (1, 0):
        y[row] = np.minimum(y[row], y[row + 1])
    for row in (4, 5):
        y[row] = np.maximum(y[row], y[row - 1])
    return y


def rigid_map(source: HeadPose, target: HeadPose, plane: Array) -> Array:
    """(2, 3) affine map from the portrait's pixels to now's of what is fixed to the skull near a plane through
    three (3, 3) head-space points."""
    here, there = source.to_picture(plane)[:, :2], target.to_picture(plane)[:, :2]
    matrix = np.column_stack([here, np.ones(3)])
    return np.asarray(np.linalg.solve(matrix, there).T, np.float32)

"""Where the lids of an eye and the rings of skin around it are, and how the picture moves with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.opening import catmull_rom
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
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
_COLUMNS = 320
#: Height of the strip along each lid's edge (lashes, rim) that moves as one, in eye distances.
STRIP_TOP, STRIP_BOTTOM = 0.03, 0.022
#: The rings next to the lids are at least so far from them.
LEAST_SKIN = 0.04
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
        return ((points - self.origin) @ np.array([[x, -y], [y, x]], np.float32) / self.scale).astype(
            np.float32
        )

    def out(self, points: Array) -> Array:
        """(..., 2) eye coordinates to pixels."""
        x, y = self.axis
        return (self.scale * points @ np.array([[x, y], [-y, x]], np.float32) + self.origin).astype(
            np.float32
        )

    def pixels(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Eye coordinates x and y to pixels'."""
        along, down = self.axis * np.float32(self.scale)
        return along * x - down * y + self.origin[0], down * x + along * y + self.origin[1]

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
        y = curves[BOTTOM - 1, :, 1]
        curves[[TOP - 1, BOTTOM - 1], :, 1] += LEVELLED * closed * (_arc() @ y - y)

    def _with_offsets(self, curves: Array, share: float) -> Array:
        offsets = self.offsets.copy()
        offsets[..., 1] *= share
        curves[[TOP - 1, BOTTOM - 1]] += offsets
        return curves


def _mean_gap(curves: Array) -> float:
    return float((curves[BOTTOM - 1, :, 1] - curves[TOP - 1, :, 1]).mean())


@cache
def _arc() -> Array:
    """(K, K) the parabola nearest to a curve's K values."""
    powers = np.vander(np.linspace(-1, 1, len(_SPLINE)), 3)
    return np.asarray(powers @ np.linalg.pinv(powers), np.float32)


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

    def trace(
        self, x: Array, y: Array, column: NDArray[np.intp], at: Array, used: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Where pixels at eye coordinates x, y come from in the portrait's: between the rows `used`, in
        proportion. column: of the pixels; at: (8, h, w) the rows there."""
        table = self.source[list(used)].transpose(0, 2, 1)
        shift = self.start + self.step * np.arange(self.y.shape[1])
        from_x = x + (table[0, 0] - shift).astype(np.float32).take(column)
        from_y = table[0, 1].take(column)
        for k, (a, b) in enumerate(pairwise(used)):
            share = np.clip((y - at[a]) / np.maximum(at[b] - at[a], 1e-5), 0, 1)
            step_x, step_y = table[k + 1] - table[k]
            from_x += share * step_x.take(column)
            from_y += share * step_y.take(column)
        from_y += np.minimum(y - at[used[0]], 0) + np.maximum(y - at[used[-1]], 0)
        return from_x, from_y


def region(rest: Array, now: Array, closed: float, inset: float) -> Region:
    """Rows of the portrait, (6, K, 2) curves `rest`, against where they are `now`.

    closed: 0-1; by so much of `inset` (eye distances) the lids' edges are taken from further outside, where
    no white of the eye is mixed into them.
    """
    left, right = float(now[0, 0, 0]), float(now[0, -1, 0])
    columns = np.linspace(left, max(right, left + 1e-3), _COLUMNS, dtype=np.float32)
    y, source = _sampled(columns, rest, now)
    y, source[..., 1] = _ordered(y), _ordered(source[..., 1])
    _make_room(columns, y, source)
    y, source[..., 1] = _ordered(y), _ordered(source[..., 1])
    heights = source[..., 1]
    above = np.minimum(STRIP_TOP, 0.6 * (heights[2] - heights[1]))
    below = np.minimum(STRIP_BOTTOM, 0.6 * (heights[4] - heights[3]))
    lash_top = y[2] - np.minimum(above, 0.85 * (y[2] - y[1]))
    lash_bottom = y[3] + np.minimum(below, 0.85 * (y[4] - y[3]))
    rows = np.stack([y[0], y[1], lash_top, y[2], y[3], lash_bottom, y[4], y[5]])
    own = source[[0, 1, 2, 2, 3, 3, 4, 5]]
    own[LASH_TOP, :, 1] -= above
    own[TOP, :, 1] -= closed * np.minimum(inset, 0.5 * above)
    own[BOTTOM, :, 1] += closed * np.minimum(inset, 0.5 * below)
    own[LASH_BOTTOM, :, 1] += below
    return Region(left, float(columns[1] - columns[0]), rows, own)


def _sampled(columns: Array, rest: Array, now: Array) -> tuple[Array, Array]:
    """(6, N) y of the curves `now` at each column and (6, N, 2) where those points are at rest."""
    y = np.empty((6, _COLUMNS), np.float32)
    source = np.empty((6, _COLUMNS, 2), np.float32)
    for row, (there, here) in enumerate(zip(_extended(now), _extended(rest), strict=True)):
        along = np.maximum.accumulate(there[:, 0]) + np.arange(len(there)) * np.float32(1e-6)
        y[row] = np.interp(columns, along, there[:, 1])
        for axis in (0, 1):
            source[row, :, axis] = np.interp(columns, along, here[:, axis])
    return y, source


def _make_room(columns: Array, y: Array, source: Array) -> None:
    """Keep the rings off the lids' edges, in place: so much skin is needed between."""
    ends = np.minimum(columns - columns[0], columns[-1] - columns)
    room = LEAST_SKIN * np.clip(ends / 0.07 - 0.3, 0, 1)
    for ring, edge, sign in ((1, 2, -1), (4, 3, 1)):
        lack = sign * np.maximum(room - np.abs(source[ring, :, 1] - source[edge, :, 1]), 0)
        source[ring, :, 1] += lack
        y[ring] += lack


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

"""Texture mapping on the CPU: where in the source does each pixel of the result come from?"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import blocks, knots, repeated
from portrayal.engines.puppet.windows import NONE, Window, around, extent, extent_of, grown, whole, within

Array = NDArray[np.float32]
Indices = NDArray[np.int32]

#: The map is rasterised at about this many pixels along its longer side and interpolated to full size; it is
#: made larger where its folds would be known to more pixels than that: they would be seen as stairs.
MAP_SIZE, COARSEST = 512, 4
#: Triangles lower than this many pixels of the map are kept within their source.
THIN = 2.0
#: A coordinate that is in no picture.
NOWHERE = -1e4


class BackwardMap(NamedTuple):
    """Where each pixel of a result of `size` (height, width) comes from.

    x, y: (h, w) float32, known at knots, one every `step` pixels, and interpolated between. folds: (h, w)
    uint8, 255 along the edges where one part of the mesh hides another: there nothing is interpolated.
    """

    x: Array
    y: Array
    folds: NDArray[np.uint8]
    step: int
    size: tuple[int, int]

    def part(self, window: Window) -> BackwardMap:
        """The map of a window of the result, known at every pixel."""
        if self.step == 1:
            return BackwardMap(self.x[window], self.y[window], self.folds[window], 1, extent(window))
        near, inside = knots(window, self.x.shape, self.step)
        wide = repeated(self.folds[near], self.step)
        x, y = (_widened(values[near], wide)[inside] for values in (self.x, self.y))
        return BackwardMap(x, y, wide[inside], 1, extent(window))

    def knots_on(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(h, w) what a mask of the source, which has these knots too, says where each knot comes from."""
        centre, scale = np.float32((self.step - 1) / 2), np.float32(1 / self.step)
        x, y = (self.x, self.y) if self.step == 1 else ((v - centre) * scale for v in (self.x, self.y))
        return np.asarray(cv2.remap(mask, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def is_set(self, values: NDArray[np.uint8], window: Window) -> bool:
        """Whether any of the (h, w) values of the knots about a window of the result is set."""
        return bool(values[knots(window, self.x.shape, self.step)[0]].any())

    def is_folded(self, window: Window) -> bool:
        """Whether there may be folds in a window of the result."""
        return self.is_set(self.folds, window)


def sample(
    picture: NDArray[np.uint8], where: BackwardMap, window: Window, fine: Window | None = None
) -> NDArray[np.uint8]:
    """What a window of the warped picture shows; edges that the warp itself makes are softened. In the window
    `fine` it is resampled by cubic splines, six times as dear as linearly and sharper."""
    wide = grown(window, where.step, where.size) if where.is_folded(window) else window
    part = where.part(wide)
    warped = _resampled(picture, part, within(fine or NONE, wide))
    if part.folds.any():
        cv2.copyTo(cv2.GaussianBlur(warped, (2 * where.step + 1,) * 2, 0), part.folds, warped)
    return warped[within(window, wide)]


def _resampled(picture: NDArray[np.uint8], where: BackwardMap, fine: Window) -> NDArray[np.uint8]:
    edge = cv2.BORDER_REPLICATE
    if extent(fine) == where.size:
        return np.asarray(cv2.remap(picture, where.x, where.y, cv2.INTER_CUBIC, borderMode=edge), np.uint8)
    warped = np.asarray(cv2.remap(picture, where.x, where.y, cv2.INTER_LINEAR, borderMode=edge), np.uint8)
    if all(extent(fine)):
        warped[fine] = cv2.remap(picture, where.x[fine], where.y[fine], cv2.INTER_CUBIC, borderMode=edge)
    return warped


class MeshWarp:
    """Rasterises a moving triangle mesh.

    triangles: (T, 3); the result has `size` (height, width). Triangles are painted from back to front, so
    what turns away disappears behind what comes near. level: (T,) those of a higher one lie behind all of a
    lower one.
    """

    def __init__(self, triangles: Indices, size: tuple[int, int], level: Indices | None = None) -> None:
        self._triangles = triangles
        self._level = np.zeros(len(triangles), np.int32) if level is None else level
        self._size = size
        self._step = int(np.clip(round(max(size) / MAP_SIZE), 1, COARSEST))
        rows, columns = (-(-n // self._step) for n in size)
        centre = (self._step - 1) / 2
        self._x = (np.arange(columns, dtype=np.float32) * self._step + centre)[None, :]
        self._y = (np.arange(rows, dtype=np.float32) * self._step + centre)[:, None]
        self._owner = np.empty((rows, columns), np.int32)
        self._corners = np.empty((0, 3, 3), np.float32)
        self._thin = np.empty(0, bool)

    def place(self, points: Array) -> None:
        """Put the mesh where its (V, 3) vertices now are: pixels, z away from the viewer."""
        self._corners = points[self._triangles]
        self._thin = np.append(_height(self._corners) < THIN * self._step, False)
        owner, step = self._owner, self._step
        owner.fill(len(self._triangles))
        in_map = (self._corners[:, :, :2] - (step - 1) / 2) / step
        grid = np.round(in_map * 16).astype(np.int32)  # fillConvexPoly takes 1/16 pixels
        for index in np.lexsort((-self._corners[:, :, 2].sum(1), -self._level)).tolist():
            cv2.fillConvexPoly(owner, grid[index], index, cv2.LINE_8, 4)

    def back_to(self, source: Array) -> BackwardMap:
        """The map from the placed mesh to a picture in which its vertices are at `source`, (V, 2) or (V, 3).

        Pixels outside the mesh map onto themselves.
        """
        own = np.array([1, 0, 0, 0, 1, 0], np.float32)
        return self._mapped(source[self._triangles, :2], own, whole(self._owner.shape))

    def back_to_part(self, source: Array, window: Window | None = None) -> BackwardMap:
        """As :meth:`back_to`, for a picture that has only the first vertices of the mesh: `source` (S, 2).

        Pixels that no triangle of these covers map to nowhere, far to the left. window: the part of the
        result that is mapped, as :meth:`on_knots` gives it; all of it unless given.
        """
        known = (self._triangles < len(source)).all(1)[:, None, None]
        corners = np.where(known, source[np.minimum(self._triangles, len(source) - 1), :2], NOWHERE)
        near = whole(self._owner.shape) if window is None else self._knots_in(window)
        return self._mapped(corners, np.array([0, 0, NOWHERE, 0, 0, NOWHERE], np.float32), near)

    def on_knots(self, window: Window) -> Window:
        """A window of the result, made larger to whole squares of knots and by one of these."""
        return self._squares(grown(self._knots_in(window), 1, extent_of(self._owner)))

    def knots_near(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """(h, w) 1 at the knots within a few of which a (height, width) mask is set."""
        near = blocks(mask, self._step).any((1, 3)).astype(np.uint8)
        return np.asarray(cv2.dilate(near, np.ones((7, 7), np.uint8)), np.uint8)

    def per_triangle(self, values: Array, window: Window | None = None) -> Array:
        """Paint a value over each of the first placed triangles, 0 elsewhere, in a window of the result (all
        of it unless given)."""
        of = np.zeros(len(self._triangles) + 1, np.float32)
        of[: len(values)] = values
        near, inside = knots(window or whole(self._size), self._owner.shape, self._step)
        return np.asarray(repeated(of[self._owner[near]], self._step)[inside], np.float32)

    def per_vertex(self, values: Array) -> Array:
        """Spread a (V,) value of 0 or more over the placed mesh, 0 elsewhere: (height, width)."""
        spread = self.back_to_part(np.column_stack([values, values]))
        return np.maximum(spread.part(whole(self._size)).x, 0)

    def _knots_in(self, window: Window) -> Window:
        """The knots whose squares a window of the result touches."""
        rows, columns = (slice(span.start // self._step, -(-span.stop // self._step)) for span in window)
        return rows, columns

    def _squares(self, near: Window) -> Window:
        """The window of the result that the squares of a window of knots make up."""
        rows, columns = (
            slice(span.start * self._step, min(span.stop * self._step, n))
            for span, n in zip(near, self._size, strict=True)
        )
        return rows, columns

    def _mapped(self, corners: Array, elsewhere: Array, near: Window) -> BackwardMap:
        """Map each of a window of knots from its triangle onto the (T, 3, 2) `corners`, or by the six numbers
        `elsewhere`."""
        corners = corners.astype(np.float32)
        maps = np.column_stack([_affine(self._corners[:, :, :2], corners), elsewhere])
        owner = self._owner[near].astype(np.intp)
        x, y = (self._linear(maps[rows], owner, near) for rows in (slice(0, 3), slice(3, 6)))
        self._confine(x, y, corners, near)
        return BackwardMap(x, y, _folds(x, y, self._step), self._step, extent(self._squares(near)))

    def _linear(self, rows: Array, owner: NDArray[np.intp], near: Window) -> Array:
        """(h, w) a * x + b * y + c at each of a window of knots, with the (3, T) a, b and c of its owner."""
        across, down, total = (row.take(owner, mode="clip") for row in rows)
        across *= self._x[:, near[1]]
        down *= self._y[near[0]]
        across += down
        total += across
        return np.asarray(total, np.float32)

    def _confine(self, x: Array, y: Array, corners: Array, near: Window) -> None:
        """Keep what thin triangles paint within their source, in place: read a pixel beside such a triangle,
        as its painted edge is, its steep map points anywhere."""
        if not self._thin.any():
            return
        thin = self._corners[self._thin[:-1]].reshape(-1, 3)
        at = (thin[:, :2] + 0.5) / self._step - 0.5 - (near[1].start, near[0].start)
        window = grown(around(at.astype(np.float32), x.shape), 1, extent_of(x))
        owner = self._owner[near][window]
        rows, columns = np.nonzero(self._thin.take(owner))
        sources = corners[owner[rows, columns]]
        low, high = sources.min(1), sources.max(1)
        for values, axis in ((x[window], 0), (y[window], 1)):
            values[rows, columns] = np.clip(values[rows, columns], low[:, axis], high[:, axis])


def _widened(values: Array, folds: NDArray[np.uint8]) -> Array:
    """Interpolate to the size of `folds`; where these are set, repeat the nearest value instead."""
    size = folds.shape[::-1]
    smooth = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(cv2.resize(values, size, interpolation=cv2.INTER_NEAREST), folds, smooth)
    return np.asarray(smooth, np.float32)


def _folds(x: Array, y: Array, step: int) -> NDArray[np.uint8]:
    """255 where neighbouring pixels come from places far apart."""
    folds = np.zeros(x.shape, bool)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        far = cv2.add(cv2.absdiff(x[one], x[other]), cv2.absdiff(y[one], y[other])) > 6.0 * step
        folds[one] |= far
        folds[other] |= far
    return folds * np.uint8(255)


def _height(corners: Array) -> Array:
    """(T,) the smallest height of each triangle, pixels."""
    u, v = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    longest = np.sqrt(np.maximum.reduce([(u**2).sum(1), (v**2).sum(1), ((u - v) ** 2).sum(1)]))
    return np.asarray(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / np.maximum(longest, 1e-6), np.float32)


def _affine(target: Array, source: Array) -> Array:
    """(6, T) coefficients that take each (T, 3, 2) target triangle onto its source."""
    a, b, c = target[:, 0], target[:, 1], target[:, 2]
    u, v = b - a, c - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    area = np.where(np.abs(area) < 1e-3, np.copysign(1e-3, area), area)[:, None]
    p, q = source[:, 1] - source[:, 0], source[:, 2] - source[:, 0]
    by_x = (p * v[:, 1:] - q * u[:, 1:]) / area
    by_y = (q * u[:, :1] - p * v[:, :1]) / area
    constant = source[:, 0] - by_x * a[:, :1] - by_y * a[:, 1:]
    rows = [by_x[:, 0], by_y[:, 0], constant[:, 0], by_x[:, 1], by_y[:, 1], constant[:, 1]]
    return np.stack(rows).astype(np.float32)

"""Texture mapping on the CPU: where in the source does each pixel of the result come from?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int32]

#: The map is rasterised at about this many pixels along its longer side and interpolated to full size.
MAP_SIZE = 320


class MeshWarp:
    """Backward map of a moving triangle mesh.

    triangles: (T, 3); rest: (V, 2) or (V, 3) pixels of the source; the result has `size` (height, width).
    Triangles are painted from back to front, so what turns away disappears behind what comes near.
    """

    def __init__(self, triangles: Indices, rest: Array, size: tuple[int, int]) -> None:
        self._triangles = triangles
        self._source = rest[triangles, :2].astype(np.float32)  # (T, 3, 2)
        self._size = size
        self._step = max(1, round(max(size) / MAP_SIZE))
        rows, columns = (-(-n // self._step) for n in size)
        centre = (self._step - 1) / 2
        self._x = (np.arange(columns, dtype=np.float32) * self._step + centre)[None, :]
        self._y = (np.arange(rows, dtype=np.float32) * self._step + centre)[:, None]
        self._owner = np.empty((rows, columns), np.int32)

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """(V, 3) pixels, z away from the viewer → two float32 (height, width) maps for cv2.remap."""
        corners = points[self._triangles]
        self._paint(corners)
        maps = _affine(corners[:, :, :2], self._source)[self._owner]
        x = maps[..., 0] * self._x + maps[..., 1] * self._y + maps[..., 2]
        y = maps[..., 3] * self._x + maps[..., 4] * self._y + maps[..., 5]
        return self._full(x), self._full(y)

    def _paint(self, corners: Array) -> None:
        """Write into `_owner` which triangle covers each pixel of the map; the last row of maps is nobody's."""
        owner, step = self._owner, self._step
        owner.fill(len(corners))
        grid = np.round((corners[:, :, :2] - (step - 1) / 2) * (16 / step)).astype(np.int32)  # 1/16 pixel
        for index in np.argsort(-corners[:, :, 2].sum(1), kind="stable").tolist():
            cv2.fillConvexPoly(owner, grid[index], index, cv2.LINE_8, 4)

    def _full(self, values: Array) -> Array:
        if self._step == 1:
            return values
        rows, columns = (n * self._step for n in values.shape)
        wide = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(wide[: self._size[0], : self._size[1]])


def _affine(target: Array, source: Array) -> Array:
    """(T + 1, 6) coefficients that take each target triangle onto its source; the last is the identity."""
    a, b, c = target[:, 0], target[:, 1], target[:, 2]
    u, v = b - a, c - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    area = np.where(np.abs(area) < 1e-3, np.where(area < 0, -1e-3, 1e-3), area)[:, None]
    p, q = source[:, 1] - source[:, 0], source[:, 2] - source[:, 0]
    by_x = (p * v[:, 1:] - q * u[:, 1:]) / area
    by_y = (q * u[:, :1] - p * v[:, :1]) / area
    constant = source[:, 0] - by_x * a[:, :1] - by_y * a[:, 1:]
    rows = np.stack([by_x[:, 0], by_y[:, 0], constant[:, 0], by_x[:, 1], by_y[:, 1], constant[:, 1]], 1)
    return np.concatenate([rows, [[1, 0, 0, 0, 1, 0]]]).astype(np.float32)

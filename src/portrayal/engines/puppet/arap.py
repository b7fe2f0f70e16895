"""A mesh that keeps its shape as well as it can while some of its vertices are moved.

As-rigid-as-possible deformation (Sorkine & Alexa 2007, "As-Rigid-As-Possible Surface Modeling"): in turn
every vertex finds the rotation that carries its edges best, and all positions are solved for given the
rotations. The matrix of the second step depends on the mesh at rest alone and is factorised once. Points are
complex numbers here, x + iy: a rotation is a factor of length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Complex = NDArray[np.complex128]
Indices = NDArray[np.int32]

#: How much more than an edge a handle weighs: it is followed, but does not dent the mesh.
PULL = 4.0
#: What holds parts that no handle reaches where they are.
HOLD = 1e-4
#: Rounds of the two steps for a frame; they start near the answer.
ROUNDS = 5


@dataclass(frozen=True)
class Grid:
    """Triangles over a mask. points: (V, 2) pixels; triangles: (T, 3)."""

    points: Array
    triangles: Indices

    @classmethod
    def over(cls, mask: NDArray[np.bool_], step: int) -> Grid:
        """Squares of `step` pixels, cut in two, wherever a (H, W) mask is set, and half a square around."""
        height, width = mask.shape
        rows, columns = -(-height // step), -(-width // step)
        near = cv2.dilate(mask.astype(np.uint8), np.ones((step | 1, step | 1), np.uint8))
        padded = np.zeros((rows * step, columns * step), bool)
        padded[:height, :width] = near > 0
        y, x = np.nonzero(padded.reshape(rows, step, columns, step).any((1, 3)))
        corner = y * (columns + 1) + x
        right, below = corner + 1, corner + columns + 1
        tilted = (x + y) % 2 == 1  # diagonals alternate, so that no direction is stiffer
        across = np.where(tilted, below, corner), np.where(tilted, right, below + 1)
        first = np.stack([across[0], np.where(tilted, corner, right), across[1]], 1)
        second = np.stack([across[0], across[1], np.where(tilted, below + 1, below)], 1)
        used, triangles = np.unique(np.concatenate([first, second]), return_inverse=True)
        points = np.column_stack([used % (columns + 1), used // (columns + 1)]) * step - 0.5
        return cls(points.astype(np.float32), triangles.reshape(-1, 3).astype(np.int32))


class Shape:
    """A :class:`Grid` with handles. handles: (K,) which vertices; weights: how firmly each is held."""

    def __init__(self, grid: Grid, handles: NDArray[np.intp], weights: Array | float = 1.0) -> None:
        self.rest = _complex(grid.points)
        self.handles = handles
        corners = grid.triangles
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        pairs, counts = np.unique(np.sort(pairs, 1), axis=0, return_counts=True)
        self._start, self._end = pairs.T
        self._edge = self.rest[self._end] - self.rest[self._start]
        # Cotangents of a square cut in two: sides 1, 1/2 at a border, diagonals 0; a trifle of these is kept.
        straight = (self._edge.real == 0) | (self._edge.imag == 0)
        self._weight = np.where(straight, counts / 2, 0.05)
        self._pull = np.zeros(len(self.rest))
        self._pull[handles] = PULL * np.asarray(weights)
        self._solve = self._factorised()

    def moved(self, targets: Complex, start: Complex) -> Complex:
        """(V,) where the vertices are when the handles are drawn to (K,) `targets`; `start` is a guess."""
        wanted = HOLD * self.rest
        wanted[self.handles] += self._pull[self.handles] * targets
        placed = start
        for _ in range(ROUNDS):
            placed = self._positions(self._rotations(placed), wanted)
        return placed

    def _rotations(self, placed: Complex) -> Complex:
        """(V,) the rotation that carries the edges of each vertex from rest to where they are, as factors."""
        turned = self._weight * np.conj(self._edge) * (placed[self._end] - placed[self._start])
        total = _gathered(self._start, turned, len(placed)) + _gathered(self._end, turned, len(placed))
        length = np.abs(total)
        return np.where(length > 1e-9, total / np.maximum(length, 1e-9), 1)

    def _positions(self, rotations: Complex, wanted: Complex) -> Complex:
        pushed = self._weight * self._edge * (rotations[self._start] + rotations[self._end]) / 2
        count = len(rotations)
        total = wanted + _gathered(self._end, pushed, count) - _gathered(self._start, pushed, count)
        both = self._solve(np.column_stack([total.real, total.imag]))
        return np.asarray(both[:, 0] + 1j * both[:, 1])

    def _factorised(self) -> Any:
        from scipy.sparse import coo_matrix
        from scipy.sparse.linalg import splu

        a, b, w, count = self._start, self._end, self._weight, len(self.rest)
        each = np.arange(count)
        rows, columns = np.concatenate([a, b, a, b, each]), np.concatenate([a, b, b, a, each])
        values = np.concatenate([w, w, -w, -w, self._pull + HOLD])
        return splu(coo_matrix((values, (rows, columns)), (count, count)).tocsc()).solve


def _complex(points: Array) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1], np.complex128)


def _gathered(index: NDArray[np.int32], values: Complex, count: int) -> Complex:
    real, imaginary = (np.bincount(index, part, count) for part in (values.real, values.imag))
    return np.asarray(real + 1j * imaginary)

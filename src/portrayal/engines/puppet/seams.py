"""Pieces of a picture put side by side without seams: their changes are kept, not their colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
#: How much a piece's own colours count against those of its neighbours.
OWN = 1e-3


def levelled(
    rgb: Array, seen: Array, choice: NDArray[np.int_], steps: NDArray[np.int_], fixed: Mask
) -> Array:
    """(h, w, 3) what to add to the piece that each pixel of (h, w, 3) `rgb` is given, such that pieces meet
    each other, and the picture around them, without seams.

    choice: (h, w) which of the `steps`, (N, 2) x and y, is chosen; -1 none. seen: (h, w) 1 where pieces may
    come from. fixed: (h, w) where the picture stays and is to be met. Solves for the colours whose changes
    from pixel to pixel are nearest to those of the pieces (Perez et al. 2003, "Poisson image editing",
    equation 4).
    """
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import splu

    filled = choice >= 0
    correction = np.zeros_like(rgb)
    if not filled.any():
        return correction
    number = np.full(choice.shape, -1)
    number[filled] = np.arange(filled.sum())
    pieces, _ = _brought(rgb, seen, choice, steps, (0, 0))
    count = int(filled.sum())
    matrix, wanted = OWN * diags(np.ones(count), format="csc"), OWN * pieces[filled].astype(np.float64)
    for right, down in ((1, 0), (0, 1)):
        first, second = np.s_[: choice.shape[0] - down, : choice.shape[1] - right], np.s_[down:, right:]
        change, known = _changes(rgb, seen, choice, steps, (right, down))
        for one, other, sign in ((first, second, 1), (second, first, -1)):
            inner = filled[one] & filled[other] & known
            outer = filled[one] & fixed[other] & ~filled[other] & known
            here, there = number[one][inner], number[other][inner]
            border = number[one][outer]
            rows, columns = np.concatenate([here, here, border]), np.concatenate([here, there, border])
            values = np.concatenate([np.ones(len(here)), -np.ones(len(here)), np.ones(len(border))])
            matrix = matrix + coo_matrix((values, (rows, columns)), (count, count)).tocsc()
            np.add.at(wanted, here, -sign * change[inner])
            np.add.at(wanted, border, rgb[other][outer] - sign * change[outer])
    correction[filled] = splu(matrix.tocsc()).solve(wanted) - pieces[filled]
    return correction


def _brought(
    rgb: Array, seen: Array, choice: NDArray[np.int_], steps: NDArray[np.int_], further: tuple[int, int]
) -> tuple[Array, Mask]:
    """(h, w, 3) what each pixel's step brings from (x, y) `further` on, and where it is seen there."""
    height, width = choice.shape
    y, x = np.indices(choice.shape)
    moved = steps[np.maximum(choice, 0)]
    x, y = x + moved[..., 0] + further[0], y + moved[..., 1] + further[1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (choice >= 0)
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    return rgb[y, x], inside & (seen[y, x] > 0)


def _changes(
    rgb: Array, seen: Array, choice: NDArray[np.int_], steps: NDArray[np.int_], way: tuple[int, int]
) -> tuple[Array, Mask]:
    """By how much colours change from each pixel to its neighbour that `way`, in the pieces of both, and
    where that is known: (h, w, 3) and (h, w), less a column or row."""
    right, down = way
    first = np.s_[: choice.shape[0] - down, : choice.shape[1] - right]
    second = np.s_[down:, right:]
    total = np.zeros((*choice[first].shape, 3), np.float32)
    weight = np.zeros(choice[first].shape, np.float32)
    for part, (begin, end) in ((first, ((0, 0), way)), (second, ((-right, -down), (0, 0)))):
        (before, there), (after, here) = (_brought(rgb, seen, choice, steps, at) for at in (begin, end))
        both = (there & here)[part]
        total += both[..., None] * (after - before)[part]
        weight += both
    return total / np.maximum(weight, 1)[..., None], weight > 0

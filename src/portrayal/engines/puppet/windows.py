"""Windows: rectangular parts of pictures, as (rows, columns) slices in whole pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]
Size = tuple[int, int]

NONE: Window = (slice(0, 0), slice(0, 0))
#: Side of a tile, pixels: what is done to it stays in a processor's cache.
TILE = 192


def whole(size: tuple[int, ...]) -> Window:
    """All of a picture of `size` (height, width, ...)."""
    return slice(0, size[0]), slice(0, size[1])


def extent(window: Window) -> Size:
    """(height, width) of a window."""
    return window[0].stop - window[0].start, window[1].stop - window[1].start


def extent_of(picture: NDArray[Any]) -> Size:
    """(height, width) of a picture."""
    return picture.shape[0], picture.shape[1]


def around(points: NDArray[np.float32], size: tuple[int, ...]) -> Window:
    """The part of a picture of `size` (height, width), at least a pixel, that holds (N, 2 or more) points."""
    limit = size[1], size[0]
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    left, top = np.clip(low, 0, limit).astype(int).tolist()
    right, bottom = np.clip(high + 1, 0, limit).astype(int).tolist()
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def tiles(window: Window) -> Iterator[Window]:
    """Windows of at most TILE by TILE pixels that together make up the given one."""
    for top in range(window[0].start, window[0].stop, TILE):
        for left in range(window[1].start, window[1].stop, TILE):
            bottom, right = min(top + TILE, window[0].stop), min(left + TILE, window[1].stop)
            yield slice(top, bottom), slice(left, right)


def grown(window: Window, by: int, size: Size) -> Window:
    """A window with a margin, as far as a picture of `size` (height, width) goes."""
    rows, columns = (
        slice(max(span.start - by, 0), min(span.stop + by, n)) for span, n in zip(window, size, strict=True)
    )
    return rows, columns


def within(window: Window, other: Window) -> Window:
    """Where the part of a window that another holds is in that; empty where they do not overlap."""
    spans = []
    for a, b in zip(window, other, strict=True):
        start = max(a.start - b.start, 0)
        spans.append(slice(start, max(min(a.stop, b.stop) - b.start, start)))
    return spans[0], spans[1]

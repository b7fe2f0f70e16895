"""What is smooth is made at a part of its size, and enlarged where it is used."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.windows import Window

Array = NDArray[np.float32]

#: From twice this many pixels along the longer side on, what is smooth is made smaller.
ENOUGH = 1024
#: A blur is made smaller from twice this standard deviation on, pixels.
SHARP = 8.0


def coarseness(size: tuple[int, ...]) -> int:
    """How many pixels, along each side, of a picture of `size` (height, width) one of its smooth parts stands
    for."""
    return max(1, max(size[:2]) // ENOUGH)


def reduced(picture: NDArray[Any], step: int) -> NDArray[Any]:
    """(ceil(H / step), ceil(W / step)) the means of squares of pixels."""
    if step == 1:
        return picture
    height, width = picture.shape[:2]
    padded = cv2.copyMakeBorder(picture, 0, -height % step, 0, -width % step, cv2.BORDER_REPLICATE)
    size = (padded.shape[1] // step, padded.shape[0] // step)
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), picture.dtype)


def blocks(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """(h, step, w, step) a (H, W) mask in squares, with False beyond its edges."""
    padded = np.pad(mask, [(0, -n % step) for n in mask.shape])
    return padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)


def knots(window: Window, shape: tuple[int, ...], step: int) -> tuple[Window, Window]:
    """The knots, of the `shape` that there are, needed for a window of what they are interpolated to, `step`
    times as large; and where the window is in what these alone are interpolated to."""
    spans = []
    for span, count in zip(window, shape[:2], strict=True):
        first = max(span.start // step - 1, 0)
        last = min(-(-span.stop // step) + 1, count)
        spans.append((slice(first, last), slice(span.start - first * step, span.stop - first * step)))
    (rows, inner_rows), (columns, inner_columns) = spans
    return (rows, columns), (inner_rows, inner_columns)


def enlarged(values: Array, step: int, window: Window) -> Array:
    """A window of what (h, w) or (h, w, C) values are when interpolated to `step` times their size."""
    if step == 1:
        return values[window]
    near, inside = knots(window, values.shape, step)
    return np.asarray(_resized(values[near], step, cv2.INTER_LINEAR)[inside], np.float32)


def repeated(values: NDArray[Any], step: int) -> NDArray[Any]:
    """Each value `step` times along both sides."""
    return values if step == 1 else _resized(values, step, cv2.INTER_NEAREST)


def _resized(values: NDArray[Any], step: int, how: int) -> NDArray[Any]:
    size = (values.shape[1] * step, values.shape[0] * step)
    return np.asarray(cv2.resize(values, size, interpolation=how))


def wide_blur(values: Array, sigma: float) -> Array:
    """Gaussian blur of (H, W) or (H, W, C) by `sigma` pixels, at a cost that does not grow with it."""
    step = max(1, int(sigma / SHARP))
    small = cv2.GaussianBlur(reduced(values, step), (0, 0), sigma / step)
    height, width = values.shape[:2]
    return enlarged(np.asarray(small, np.float32), step, (slice(0, height), slice(0, width)))

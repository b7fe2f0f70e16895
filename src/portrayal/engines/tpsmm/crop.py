"""The square that the model sees: around a face, or around the whole picture; and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Side of the square over the longer side of the landmarks' box, as VoxCeleb's faces were cut (the First
#: Order Motion Model's video-preprocessing: 1.2 times the detector's boxes of a whole clip).
FACE_SCALE = 1.6
#: Share of the side over which the edge of what is pasted back fades out.
FEATHER = 1 / 12


@dataclass(frozen=True)
class Square:
    """A square in a picture, in whole pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, boxes: Sequence[tuple[float, float, float, float]], scale: float = FACE_SCALE) -> Square:
        """Around all of some boxes (left, top, right, bottom) of one face through a clip."""
        edges = np.asarray(boxes, np.float64)
        low, high = edges[:, :2].min(0), edges[:, 2:].max(0)
        side = max(2, round(float((high - low).max()) * scale))
        left, top = (round(float(v)) for v in (low + high) / 2 - side / 2)
        return cls(left, top, side)

    @classmethod
    def whole(cls, width: int, height: int) -> Square:
        """Around a picture, whose aspect it keeps."""
        side = max(width, height)
        return cls((width - side) // 2, (height - side) // 2, side)

    def cut(self, rgb: Rgb, size: int) -> Rgb:
        """The square (size, size, 3); beyond the picture its edge goes on."""
        height, width = rgb.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        inside = rgb[max(self.top, 0) : max(bottom, 0), max(self.left, 0) : max(right, 0)]
        above, below = max(-self.top, 0), max(bottom - height, 0)
        before, after = max(-self.left, 0), max(right - width, 0)
        padded = cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE)
        return resized(np.asarray(padded, np.uint8), size)


class Paste:
    """Puts painted squares back into pictures of one size (width, height)."""

    def __init__(self, square: Square, size: tuple[int, int]) -> None:
        low = np.maximum([square.left, square.top], 0)
        high = np.minimum([square.left + square.side, square.top + square.side], size)
        self._side = square.side
        self.window = (slice(low[1], high[1]), slice(low[0], high[0]))
        self._part = (
            slice(low[1] - square.top, high[1] - square.top),
            slice(low[0] - square.left, high[0] - square.left),
        )
        self._mask = _feather(square, size)[self._part][..., None]

    def __call__(self, picture: Rgb, painted: Rgb) -> None:
        """Lay `painted` (S, S, 3) over the square, in place, its edges fading into the picture."""
        large = cv2.resize(painted, (self._side, self._side), interpolation=cv2.INTER_CUBIC)[self._part]
        under = picture[self.window]
        blended = under + self._mask * (large.astype(np.float32) - under)
        under[:] = np.rint(blended).astype(np.uint8)


def _feather(square: Square, size: tuple[int, int]) -> Array:
    """(side, side) 1 inside, 0 at those edges that lie in the picture: at its own edge there is no seam."""
    place = np.arange(square.side) + 0.5
    far = np.full(square.side, np.inf)
    left = place if square.left > 0 else far
    right = place[::-1] if square.left + square.side < size[0] else far
    top = place if square.top > 0 else far
    bottom = place[::-1] if square.top + square.side < size[1] else far
    width = max(FEATHER * square.side, 1)
    away = np.minimum(np.minimum(top, bottom)[:, None], np.minimum(left, right)[None])
    t = np.clip(away / width, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def resized(rgb: Rgb, size: int) -> Rgb:
    """(H, W, 3) to (size, size, 3) as the model was trained: bilinear, blurred first to shrink."""
    height, width = rgb.shape[:2]
    across, down = (max(0.0, (side / size - 1) / 2) for side in (width, height))
    picture = rgb.astype(np.float32)
    if max(across, down) > 0:
        lines = _gaussian(across), _gaussian(down)
        blurred = cv2.sepFilter2D(picture, -1, lines[0], lines[1], borderType=cv2.BORDER_REFLECT_101)
        picture = np.asarray(blurred, np.float32)
    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(np.clip(small, 0, 255)), np.uint8)


def _gaussian(sigma: float) -> Array:
    reach = int(4 * sigma + 0.5)
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return (line / line.sum()).astype(np.float32)

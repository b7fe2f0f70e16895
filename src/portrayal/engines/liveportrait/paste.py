"""A face crop back into its picture, at the picture's own resolution."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import CROP, Square

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
Number = TypeVar("Number", np.uint8, np.float32)

#: Pixels of the crop over which its edge fades out.
FEATHER = 16


@cache
def feather(size: int = CROP, width: int = FEATHER) -> Array:
    """(size, size) in [0, 1]: 1 inside, fading to 0 over `width` pixels of the edge, corners rounded."""
    place = np.arange(size)
    away = np.maximum(np.maximum(width - place, place - (size - width)), 0)
    fading = 1 - np.hypot(away[:, None], away[None]) / width
    return (np.floor(255 * np.maximum(fading, 0)) / 255).astype(np.float32)


class Paste:
    """Pastes crops of one square into pictures of one size.

    square: where the crops were cut. size: (width, height) of the pictures. Only the window of the picture
    that the square covers is computed.
    """

    def __init__(self, square: Square, size: tuple[int, int], crop: int = CROP) -> None:
        back = np.linalg.inv(square.matrix(crop))
        corners = back @ np.array([[0, crop, 0, crop], [0, 0, crop, crop], [1, 1, 1, 1]])
        low = np.maximum(np.floor(corners[:2].min(1)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners[:2].max(1)).astype(int) + 2, size)
        self._extent = np.maximum(high - low, 0)
        self.window = (slice(low[1], high[1]), slice(low[0], high[0]))
        self._matrix = back[:2].astype(np.float32)
        self._matrix[:, 2] = (back[:2, 2] - low).astype(np.float32)
        self._seen = bool(self._extent.all())
        if self._seen:
            mask = self._warped(feather(crop))
            self._inside = np.where(mask == 1, 255, 0).astype(np.uint8)
            self._edge = np.nonzero((mask > 0) & (mask < 1))
            self._share = mask[self._edge][:, None]

    def __call__(self, picture: Rgb, crop: Rgb) -> None:
        """Put `crop` (512, 512, 3) into `picture` (H, W, 3), in place; values are truncated, not rounded."""
        if not self._seen:  # the face is beyond the edge
            return
        face, under = self._warped(crop), picture[self.window]
        edge = self._share * face[self._edge] + (1 - self._share) * under[self._edge]
        cv2.copyTo(face, self._inside, under)
        under[self._edge] = np.clip(edge, 0, 255).astype(np.uint8)

    def _warped(self, image: NDArray[Number]) -> NDArray[Number]:
        """The image as it lies in the window."""
        width, height = (int(v) for v in self._extent)
        warped = cv2.warpAffine(image, self._matrix, (width, height), flags=cv2.INTER_LINEAR)
        return np.asarray(warped, image.dtype)

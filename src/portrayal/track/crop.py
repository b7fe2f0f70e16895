"""Cut a square out of a picture at another size, without aliasing and beyond the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]


def square_crop(
    rgb: Rgb, centre: tuple[float, float], side: float, size: int
) -> tuple[Rgb, NDArray[np.float64]]:
    """The square of `side` pixels around `centre`, as a (size, size, 3) picture; edges are continued.

    Also returns the (2, 3) affine matrix from picture to crop coordinates.
    """
    scale = size / side
    x, y = centre
    to_crop = np.array([[scale, 0, (size - 1) / 2 - scale * x], [0, scale, (size - 1) / 2 - scale * y]])
    source, warp = rgb, to_crop
    if scale < 0.5:  # warpAffine skips pixels where it should average over them
        source = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        warp = np.column_stack([np.eye(2), to_crop[:, 2] + (1 - scale) / 2])
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    crop = cv2.warpAffine(source, warp, (size, size), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), to_crop

"""Sizes of pictures, and pictures brought to a size."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]

#: Sides are multiples of this: a latent is 8 pixels wide, a token two latents.
SIDE = 16


def size_for(area: int, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of about `area` pixels, shaped as `size`; the official rule, which rounds down."""
    height = math.sqrt(area / (size[0] / size[1]))
    return max(SIDE, int(area / height) // SIDE * SIDE), max(SIDE, int(height) // SIDE * SIDE)


def letterbox(rgb: Rgb, size: tuple[int, int], *, area: bool = False) -> Rgb:
    """The whole picture in the middle of a black one of (width, height).

    area: shrunk by averaging, as the official preprocess does; else bilinear, as its generation does.
    """
    (height, width), (wide, high) = rgb.shape[:2], size
    if height / width > high / wide:
        inner = max(1, int(high / height * width)), high
    else:
        inner = wide, max(1, int(wide / width * height))
    shrinks = area and inner[0] * inner[1] < width * height
    small = cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.zeros((high, wide, 3), np.uint8)
    left, top = int((wide - inner[0]) / 2), int((high - inner[1]) / 2)
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas

"""Person and background taken apart: what moves, and what is seen where it was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Mask = NDArray[np.float32]


def background_plate(rgb: Rgb, matte: Mask) -> Rgb:
    """The picture without the person: exact outside, continued smoothly inside."""
    margin = max(3, round(max(rgb.shape[:2]) / 150)) | 1
    person = cv2.dilate((matte > 0.02).astype(np.uint8), np.ones((margin, margin), np.uint8))
    known = (1 - person).astype(np.float32)
    if not known.any():
        return rgb
    filled = push_pull(rgb.astype(np.float32), known)
    return np.where(person[..., None] > 0, np.clip(filled + 0.5, 0, 255), rgb).astype(np.uint8)


def push_pull(colour: NDArray[np.float32], known: Mask) -> NDArray[np.float32]:
    """Fill (H, W, C) `colour` where `known` (H, W), 0 to 1, is less than 1.

    Over an image pyramid (Gortler et al. 1996, section 3.4): known pixels are averaged on the way down and
    fill the unknown ones on the way up.
    """
    height, width = known.shape
    if min(height, width) <= 2 or known.all():
        return colour
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(colour * known[..., None], half, interpolation=cv2.INTER_AREA)
    coarse = sums / np.maximum(weight, 1e-6)[..., None]
    below = push_pull(coarse, np.minimum(weight * 4, 1.0))
    mixed = np.minimum(weight * 4, 1.0)[..., None]
    below = mixed * coarse + (1 - mixed) * below
    wide = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(known[..., None] * colour + (1 - known[..., None]) * wide, np.float32)


def foreground(rgb: Rgb, matte: Mask, plate: Rgb) -> Rgb:
    """(H, W, 4) the person's own colours, premultiplied, with the matte as alpha.

    Chosen so that laying it over the plate gives the picture back: matte * F + (1 - matte) * plate = picture.
    """
    premultiplied = rgb.astype(np.float32) - (1 - matte[..., None]) * plate
    premultiplied = np.clip(premultiplied, 0, 255 * matte[..., None])
    return np.dstack([np.round(premultiplied), np.round(255 * matte)]).astype(np.uint8)


def lay_over(plate: Rgb, person: Rgb) -> Rgb:
    """Premultiplied (H, W, 4) over (H, W, 3)."""
    through = cv2.cvtColor(cv2.bitwise_not(person[..., 3]), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(plate, through, scale=1 / 255)
    return np.asarray(cv2.add(np.ascontiguousarray(person[..., :3]), behind), np.uint8)


def blend(canvas: Rgb, layer: Rgb) -> None:
    """A (H, W, 4) layer with plain alpha over the canvas, in place."""
    rows, columns = np.nonzero(layer[..., 3])
    if not len(rows):
        return
    window = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    alpha = layer[window][..., 3:].astype(np.float32) / 255
    mixed = canvas[window] * (1 - alpha) + layer[window][..., :3] * alpha
    canvas[window] = np.round(mixed)

"""Person and background taken apart: what moves, and what is seen where it was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Mask = NDArray[np.float32]


#: Body that takes less than this share of the head's motion is left in the background.
STILL = 0.06


def with_fringe(matte: Mask) -> Mask:
    """The matte and a soft band around it: stray hair that the matte misses moves with the head, and the
    bit of background between the hairs with it."""
    width = 2 * _margin(matte)
    wide = cv2.dilate(matte, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width | 1, width | 1)))
    return np.asarray(np.maximum(matte, cv2.GaussianBlur(wide, (0, 0), width / 4)), np.float32)


def background_plate(rgb: Rgb, matte: Mask, mobility: Mask) -> Rgb:
    """What is seen where the head was: the picture without the parts of the person that move.

    matte, mobility: (H, W) in [0, 1], who is the person and how much each pixel moves with the head. The
    picture is exact outside, and continued smoothly inside.
    """
    margin = _margin(rgb)
    person = cv2.dilate((matte > 0.1).astype(np.uint8), np.ones((margin, margin), np.uint8))
    moving = person * (mobility > STILL)
    known = (1 - moving).astype(np.float32)
    if not known.any():
        return rgb
    filled = push_pull(rgb.astype(np.float32), known) + _grain(rgb, known)
    share = cv2.GaussianBlur(moving.astype(np.float32), (0, 0), margin / 4)[..., None]
    return np.asarray(np.clip(rgb + share * (filled - rgb) + 0.5, 0, 255), np.uint8)


def _margin(picture: Rgb | Mask) -> int:
    """The width, in pixels and odd, within which an outline is not certain."""
    return max(3, round(max(picture.shape[:2]) / 150)) | 1


def _grain(rgb: Rgb, known: Mask) -> NDArray[np.float32]:
    """Noise as strong as that of the known pixels, (H, W, 1): a smooth patch in a grainy picture is seen."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1)
    strength = 1.48 * np.median(np.abs(fine[known > 0]))  # the median does not mind edges
    noise = np.random.default_rng(0).standard_normal(grey.shape, np.float32)
    return np.asarray(1.4 * strength * cv2.GaussianBlur(noise, (0, 0), 0.6)[..., None], np.float32)


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


def foreground(rgb: Rgb, matte: Mask, plate: Rgb) -> tuple[Rgb, Rgb]:
    """The person's own colours, premultiplied, the matte as alpha: (H, W, 4); and the plate to lay it over.

    Chosen so that one over the other gives the picture back: matte * F + (1 - matte) * plate = picture. Where
    no colour F can do that, over more than an outline (it would stay behind as a ghost), the plate gives way.
    """
    alpha = np.round(255 * matte)[..., None].astype(np.float32)
    through = 1 - alpha / 255
    person = np.round(np.clip(rgb - through * plate, 0, alpha))
    needed = (rgb - person) / np.maximum(through, 1e-3)
    misses = (np.abs(rgb - person - through * plate) > 1).any(2).astype(np.uint8)
    areas = cv2.morphologyEx(misses, cv2.MORPH_OPEN, np.ones((3 * _margin(rgb),) * 2, np.uint8))
    mended = np.where(areas[..., None] > 0, np.clip(needed, 0, 255), plate)
    return np.dstack([person, alpha]).astype(np.uint8), np.round(mended).astype(np.uint8)


def lay_over(plate: Rgb, person: Rgb) -> Rgb:
    """Premultiplied (H, W, 4) over (H, W, 3)."""
    through = cv2.cvtColor(cv2.bitwise_not(person[..., 3]), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(plate, through, scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(person, cv2.COLOR_RGBA2RGB), behind), np.uint8)


def blend(canvas: Rgb, layer: Rgb) -> None:
    """A (H, W, 4) layer with plain alpha over the canvas, in place."""
    if not layer[..., 3].any():
        return
    alpha = layer[..., 3:].astype(np.float32) / 255
    canvas[:] = np.round(canvas * (1 - alpha) + layer[..., :3] * alpha)

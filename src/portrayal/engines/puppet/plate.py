"""Person and background taken apart: what moves, and what is seen where it was.

Mattes and whatever else is smooth may be smaller than the picture, by a whole number (see
:mod:`portrayal.engines.puppet.coarse`).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import blocks, enlarged, knots, reduced, repeated
from portrayal.engines.puppet.fill import continued
from portrayal.engines.puppet.windows import Window, extent, tiles, whole

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


def background_plate(rgb: Rgb, matte: Mask, mobility: Mask, step: int = 1, strict: Mask | None = None) -> Rgb:
    """What is seen where the head was: the picture without the parts of the person that move.

    matte, mobility: (H, W) / step in [0, 1], who is the person and how much each pixel moves with the head.
    The picture is exact outside, and continued inside. strict: a matte without fringe.
    """
    margin = _margin(matte)
    person = _dilated(matte > 0.1, margin)
    moving = person * (mobility > STILL)
    known = (1 - moving).astype(np.float32)
    if not known.any():
        return rgb
    covered = None if strict is None else _dilated(strict > 0.1, margin) > 0
    filled, pieces = continued(reduced(rgb, step).astype(np.float32), moving > 0, person == 0, covered)
    share = np.asarray(cv2.GaussianBlur(moving.astype(np.float32), (0, 0), margin / 4), np.float32)
    grain, random = _grain(rgb, known, step), np.random.default_rng(0)
    plate = rgb.copy()
    for tile in tiles(whole(rgb.shape[:2])):
        near, inside = knots(tile, known.shape, step)
        if not share[near].any():
            continue
        own = rgb[tile].astype(np.float32)
        exact = repeated(known[near], step)[inside][..., None]
        plain = 1 - enlarged(pieces, step, tile)[..., None]  # pieces have their own grain
        change = (1 - exact) * (enlarged(filled, step, tile) - own) + grain * plain * _noise(random, tile)
        plate[tile] = np.clip(own + enlarged(share, step, tile)[..., None] * change + 0.5, 0, 255)
    return plate


def _dilated(mask: NDArray[np.bool_], by: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((by, by), np.uint8)), np.uint8)


def _margin(picture: Rgb | Mask) -> int:
    """The width, in pixels and odd, within which an outline is not certain."""
    return max(3, round(max(picture.shape[:2]) / 150)) | 1


def _grain(rgb: Rgb, known: Mask, step: int) -> float:
    """Deviation of the finest texture of the known pixels."""
    found = []
    for tile in tiles(whole(rgb.shape[:2])):
        grey = cv2.cvtColor(rgb[tile], cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1))
        near, inside = knots(tile, known.shape, step)
        found.append(fine[repeated(known[near], step)[inside] > 0][:: step**2])
    return 1.48 * float(np.median(np.concatenate(found)))  # the median does not mind edges


def _noise(random: np.random.Generator, window: Window) -> Mask:
    """Grain, (h, w, 1): a smooth patch in a grainy picture is seen."""
    noise = random.standard_normal(extent(window), np.float32)
    return np.asarray(1.4 * cv2.GaussianBlur(noise, (0, 0), 0.6)[..., None], np.float32)


def foreground(rgb: Rgb, matte: Mask, plate: Rgb, step: int = 1) -> tuple[Rgb, Rgb]:
    """The person's own colours, premultiplied, the matte as alpha: (H, W, 4); and the plate to lay it over.

    matte: (H, W) / step. Chosen so that one over the other gives the picture back: matte * F + (1 - matte) *
    plate = picture. Where no colour F can do that, over more than an outline (it would stay behind as a
    ghost), the plate gives way.
    """
    person = np.empty((*rgb.shape[:2], 4), np.uint8)
    misses = np.empty(rgb.shape[:2], bool)
    for tile in tiles(whole(rgb.shape[:2])):
        own, behind = rgb[tile], plate[tile]
        alpha = np.round(255 * enlarged(matte, step, tile))[..., None]
        shown = (1 - alpha / 255) * behind
        colour = np.round(np.clip(own - shown, 0, alpha))
        person[tile] = np.dstack([colour, alpha])
        misses[tile] = (np.abs(own - colour - shown) > 1).any(2)
    missed = blocks(misses, step).all((1, 3)).astype(np.uint8)
    margin = _margin(matte)
    areas = cv2.morphologyEx(missed, cv2.MORPH_OPEN, np.ones((3 * margin, 3 * margin), np.uint8))
    soft = cv2.GaussianBlur(areas.astype(np.float32), (0, 0), margin / 2)
    return person, _mended(rgb, person, plate, np.asarray(soft, np.float32), step)


def _mended(rgb: Rgb, person: Rgb, plate: Rgb, share: Mask, step: int) -> Rgb:
    """The plate, by a share of (H, W) / step as the picture needs it to be behind the person."""
    mended = plate.copy()
    for tile in tiles(whole(rgb.shape[:2])):
        if share[knots(tile, share.shape, step)[0]].any():
            colour, alpha = person[tile][..., :3].astype(np.float32), person[tile][..., 3:]
            needed = np.clip((rgb[tile] - colour) / np.maximum(1 - alpha / np.float32(255), 1e-3), 0, 255)
            change = enlarged(share, step, tile)[..., None] * (needed - plate[tile])
            mended[tile] = np.round(plate[tile] + change)
    return mended


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

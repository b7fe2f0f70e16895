"""The skin of a closed eye: what covers it when the lid comes down further than the picture shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eye_geometry import (
    OUTER_BOTTOM,
    STRIP_BOTTOM,
    STRIP_TOP,
    TOP,
    Anatomy,
    Array,
    Box,
)

Rgb = NDArray[np.uint8]

#: The skin is spread over the eye at about this many pixels across.
_COARSE = 72
#: How far beyond the corners, outer and inner, an eye may be outlined (eye distances), and how far above and
#: below the landmarks.
_BEYOND, _ABOVE, _BELOW = (0.1, 0.065), 0.055, 0.05
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class LidSkin:
    """skin: (h, w, 3) float, the box of the portrait with smooth skin where the eye is. lashes: (h, w, 4)
    0-1, how dark the strips along the lids' edges are against it, in three colours; and where it is darker
    than skin all around the eye: a painted outline, or lashes longer than those strips."""

    def __init__(self, picture: Rgb, box: Box, anatomy: Anatomy) -> None:
        own = picture.astype(np.float32)
        x, y = anatomy.frame.grid(box)
        rows = [np.interp(x, c[:, 0], c[:, 1]).astype(np.float32) for c in anatomy.rest.curves]
        _, crease, upper, lower, rim, _ = rows
        scale = anatomy.frame.scale
        hidden = _hidden(x, y, rows, anatomy)
        smooth = _spread(own, hidden)
        height = np.clip((y - crease) / np.maximum(lower - crease, 0.02), 0, 1)
        ends = anatomy.rest.curves[TOP - 1][[0, -1], 0]
        across = np.clip(1 - ((x - ends.mean()) / max(float(np.ptp(ends)) / 2, 1e-3)) ** 2, 0, 1)
        bulge = 1 + 0.05 * across * np.sin(np.pi * np.minimum(1.15 * height, 1)) - 0.07 * across * height**3
        self.skin = np.asarray(smooth * bulge[..., None] + _grain(picture, box, anatomy), np.float32)
        above = _strip(upper - y, np.minimum(STRIP_TOP, 0.6 * (upper - crease)), scale)
        below = _strip(y - lower, np.minimum(STRIP_BOTTOM, 0.6 * (rim - lower)), scale)
        lashes = _darkness(own, smooth, np.where(y < (upper + lower) / 2, above, below))
        inside = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), max(0.7, 0.012 * scale))
        darker = 1 - (own @ _LUMA) / np.maximum(smooth @ _LUMA, 4)
        self.lashes = np.dstack([lashes, inside * np.clip(darker / 0.12 - 0.4, 0, 1)]).astype(np.float32)


def _hidden(x: Array, y: Array, rows: list[Array], anatomy: Anatomy) -> NDArray[np.bool_]:
    """(h, w) the eye and its outline."""
    _, crease, upper, lower, rim, _ = rows
    ends = anatomy.rest.curves[TOP - 1][[0, -1], 0]
    beyond = _BEYOND if anatomy.side == "right" else _BEYOND[::-1]
    rows_here = (y > np.minimum(crease, upper - _ABOVE)) & (
        y < np.maximum(0.5 * (lower + rim), lower + _BELOW)
    )
    return np.asarray(rows_here & (x > ends[0] - beyond[0]) & (x < ends[1] + beyond[1]), np.bool_)


def _spread(own: Array, hidden: NDArray[np.bool_]) -> Array:
    """The skin around the eye continued over it: a harmonic function of what surrounds it."""
    width = own.shape[1]
    factor = min(1.0, _COARSE / width)
    small = cv2.resize(own, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    size = (small.shape[1], small.shape[0])
    mask = cv2.resize(hidden.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = (mask < 0.05).astype(np.float32)
    near = (known > 0) & (cv2.dilate(1 - known, np.ones((9, 9), np.uint8)) > 0)
    grey = small @ _LUMA
    usual = cv2.GaussianBlur(grey * near, (0, 0), 8) / np.maximum(
        cv2.GaussianBlur(near * 1.0, (0, 0), 8), 1e-3
    )
    known[near & (grey < 0.82 * usual)] = 0
    if known.sum() < 8:
        return own
    share = cv2.GaussianBlur(known, (0, 0), 1.5)
    clean = cv2.GaussianBlur(small * known[..., None], (0, 0), 1.5) / np.maximum(share, 1e-3)[..., None]
    filled = _harmonic(np.asarray(clean, np.float32), known)
    wide = cv2.resize(filled, (own.shape[1], own.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.float32)


def _harmonic(values: Array, known: Array) -> Array:
    """Laplace's equation on the unknown pixels, coarse to fine."""
    height, width = known.shape
    if min(height, width) > 8:
        half = ((width + 1) // 2, (height + 1) // 2)
        weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(values * known[..., None], half, interpolation=cv2.INTER_AREA)
        mean = np.asarray(coarse / np.maximum(weight, 1e-3)[..., None], np.float32)
        filled = _harmonic(mean, (weight > 0.3).astype(np.float32))
        start = np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    else:
        total = (values * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1e-3)
        start = np.broadcast_to(total, values.shape).astype(np.float32)
    keep = known[..., None]
    result = np.asarray(start * (1 - keep) + values * keep, np.float32)
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
    for _ in range(40):
        around = cv2.filter2D(result, -1, cross, borderType=cv2.BORDER_REPLICATE)
        result = np.asarray(around * (1 - keep) + values * keep, np.float32)
    return result


def _grain(picture: Rgb, box: Box, anatomy: Anatomy) -> Array:
    """(h, w, 3) the skin's finest texture, taken from below the eye and tiled by reflection."""
    curves, frame = anatomy.rest.curves, anatomy.frame
    middle = curves[OUTER_BOTTOM - 2, :, 1].max() + 0.0
    half = 0.1
    spread = max(1.0, 0.012 * frame.scale)
    centre = frame.out(np.array([0, middle], np.float32)) - np.array(box[:2], np.float32)
    reach = max(3, int(half * frame.scale))
    rows = slice(max(0, int(centre[1]) - reach // 2), max(0, int(centre[1]) + reach // 2 + 1))
    columns = slice(max(0, int(centre[0]) - reach), max(0, int(centre[0]) + reach + 1))
    patch = picture[rows, columns].astype(np.float32)
    size = (box[3] - box[1], box[2] - box[0])
    if min(patch.shape[:2]) < 5:
        return np.zeros((*size, 3), np.float32)
    fine = patch - cv2.GaussianBlur(patch, (0, 0), spread)
    deviation = 1.5 * float(np.median(np.abs(fine))) + 0.1
    fine = np.clip(fine, -3 * deviation, 3 * deviation)
    tiled = [
        np.pad(np.arange(n), (0, max(0, m - n)), mode="reflect")[:m]
        for n, m in zip(fine.shape, size, strict=False)
    ]
    return np.asarray(fine[np.ix_(*tiled)], np.float32)


def _strip(away: Array, height: Array, scale: float) -> Array:
    """1 along a lid's edge, where `away` from the eye begins, fading outwards until it is 0 at `height`."""
    reach = np.clip((1 - away / np.maximum(height, 1e-3)) / 0.6, 0, 1)
    return np.asarray(reach * np.clip(1 + (away + 0.004) * scale / 1.5, 0, 1), np.float32)


def _darkness(own: Array, smooth: Array, reach: Array) -> Array:
    """How much darker than smooth skin the picture is, as a factor, where `reach` says; not its texture."""
    ratio = np.clip((own + 4) / (smooth + 4) + 0.06, 0.1, 1)
    return np.asarray(1 - (1 - ratio) * reach[..., None], np.float32)

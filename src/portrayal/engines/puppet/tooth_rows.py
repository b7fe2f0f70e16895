"""Which pixels of an open mouth are teeth, and of which row."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.mouth_look import LUMA, Look, luma

Array = NDArray[np.float32]

#: Rows that are told apart, at the finest; head space.
ROW = 0.006


def brightness(picture: Array, inside: Array, look: Look) -> Array:
    """(h, w) 0-1: how bright for this mouth, and not dark for this face."""
    bright = picture @ LUMA
    dark, light = np.percentile(bright[inside > 0.5], (4, 95))
    dark = min(dark, 0.6 * light)  # there may be nothing but teeth
    threshold = max(dark + 0.36 * (light - dark), 0.45 * luma(look.tooth))
    spread = max(0.14 * (light - dark), 3.0)
    return _ramp(bright, threshold - spread, threshold + spread)


def whiteness(picture: Array, look: Look) -> Array:
    """(h, w) 0-1: how much less red than gums and lips; 1 where the picture's lips are hardly red."""
    red_lip, red_tooth = (_redness(c) for c in (look.gum, look.tooth))
    if red_lip - red_tooth < 0.06:
        return np.ones(picture.shape[:2], np.float32)
    middle, width = red_tooth + 0.6 * (red_lip - red_tooth), 0.2 * (red_lip - red_tooth)
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)
    return 1 - _ramp(_redness(soft), middle - width, middle + width)


def _redness(colour: Array) -> Array:
    return np.asarray(1 - colour[..., 1] / np.maximum(colour[..., 0], 8), np.float32)


def _ramp(value: Array, start: float, end: float) -> Array:
    t = np.clip((value - start) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def darkest(picture: Array, inside: Array) -> Array:
    """(3,) colour of the darkest part."""
    values = picture[inside > 0.5]
    bright = values @ LUMA
    return values[bright <= np.percentile(bright, 15)].mean(0).astype(np.float32)


Edges = tuple[float | None, float | None]


def biting_edges(bright: Array, tooth: Array, u: Array, y: Array, expected: float, step: float) -> Edges:
    """y of the upper and the lower biting edge, from how tooth-like the rows in the middle of the mouth are.

    bright, tooth, u, y: (N,) luminance, likeness and place of the pixels between the lips; expected: y where
    the upper edge is likely, where the lower lip hides it; step: of y from pixel to pixel.
    """
    middle = np.abs(u) < 0.13
    if middle.sum() < 8:
        return None, None
    y, low, high = y[middle], float(y[middle].min()), float(y[middle].max())
    count = max(4, int((high - low) / max(ROW, step)))
    row = np.clip(((y - low) / (high - low + 1e-6) * count).astype(int), 0, count - 1)
    area = np.bincount(row, minlength=count) + 1e-6
    likeness = np.bincount(row, tooth[middle], count) / area
    level = np.bincount(row, bright[middle], count) / area
    at = low + (np.arange(count) + 0.5) * (high - low) / count
    rows = np.flatnonzero(likeness > 0.5 * likeness.max())
    gaps = np.flatnonzero(np.diff(rows) > max(1, count // 14))
    if len(gaps):  # two rows of teeth with a dark gap between them
        return float(at[rows[gaps[0]]]), float(at[rows[gaps[-1] + 1]])
    if rows[-1] - rows[0] < 0.6 * count:
        return (float(at[rows[-1]]), None) if rows.mean() < 0.55 * count else (None, float(at[rows[0]]))
    border = _dark_line(level)
    if border is not None:  # from lip to lip: clenched
        return float(at[border]), float(at[border])
    return max(float(at[rows[-1]]), min(expected, float(at[rows[-1]]) + 0.04)), None


def _dark_line(level: Array) -> int | None:
    """The darkest of the rows in the middle, if it is darker than both sides."""
    count = len(level)
    first, last = int(0.35 * count), max(int(0.85 * count), int(0.35 * count) + 1)
    line = first + int(np.argmin(level[first:last]))
    sides = [float(np.max(part, initial=0)) for part in (level[:line], level[line + 1 :])]
    return line if level[line] < 0.93 * min(sides) else None


def tips(tooth: Array, covered: Array) -> Array:
    """(w,) the row, in parts of pixels, down to which teeth are seen in each column; the last if none are.

    tooth: (h, w) likeness; covered: (h, w) what lies between the lips.
    """
    solid = (tooth > 0.5) & (covered > 0.5)
    columns = np.flatnonzero(solid.any(0))
    if not len(columns):
        return np.full(solid.shape[1], len(solid), np.float32)
    last = (len(solid) - 1 - solid[::-1].argmax(0))[columns]
    here, below = tooth[last, columns], tooth[np.minimum(last + 1, len(solid) - 1), columns]
    ends = last + np.clip((here - 0.5) / np.maximum(here - below, 1e-3), 0, 1)
    return np.interp(np.arange(solid.shape[1]), columns, ends).astype(np.float32)


def below(ends: Array, height: int) -> Array:
    """(height, w) 1 below the rows told for each column."""
    return np.clip(np.arange(height, dtype=np.float32)[:, None] - ends + 0.5, 0, 1)


def between(upper: float | None, lower: float | None) -> float:
    """y between the rows of teeth; of a single row, beyond its edge."""
    if upper is None or lower is None:
        return lower - 0.02 if lower is not None else (upper or 0.0) + 0.02
    return (upper + lower) / 2


def above_bite(bright: Array, inside: Array, away: Array) -> Array:
    """(h, w) 1 above the darkest path from corner to corner that stays near where the rows should meet.

    away: (h, w) pixels below that place. Dynamic programming, as for seams (Avidan and Shamir 2007).
    """
    reach = max(3.0, 0.25 * float(np.ptp(away[inside > 0.5])))
    cost = np.where(inside > 0.5, cv2.GaussianBlur(bright, (0, 0), 0.8), 2.0) + 0.25 * (away / reach) ** 2
    height, width = cost.shape
    total, came = cost[:, 0].copy(), np.zeros((height, width), np.int64)
    for column in range(1, width):
        steps = np.stack([np.append(np.inf, total[:-1]), total - 0.0, np.append(total[1:], np.inf)])
        steps[[0, 2]] += 0.05
        best = steps.argmin(0)
        came[:, column] = best - 1
        total = cost[:, column] + steps[best, np.arange(height)]
    path = np.empty(width)
    row = int(total.argmin())
    for column in range(width - 1, -1, -1):
        path[column] = row
        row += int(came[row, column])
    rows = np.arange(height)[:, None]
    return np.clip(path[None, :] - rows + 0.5, 0, 1).astype(np.float32)

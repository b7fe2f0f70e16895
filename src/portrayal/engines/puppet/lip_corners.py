"""Where the line between the lips really ends: trackers put the corners of a mouth a little short of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.mouth_look import LUMA
from portrayal.track.face import Face
from portrayal.track.topology import INNER_LIP_TOP, MOUTH_LEFT, MOUTH_RIGHT

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: In widths of the mouth: how far beyond its corners a line is looked for, and followed at most; how far
#: above and below it is compared with skin; how far around a corner goes with it.
LOOKED, FOLLOWED, ACROSS, AROUND = 0.14, 0.06, 0.09, 0.13
#: The line ends where it is this much fainter than at the corner; one fainter than so many grey levels there
#: is none.
ENDS, FAINTEST = 0.4, 12.0
#: The outer corner of each side, then points of the line inwards from the inner corner.
_SIDES = (
    (MOUTH_RIGHT, INNER_LIP_TOP[0], INNER_LIP_TOP[3]),
    (MOUTH_LEFT, INNER_LIP_TOP[-1], INNER_LIP_TOP[-4]),
)


def to_line_ends(rgb: Rgb, face: Face) -> Face:
    """The face with the corners of its mouth, and what is around them, moved to where the dark line between
    the lips ends in the picture (H, W, 3)."""
    points = face.landmarks[:, :2]
    width = float(np.linalg.norm(points[MOUTH_LEFT] - points[MOUTH_RIGHT]))
    moved = face.landmarks.copy()
    for outer, inner, inward in _SIDES:
        along = points[inner] - points[inward]
        along = along / max(float(np.linalg.norm(along)), 1e-3)
        further = width * _further(rgb, points[inner], points[outer], along, width)
        near = np.exp(-0.5 * (np.linalg.norm(points - points[outer], axis=1) / (AROUND * width / 2)) ** 2)
        moved[:, :2] += further * near[:, None] * along
    return Face(moved, face.pose)


def _further(rgb: Rgb, inner: Array, outer: Array, along: Array, width: float) -> float:
    """How far beyond the outer corner the line goes on, in widths of the mouth."""
    begin, corner = -0.04, float((outer - inner) @ along) / width
    at = np.arange(begin, corner + LOOKED, 0.01, np.float32)
    depth = _depths(rgb, inner, along, width, at)
    usual = float(np.median(depth[at < 0.005]))
    if usual < FAINTEST:
        return 0.0
    ended = np.flatnonzero((depth < ENDS * usual) & (at > 0))
    end = float(at[ended[0]]) if len(ended) else float(at[-1])
    return float(np.clip(end - corner, 0, FOLLOWED))


def _depths(rgb: Rgb, inner: Array, along: Array, width: float, at: Array) -> Array:
    """(N,) how much darker than above and below the line is, in grey levels, `at` so far from the corner."""
    down = np.array([-along[1], along[0]]) * (1 if along[0] > 0 else -1)
    across = np.linspace(-ACROSS, ACROSS, 25, dtype=np.float32)
    places = inner + width * (at[:, None, None] * along + across[None, :, None] * down)
    left, top = np.floor(places.min((0, 1))).astype(int) - 4
    right, bottom = np.ceil(places.max((0, 1))).astype(int) + 5
    left, top = max(left, 0), max(top, 0)
    part = rgb[top : max(bottom, top + 1), left : max(right, left + 1)]
    if part.size == 0:
        return np.zeros(len(at), np.float32)
    grey = cv2.GaussianBlur(part.astype(np.float32) @ LUMA, (0, 0), max(0.7, 0.008 * width))
    x, y = np.moveaxis((places - (left, top)).astype(np.float32), 2, 0)
    seen = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    middle = slice(8, 17)
    darkest = 8 + seen[:, middle].argmin(1)
    depths = [min(row[: k + 1].max(), row[k:].max()) - row[k] for row, k in zip(seen, darkest, strict=True)]
    return np.array(depths, np.float32)

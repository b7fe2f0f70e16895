"""Which pixels of a frame belong to one person, given its whole-body points (:mod:`portrayal.body`)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.body import (
    FACE,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_HAND,
    RIGHT_HIP,
    RIGHT_SHOULDER,
)
from portrayal.track.matte import body_matte

Rgb = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Array = NDArray[np.float32]
Box = tuple[float, float, float, float]

#: Points that score less are not believed.
SURE = 0.5
#: By how much of its longer side the box of the points is widened; hair rises above the brows by so much of
#: the height from brows to chin, arms reach beyond the shoulders by so much of their distance.
MARGIN, HAIR, ARMS = 0.1, 0.9, 0.5
#: Side of the square that is segmented over the longer side of the person's box.
ROOM = 1.2
#: Width of a finger over the length of a hand.
FINGER = 0.16
_FINGERS = [[0, *range(first, first + 4)] for first in range(1, 21, 4)]


def seen(points: Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,) which of (N, 3) points x, y, score are believed and inside a frame of `size` (width, height)."""
    xy = points[:, :2]
    inside = (xy >= 0).all(1) & (xy <= np.array(size) - 1).all(1)
    return np.asarray((points[:, 2] > SURE) & inside, np.bool_)


def person_box(points: Array, size: tuple[int, int]) -> Box | None:
    """left, top, right, bottom around the whole person with its hair; None where no point is in the frame.

    points: (133, 3). size: (width, height) of the frame.

    Where no hip is seen, the person goes on to the lower edge of the frame.
    """
    there = seen(points, size)
    if not there.any():
        return None
    low, high = points[there, :2].min(0), points[there, :2].max(0)
    margin = MARGIN * float((high - low).max())
    face = points[FACE][there[FACE], 1]
    crown = face.min() - HAIR * np.ptp(face) if len(face) else low[1]
    bottom = high[1] + margin if there[[LEFT_HIP, RIGHT_HIP]].any() else size[1] - 1
    left, right = low[0] - margin, high[0] + margin
    shoulders = [LEFT_SHOULDER, RIGHT_SHOULDER]
    if there[shoulders].any():
        across = points[shoulders, 0]
        beyond = ARMS * np.ptp(across)
        left, right = min(left, across.min() - beyond), max(right, across.max() + beyond)
    corners = [left, min(low[1] - margin, crown), right, bottom]
    left, top, right, bottom = np.clip(corners, 0, np.tile(size, 2) - 1).tolist()
    return left, top, right, bottom


def person_mask(rgb: Rgb, points: Array) -> Mask:
    """(H, W) 1 where the person is, by MediaPipe's selfie segmentation; all 0 where no point is in the frame.

    rgb: (H, W, 3). The network sees a square around the person; of what it finds only those connected parts
    count in which one of the (133, 3) points lies, so that others in the picture stay. Fingers are too thin
    for it and are drawn in.
    """
    height, width = rgb.shape[:2]
    box = person_box(points, (width, height))
    if box is None:
        return np.zeros((height, width), np.uint8)
    left, top, right, bottom = box
    square = (left + right) / 2, (top + bottom) / 2, ROOM * max(right - left, bottom - top, 16)
    matte = body_matte(rgb, square, np.eye(2, 3), (height, width))
    _, parts = cv2.connectedComponents((matte > SURE).astype(np.uint8))
    x, y = points[seen(points, (width, height)), :2].round().astype(int).T
    mask = np.isin(parts, np.setdiff1d(parts[y, x], [0])).astype(np.uint8)
    for root in (LEFT_HAND, RIGHT_HAND):
        _draw_hand(mask, points[root : root + 21])
    return mask


def _draw_hand(mask: Mask, hand: Array) -> None:
    """Fill a hand of (21, 3) points, in place, where it is seen."""
    if hand[:, 2].min() <= SURE:
        return
    length = float(np.linalg.norm(hand[:, :2] - hand[0, :2], axis=1).max())
    lines = [hand[finger, :2].round().astype(np.int32) for finger in _FINGERS]
    cv2.polylines(mask, lines, False, (1,), max(1, round(FINGER * length)))

"""The skeleton as Wan-Animate was trained to see it: thin sticks, joints and hands on black.

Exact to the pixel of the official `draw_aapose_by_meta_new`.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.body import LEFT_HAND, RIGHT_HAND

Rgb = NDArray[np.uint8]
Array = NDArray[np.float64]

#: A joint or a hand's point that scores less is not drawn.
SHOWN = 0.5
#: The joints that are drawn: of COCO-WholeBody the points whose mean each is. Their numbers: nose 0, neck
#: 1, right shoulder, elbow, wrist 2-4, left 5-7, right hip, knee, ankle 8-10, left 11-13, right eye 14, left
#: eye 15, right ear 16, left ear 17, left toes 18, right toes 19.
JOINTS: tuple[tuple[int, ...], ...] = (
    (0,), (5, 6), (6,), (8,), (10,), (5,), (7,), (9,), (12,), (14,), (16,), (11,), (13,), (15,), (2,), (1,),
    (4,), (3,), (17, 18), (20, 21),
)  # fmt: skip
NOSE, NECK = 0, 1
R_SHOULDER, R_WRIST, L_SHOULDER, L_WRIST = 2, 4, 5, 7
R_HIP, R_ANKLE, L_HIP, L_ANKLE, L_TOE, R_TOE = 8, 10, 11, 13, 18, 19
#: Sticks between joints, in the order in which they are drawn.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (13, 18), (10, 19),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
    (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
    (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85), (200, 200, 0), (100, 100, 0),
)  # fmt: skip
_FINGERS = tuple((0 if i % 4 == 0 else i, i + 1) for i in range(20))
_FINGER_COLOURS = tuple(tuple(255 * c for c in colorsys.hsv_to_rgb(i / 20, 1, 1)) for i in range(20))
_HEAD = (0, 14, 15, 16, 17)


@dataclass(frozen=True)
class Skeleton:
    """What is drawn. body: (20, 3) joints, left, right: (21, 3) hands; x, y in pixels and a score."""

    body: Array
    left: Array
    right: Array

    @classmethod
    def of(cls, points: NDArray[np.floating]) -> Skeleton:
        """From (133, 3) points of COCO-WholeBody."""
        points = np.asarray(points, np.float64)
        body = np.stack([points[list(parts)].mean(0) for parts in JOINTS])
        return cls(body, points[LEFT_HAND : LEFT_HAND + 21], points[RIGHT_HAND : RIGHT_HAND + 21])

    def drawn(self, size: tuple[int, int], *, thick: bool = False, head: bool = True) -> Rgb:
        """(H, W, 3) of size (W, H). thick: the older drawing; head: with nose, eyes and ears."""
        width, height = size
        canvas = np.zeros((height, width, 3), np.uint8)
        self.draw_on(canvas, thick=thick, head=head)
        return canvas

    def draw_on(self, canvas: Rgb, *, thick: bool = False, head: bool = True) -> None:
        """Draw over a picture (H, W, 3), in place."""
        side = min(canvas.shape[:2])
        stick = max(int(side / 200), 1) if thick else max(int(side / 200) - 1, 1)
        fine = stick if thick else max(stick // 2, 1)
        body = self.body.copy()
        if not head:
            body[list(_HEAD), 2] = 0
        for (a, b), colour in zip(LIMBS, _COLOURS, strict=False):
            if body[a, 2] >= SHOWN and body[b, 2] >= SHOWN:
                _stick(canvas, body[a], body[b], stick, colour)
        for joint, colour in zip(body, _COLOURS, strict=True):
            if joint[2] >= SHOWN:
                cv2.circle(canvas, _pixel(joint), stick, colour, -1)
        for hand in (self.left, self.right):
            _hand(canvas, hand, fine)


def _stick(canvas: Rgb, a: Array, b: Array, width: int, colour: tuple[int, ...]) -> None:
    across, down = a[:2] - b[:2]
    centre = (int((a[0] + b[0]) / 2), int((a[1] + b[1]) / 2))
    axes = (int(math.hypot(across, down) / 2), width)
    angle = int(math.degrees(math.atan2(down, across)))
    outline = np.asarray(cv2.ellipse2Poly(centre, axes, angle, 0, 360, 1))
    cv2.fillConvexPoly(canvas, outline, [int(0.6 * c) for c in colour])


def _hand(canvas: Rgb, hand: Array, width: int) -> None:
    seen = (hand[:, 2] >= SHOWN) & (hand[:, :2] >= 1).all(1)
    for (a, b), colour in zip(_FINGERS, _FINGER_COLOURS, strict=True):
        if seen[a] and seen[b]:
            cv2.line(canvas, _pixel(hand[a]), _pixel(hand[b]), colour, thickness=width)
    for point in hand[seen]:
        cv2.circle(canvas, _pixel(point), width, (0, 0, 255), -1)


def _pixel(point: Array) -> tuple[int, int]:
    return int(point[0]), int(point[1])

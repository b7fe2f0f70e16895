"""The opening between the lips: its contour, how much of each pixel it covers, how the lips shade it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.rig import smooth_step
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import INNER_LIP_BOTTOM, INNER_LIP_TOP

Array = NDArray[np.float32]
Box = tuple[int, int, int, int]

#: A portrait whose lips are this far apart (head space) has its mouth shut / open; below, the gap between the
#: landmarks is their noise.
SHUT, OPEN = 0.015, 0.032
#: Pixels of gap below which nothing is seen, and from which all is.
FAINT, CLEAR = 0.7, 2.2
#: How far below the upper teeth's edge their shadow reaches, head space.
SHADOW_FALLS = 0.012
_TOP, _BOTTOM = list(INNER_LIP_TOP), list(INNER_LIP_BOTTOM)
_SHIFT = 4


class Opening:
    """The inner lip contour of one portrait in any pose and expression.

    face: of the portrait. shut: how much of the gap between its lips there counts as none, 0-1; told from the
    gap unless given. gap: that gap, head space.
    """

    def __init__(self, face: Face, shut: float | None = None) -> None:
        self._face = face
        gaps = np.maximum(face.shape[_BOTTOM, 1] - face.shape[_TOP, 1], 0)
        self.gap = float(gaps.max())
        self._shut_gaps = (1 - smooth_step(self.gap, SHUT, OPEN) if shut is None else shut) * gaps

    def as_shut(self) -> Opening:
        """The same lips, where only what they open beyond the portrait counts."""
        return Opening(self._face, 1.0)

    def contour(self, target: Target) -> tuple[Array, float]:
        """(N, 2) pixels, a closed smooth curve, and how clearly it is seen, 0 to 1 (0: lips closed)."""
        rotation, scale = target.pose.rotation, target.pose.scale
        down = rotation[:2, 1] / np.hypot(*rotation[:2, 1])
        top, bottom = target.points[_TOP, :2], target.points[_BOTTOM, :2]
        apart = (bottom - top) @ down
        shut = self._shut_gaps * scale * abs(rotation[1, 1])
        beyond = np.maximum(apart - shut, 0)
        gaps = beyond + shut * (1 - np.exp(-beyond / np.maximum(shut, 1e-3)))
        less = ((apart - gaps) / 2)[:, None] * down
        edge = _LOOP @ np.concatenate([top + less, (bottom - less)[-2:0:-1]])
        return edge.astype(np.float32), smooth_step(float(gaps.max()), FAINT, CLEAR)


def catmull_rom(count: int, pieces: int) -> Array:
    """(K, count) weights that turn `count` points into a smooth curve through them, ends included."""
    t = np.linspace(0, count - 1, (count - 1) * pieces + 1)
    first = np.minimum(t.astype(int), count - 2)
    s = t - first
    basis = (
        np.stack([-s + 2 * s**2 - s**3, 2 - 5 * s**2 + 3 * s**3, s + 4 * s**2 - 3 * s**3, s**3 - s**2]) / 2
    )
    weights = np.zeros((len(t), count), np.float32)
    for offset, row in enumerate(basis, start=-1):
        np.add.at(weights, (np.arange(len(t)), np.clip(first + offset, 0, count - 1)), row)
    return weights


def closed_catmull_rom(count: int, pieces: int) -> Array:
    """(count * pieces, count) weights that turn `count` points into a smooth closed curve through them: a
    mouth is as round at its corners as it is open there."""
    open_ended = catmull_rom(count + 5, pieces)[2 * pieces : (count + 2) * pieces]
    weights = np.zeros((len(open_ended), count), np.float32)
    for column in range(count + 5):
        weights[:, (column - 2) % count] += open_ended[:, column]
    return weights


_LOOP = closed_catmull_rom(2 * len(_TOP) - 2, 5)


def bounds(contour: Array, margin: int, size: tuple[int, ...]) -> Box | None:
    """left, top, right, bottom of the contour with a margin, in a picture of size (height, width, ...)."""
    left, top = np.maximum(np.floor(contour.min(0)).astype(int) - margin, 0).tolist()
    right, bottom = (np.ceil(contour.max(0)).astype(int) + margin + 1).tolist()
    right, bottom = min(right, size[1]), min(bottom, size[0])
    return (left, top, right, bottom) if left < right and top < bottom else None


def coverage(contour: Array, box: Box, soft: float) -> Array:
    """(h, w) float32: how much of each pixel of the box lies inside; `soft`: blur of the edge in pixels."""
    left, top, right, bottom = box
    finer = 4 if right - left < 400 else 2
    mask = np.zeros(((bottom - top) * finer, (right - left) * finer), np.uint8)
    grid = (contour - (left, top) + 0.5) * finer - 0.5
    cv2.fillPoly(mask, [np.rint(grid * 2**_SHIFT).astype(np.int32)], (255,), cv2.LINE_8, _SHIFT)
    covered = cv2.resize(mask, (right - left, bottom - top), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(covered, (0, 0), soft) / 255, np.float32)


def lip_shade(covered: Array, pose: HeadPose) -> Array:
    """(h, w) float32: light that reaches the teeth and the tongue past the lips.

    Little next to the lips and in the corners; most of it comes from below the upper lip.
    """
    height, width = covered.shape
    step = max(1, round(pose.scale / 40))
    small = cv2.resize(covered, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(small, (0, 0), 0.022 * pose.scale / step, borderType=cv2.BORDER_CONSTANT)
    down = pose.rotation[:2, 1] * (0.016 * pose.scale / step)
    shifted = cv2.warpAffine(near, np.array([[1, 0, down[0]], [0, 1, down[1]]], np.float32), near.shape[::-1])
    light = np.clip((shifted - 0.08) / 0.55, 0, 1)
    light = 0.4 + 0.6 * light * (2 - light)
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def cast(alpha: Array, pose: HeadPose) -> Array:
    """(h, w) float32 in [0, 1]: the shadow of what covers (h, w), close below it."""
    down = pose.rotation[:2, 1] * (SHADOW_FALLS * pose.scale)
    shift = np.array([[1, 0, down[0]], [0, 1, down[1]]], np.float32)
    fallen = cv2.warpAffine(alpha, shift, alpha.shape[::-1])
    return np.asarray(cv2.GaussianBlur(fallen, (0, 0), 0.5 * SHADOW_FALLS * pose.scale + 0.3), np.float32)

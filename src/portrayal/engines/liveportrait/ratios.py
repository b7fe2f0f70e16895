"""How open eyes and lips are: heights over widths, as LivePortrait's retargeting networks measure them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Pairs = tuple[tuple[int, int], tuple[int, int]]

#: Points (upper and lower edge, corner and corner) of the eye on the picture's left, that on its right, the
#: lips.
_POINTS_203: tuple[Pairs, ...] = (((6, 18), (0, 12)), ((30, 42), (24, 36)), ((90, 102), (48, 66)))
_MEDIAPIPE: tuple[Pairs, ...] = (((159, 145), (33, 133)), ((386, 374), (362, 263)), ((13, 14), (61, 291)))
#: From MediaPipe's ratios to those of the 203 points, by a fit over 633 frames of the published templates and
#: the videos they are made of: correlation 0.98, error 0.026 (eyes) and 0.018 (lips).
_EYE_FIT, _LIP_FIT = (1.19, -0.035), (0.888, 0.004)


def ratios_203(points: Array) -> tuple[Array, float]:
    """(2,) both eyes, the one on the picture's left first, and the lips; from LivePortrait's (203, 2)
    points.
    """
    left, right, lips = (_ratio(points, pairs) for pairs in _POINTS_203)
    return np.array([left, right], np.float32), lips


def ratios_mediapipe(landmarks: Array) -> tuple[Array, float]:
    """The same, estimated from MediaPipe's (478, 2) or (478, 3) landmarks in pixels; never below 0."""
    left, right, lips = (_ratio(landmarks, pairs) for pairs in _MEDIAPIPE)
    eyes = np.maximum(_EYE_FIT[0] * np.array([left, right]) + _EYE_FIT[1], 0)
    return eyes.astype(np.float32), max(_LIP_FIT[0] * lips + _LIP_FIT[1], 0.0)


def _ratio(points: Array, pairs: Pairs) -> float:
    (top, bottom), (start, end) = pairs
    height = np.linalg.norm(points[top, :2] - points[bottom, :2])
    return float(height / (np.linalg.norm(points[start, :2] - points[end, :2]) + 1e-6))

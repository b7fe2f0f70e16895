"""The blend shapes in the proportions of one person: how a small mouth, a wide eye, a high brow moves."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import SHAPE_INDEX
from portrayal.track.blendshapes import LOWER_LID_SHARE, basis
from portrayal.track.topology import (
    LEFT_BROW,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    LIP_BOTTOM_INNER,
    LIP_BOTTOM_OUTER,
    LIP_TOP_INNER,
    LIP_TOP_OUTER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    POINTS,
    RIGHT_BROW,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
    mean_face,
)

Array = NDArray[np.float32]

#: How far a feature's size carries over into how far it moves (1 fully), and within which limits. A mouth
#: much wider than the mean is not large: it smiles.
MOUTH, BROW, EYE = (0.8, 0.65, 1.06), (0.5, 0.7, 1.35), (1.0, 0.75, 1.3)
#: Upper and lower lid points that close on each other, inner points of the eye loops, right then left.
LID_TOPS = np.array([RIGHT_EYE_TOP[1:-1], LEFT_EYE_TOP[1:-1]])
LID_BOTTOMS = np.array([RIGHT_EYE_BOTTOM[1:-1], LEFT_EYE_BOTTOM[1:-1]])
BLINKS = np.array([SHAPE_INDEX["eyeBlinkRight"], SHAPE_INDEX["eyeBlinkLeft"]])

#: Outer and inner middle of the upper and the lower lip, and the shapes that roll each of them in.
_LIPS = ((LIP_TOP_OUTER, LIP_TOP_INNER), (LIP_BOTTOM_OUTER, LIP_BOTTOM_INNER))
_ROLLS = (SHAPE_INDEX["mouthRollUpper"], SHAPE_INDEX["mouthRollLower"])


def adapted_basis(shape: Array) -> Array:
    """(52, 478, 3) the shapes of :func:`portrayal.track.blendshapes.basis` as a face of (478, 3) head-space
    landmarks `shape` makes them: in proportion to its mouth, lips, brows and eyes; a blink closes its own
    eyes exactly. Read-only; the last few faces are remembered."""
    return _adapted(np.ascontiguousarray(shape, np.float32).tobytes())


@lru_cache(maxsize=16)
def _adapted(key: bytes) -> Array:
    shape = np.frombuffer(key, np.float32).reshape(POINTS, 3)
    fields = basis() * _gain(shape)[:, None]
    for (outer, inner), roll in zip(_LIPS, _ROLLS, strict=True):
        thickness = (shape[inner, 1] - shape[outer, 1]) / (mean_face()[inner, 1] - mean_face()[outer, 1])
        fields[roll] *= np.float32(np.clip(thickness, 0.1, 1.2))
    for side, blink in enumerate(BLINKS):
        tops, bottoms = LID_TOPS[side], LID_BOTTOMS[side]
        ratio = float(apertures(shape)[side] / apertures(mean_face())[side])
        fields[blink] = basis()[blink] * np.float32(np.clip(ratio, 0.2, 2.5))
        gap = shape[bottoms] - shape[tops]
        fields[blink, tops] = (1 - LOWER_LID_SHARE) * gap
        fields[blink, bottoms] = -LOWER_LID_SHARE * gap
    fields.flags.writeable = False
    return fields


def apertures(shape: Array) -> Array:
    """(..., 2) how far the right and the left eye are open: mean distance of the lids, eye distances, of
    (..., 478, 3) landmarks."""
    return (shape[..., LID_BOTTOMS, 1] - shape[..., LID_TOPS, 1]).mean(-1)


def iris_widths(shape: Array) -> Array:
    """(2,) how wide the right and the left iris are, eye distances, of (478, 3) landmarks."""
    return np.array(
        [
            2 * np.linalg.norm(shape[list(i[1:])] - shape[i[0]], axis=1).mean()
            for i in (RIGHT_IRIS, LEFT_IRIS)
        ],
        np.float32,
    )


def _gain(shape: Array) -> Array:
    """(478,) how much further each point of `shape` moves than the mean face's."""
    sizes = _sizes(shape) / _sizes(mean_face())
    gains = [
        np.clip(size**power, low, high)
        for size, (power, low, high) in zip(sizes, (MOUTH, BROW, BROW, EYE, EYE), strict=True)
    ]
    return (1 + _regions() @ (np.array(gains) - 1)).astype(np.float32)


def _sizes(shape: Array) -> NDArray[np.float64]:
    """Mouth width, brow heights over the eye and eye widths, right before left; eye distances."""

    def length(a: int, b: int) -> float:
        return float(np.linalg.norm(shape[a] - shape[b]))

    def height(brow: tuple[int, ...], corners: tuple[int, int]) -> float:
        return float(shape[list(corners), 1].mean() - shape[list(brow), 1].mean())

    return np.array(
        [
            length(MOUTH_LEFT, MOUTH_RIGHT),
            max(height(RIGHT_BROW, (RIGHT_EYE_OUTER, RIGHT_EYE_INNER)), 0.05),
            max(height(LEFT_BROW, (LEFT_EYE_OUTER, LEFT_EYE_INNER)), 0.05),
            length(RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
            length(LEFT_EYE_OUTER, LEFT_EYE_INNER),
        ]
    )


@cache
def _regions() -> NDArray[np.float64]:
    """(478, 5) how much each point belongs to each feature of :func:`_sizes`."""
    mean = mean_face().astype(float)
    weights = np.zeros((POINTS, 5))
    weights[:, 0] = 1 / (1 + np.exp(-(mean[:, 1] - 0.4) / 0.06))
    eyes = ((RIGHT_EYE_TOP + RIGHT_EYE_BOTTOM, RIGHT_IRIS), (LEFT_EYE_TOP + LEFT_EYE_BOTTOM, LEFT_IRIS))
    for side, (brow, (lids, iris)) in enumerate(zip((RIGHT_BROW, LEFT_BROW), eyes, strict=True)):
        weights[:, 1 + side] = _near(mean, brow, 0.12)
        weights[:, 3 + side] = _near(mean, lids, 0.08)
        weights[list(iris)] = np.eye(5)[3 + side]
    return weights / np.maximum(weights.sum(1, keepdims=True), 1)


def _near(points: NDArray[np.float64], group: tuple[int, ...], radius: float) -> NDArray[np.float64]:
    distance = np.linalg.norm(points[:, None, :2] - points[list(group), :2], axis=2).min(1)
    return np.exp(-0.5 * (distance / radius) ** 2)

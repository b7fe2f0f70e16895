"""The points of a body in a motion, beside the face.

(133, 3) for a frame, in the order of COCO-WholeBody (Jin et al. 2020, https://arxiv.org/abs/2007.11858): 17
of the body, 6 of the feet, 68 of the face, 21 of each hand. Each is x, y and a score. x right and y down are
in the units of a motion's translation: eye distances, from where the neck pivot was in the first frame. The
score is 0, not seen, to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

POINTS = 133
NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR = 0, 1, 2, 3, 4
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = 5, 6, 7, 8, 9, 10
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 11, 12, 13, 14, 15, 16
#: The 68 points of the face.
FACE = slice(23, 91)
#: The first point of each hand, its root; and in a hand the first joint of the middle finger.
LEFT_HAND, RIGHT_HAND, MIDDLE_FINGER = 91, 112, 9

_BROWS_AND_EYES = {17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}
_NOSE_AND_MOUTH = {31: 35, 32: 34, 48: 54, 49: 53, 50: 52, 55: 59, 56: 58, 60: 64, 61: 63, 65: 67}


def _mirror() -> NDArray[np.intp]:
    other = np.arange(POINTS)
    other[1:17] = np.arange(1, 17).reshape(8, 2)[:, ::-1].ravel()
    other[17:23] = np.roll(np.arange(17, 23), 3)
    face = {i: 16 - i for i in range(8)} | _BROWS_AND_EYES | _NOSE_AND_MOUTH  # iBUG's 68
    for a, b in face.items():
        other[23 + a], other[23 + b] = 23 + b, 23 + a
    other[91:] = np.roll(np.arange(91, POINTS), 21)
    return other


#: For each point the one of the other side of the body.
MIRRORED: NDArray[np.intp] = _mirror()


def stacked(frames: Sequence[Array | None]) -> Array | None:
    """(T, 133, 3) of single frames; in one without a body nothing is seen. None where no frame has one."""
    if all(body is None for body in frames):
        return None
    unseen = np.zeros((POINTS, 3), np.float32)
    return np.stack([unseen if body is None else body for body in frames]).astype(np.float32)


def mixed(a: Array, b: Array, weight: Array | float) -> Array:
    """(..., 133, 3) bodies `weight` of the way from a to b, (T,) where these are (T, 133, 3).

    A point counts as much as it was seen: what only one has is where that has it.
    """
    share = np.asarray(weight, np.float32)[..., None]
    trust = np.stack([(1 - share) * a[..., 2], share * b[..., 2]])
    total = trust.sum(0)
    first = np.where(total > 0, trust[0] / np.maximum(total, 1e-9), 1 - share)[..., None]
    where = first * a[..., :2] + (1 - first) * b[..., :2]
    return np.concatenate([where, total[..., None]], -1).astype(np.float32)


def averaged(bodies: Array, mean: Callable[[Array], Array]) -> Array:
    """(T, 133, 3) bodies with their points averaged over time by `mean`, each as much as it was seen."""
    score = bodies[..., 2:]
    total = mean(score)
    where = np.where(total > 0, mean(score * bodies[..., :2]) / np.maximum(total, 1e-9), bodies[..., :2])
    return np.concatenate([where, total], -1).astype(np.float32)


def mirrored(bodies: Array) -> Array:
    """(..., 133, 3) seen in a mirror."""
    return bodies[..., MIRRORED, :] * np.array([-1, 1, 1], np.float32)

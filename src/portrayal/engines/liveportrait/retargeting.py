"""What the three small networks are asked for: stitching, and opening eyes and lips to a ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Network = Callable[[Array], Array]

#: Points of the eye on the picture's left, and of that on its right.
_EYE_POINTS = ((11, 13), (15, 16))


@dataclass(frozen=True)
class Retargeting:
    """The networks as functions: stitching (N, 126) → (N, 65), eyes (N, 66) → (N, 63), lips (N, 65) → (N,
    63).

    In every method, rest (N or 1, 21, 3) are the portrait's own keypoints.
    """

    stitching: Network
    eyes: Network
    lips: Network

    def stitched(self, rest: Array, points: Array) -> Array:
        """(N, 21, 3) keypoints moved so that what is at the crop's edge stays where it is."""
        delta = self.stitching(_rows(len(points), rest, points))
        shift = np.concatenate([delta[:, 63:65], np.zeros((len(delta), 1), np.float32)], 1)
        return np.asarray(points + delta[:, :63].reshape(-1, 21, 3) + shift[:, None], np.float32)

    def eyes_to(self, rest: Array, now: Array, wanted: Array) -> Array:
        """(N, 21, 3) to add so that both eyes, open by `now` (N or 1, 2), are open by `wanted` (N, 1)."""
        return self.eyes(_rows(len(wanted), rest, now, wanted)).reshape(-1, 21, 3)

    def each_eye_to(self, rest: Array, now: Array, wanted: Array) -> Array:
        """The same for eyes of different openness, `wanted` (N, 2): each eye's points from its own answer."""
        answers = [self.eyes_to(rest, now, wanted[:, side : side + 1]) for side in (0, 1)]
        total = (answers[0] + answers[1]) / 2
        for answer, points in zip(answers, _EYE_POINTS, strict=True):
            total[:, points] = answer[:, points]
        return total

    def lips_to(self, rest: Array, now: Array, wanted: Array) -> Array:
        """(N, 21, 3) to add so that the lips, open by `now` (N or 1,), are open by `wanted` (N,)."""
        return self.lips(_rows(len(wanted), rest, now, wanted)).reshape(-1, 21, 3)


def _rows(count: int, *parts: Array) -> Array:
    """(count, k) the parts side by side, flat; those of one frame repeated."""
    flat = [part.reshape(len(part), -1) for part in parts]
    return np.concatenate([np.broadcast_to(p, (count, p.shape[1])) for p in flat], 1).astype(np.float32)

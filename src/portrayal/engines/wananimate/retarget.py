"""One person's movements on another person's limbs: lengths are the portrait's, angles the driving's.

The official rule: limbs are drawn anew from the neck outwards, each along the driving's, as long as the
portrait's; where the whole stands follows from the feet, or from the neck where these are not seen.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.body import FACE
from portrayal.engines.wananimate.skeleton import (
    L_ANKLE,
    L_HIP,
    L_TOE,
    L_WRIST,
    LIMBS,
    NECK,
    NOSE,
    R_ANKLE,
    R_HIP,
    R_TOE,
    R_WRIST,
    Skeleton,
)

Array = NDArray[np.float64]
Seen = Literal["half", "three-quarter", "full"]
_ORDER: tuple[Seen, ...] = ("half", "three-quarter", "full")

#: Limbs of both sides take the longer ratio, or the mean of both.
_LONGER = ((0, 1), (2, 4), (3, 5), (6, 9), (7, 10), (8, 11), (17, 18))
_MEAN = ((13, 15), (14, 16))
#: A foot is at most half as long as the shin above it.
_FEET = {18: 8, 17: 11}
#: Joints that score less are not relied on: for the scale, for what is seen, for a hand's points.
_SCALE, _SEEN, _HAND = 0.5, 0.4, 0.4
#: Of the 68 points of a face the eyes' and the corners of the mouth.
_EYES, _MOUTH = slice(36, 48), [48, 54]
#: How much longer or shorter a limb may become: of limbs seen end-on no ratio can be told.
CLAMP = (0.5, 2.0)


class Retarget:
    """Moves a portrait's skeleton as a driving moves.

    reference, first: (133, 3) points of the portrait and of the driving's first frame, in pixels of pictures
    of `reference_size` and `driving_size`, (width, height). compat: the official ratios, which know no limit
    and are taken of limbs that are not seen, too; the official scale, which is that of the pictures where not
    both show hips; and unseen roots of hands as far from the wrists as in the driving, in pixels.
    """

    def __init__(
        self,
        reference: NDArray[np.floating],
        reference_size: tuple[int, int],
        first: NDArray[np.floating],
        driving_size: tuple[int, int],
        compat: bool = False,
    ) -> None:
        own, other = Skeleton.of(reference).body, Skeleton.of(first).body
        faces = None if compat else _face_scale(reference, first)
        self.scale = _scale(own, reference_size, other, driving_size, faces)
        canvas = [int(side * self.scale) for side in reference_size]
        enlarged = own.copy()
        enlarged[:, :2] *= np.array(canvas) / reference_size
        self.seen: Seen = min(_seen(own, reference_size), _seen(other, driving_size), key=_ORDER.index)
        self._ratios = _ratios(enlarged, other, None if compat else CLAMP)
        self._to_root = 1.0 if compat else 1 / self.scale
        moved = self._limbs(other)
        self._offset = _offset(moved, enlarged, self.seen)

    def __call__(self, points: NDArray[np.floating]) -> Skeleton:
        """The portrait's skeleton, in its pixels, as the driving's points (133, 3) move it."""
        driving = Skeleton.of(points)
        body = self._limbs(driving.body)
        body[:, :2] = (body[:, :2] - self._offset) / self.scale
        hands = sorted_hands(driving)
        left, right = (
            self._hand(hand, driving.body[wrist], body[wrist])
            for hand, wrist in zip(hands, (L_WRIST, R_WRIST), strict=True)
        )
        return Skeleton(body, left, right)

    def _limbs(self, body: Array) -> Array:
        new = body.copy()
        for index, (parent, child) in enumerate(LIMBS):
            limb = self._ratios[index] * (body[child, :2] - body[parent, :2])
            if index in _FEET:
                above, below = LIMBS[_FEET[index]]
                most = 0.5 * np.linalg.norm(new[below, :2] - new[above, :2])
                limb *= min(1.0, most / max(float(np.linalg.norm(limb)), 1e-9))
            new[child, :2] = new[parent, :2] + limb
        return new

    def _hand(self, hand: Array, old: Array, wrist: Array) -> Array:
        """Scaled about its root and put with it on the wrist; an unseen root is as far from the wrist
        as it was: in the portrait's pixels, or as published in the driving's."""
        new = hand.copy()
        grown = max(self._ratios[0], self._ratios[1]) / self.scale
        place = wrist[:2]
        if hand[0, 2] < _HAND:
            place = place + (hand[0, :2] - old[:2]) * self._to_root
        new[:, :2] = np.trunc((hand[:, :2] - hand[0, :2]) * grown + place)
        new[hand[:, 2] < _HAND] = (0, 0, 0)
        return new


def sorted_hands(skeleton: Skeleton) -> tuple[Array, Array]:
    """The hands, those nearer to the left and the right wrist."""
    left, right = skeleton.left, skeleton.right
    wrists = skeleton.body[[L_WRIST, R_WRIST], :2]
    to_left, to_right = np.linalg.norm(wrists - right[0, :2], axis=1)
    return (right, left) if to_left < to_right else (left, right)


def _face_scale(own: NDArray[np.floating], other: NDArray[np.floating]) -> float | None:
    """How much larger the driving's face is from eyes to mouth, which a turn of the head leaves as long as it
    is; None where one is not seen."""
    lengths = []
    for points in (own, other):
        face = np.asarray(points[FACE], np.float64)
        if face[:, 2].mean() <= _SCALE:
            return None
        lengths.append(np.linalg.norm(face[_EYES, :2].mean(0) - face[_MOUTH, :2].mean(0)))
    return float(lengths[1] / lengths[0]) if min(lengths) > 0 else None


def _scale(
    own: Array, size: tuple[int, int], other: Array, other_size: tuple[int, int], faces: float | None
) -> float:
    """How much larger the driving's person is: by the heights, else `faces`, else by the pictures."""
    for joints in ((R_ANKLE, L_ANKLE), (R_HIP, L_HIP)):
        needed = [NOSE, *joints]
        if min(own[needed, 2].min(), other[needed, 2].min()) > _SCALE:
            heights = [body[list(joints), 1].mean() - body[NOSE, 1] for body in (own, other)]
            return float(heights[1] / heights[0])
    if faces is not None:
        return faces
    return float(np.sqrt(other_size[0] * other_size[1]) / np.sqrt(size[0] * size[1]))


def _seen(body: Array, size: tuple[int, int]) -> Seen:
    def there(*joints: int) -> bool:
        return bool((body[list(joints), 1] <= size[1]).all() and (body[list(joints), 2] >= _SEEN).all())

    if not there(R_HIP, L_HIP):
        return "half"
    return "full" if there(R_ANKLE, L_ANKLE) else "three-quarter"


def _ratios(own: Array, other: Array, limits: tuple[float, float] | None) -> Array:
    """(19,) of the limbs. limits: within which they are kept, those of limbs not seen in both being 1."""
    lengths = [
        np.array([np.linalg.norm(body[a, :2] - body[b, :2]) for a, b in LIMBS]) for body in (own, other)
    ]
    ratios = lengths[0] / np.maximum(lengths[1], 1e-9)
    if limits is not None:
        there = np.minimum(own[:, 2], other[:, 2]) >= _SEEN
        ratios[~there[list(LIMBS)].all(1)] = np.nan
    for pairs, choose in ((_LONGER, np.max), (_MEAN, np.mean)):
        for pair in pairs:
            both = ratios[list(pair)]
            known = both[~np.isnan(both)]
            ratios[list(pair)] = choose(known) if len(known) else np.nan
    return ratios if limits is None else np.clip(np.nan_to_num(ratios, nan=1.0), *limits)


def _offset(moved: Array, own: Array, seen: Seen) -> Array:
    """(2,) how far the driving's person, with new limbs, stands from the portrait's."""
    if seen != "full":
        return np.asarray(moved[NECK, :2] - own[NECK, :2])
    ground = max(own[[R_ANKLE, R_TOE], 1].mean(), own[[L_ANKLE, L_TOE], 1].mean())
    across = moved[[R_HIP, L_HIP], 0].mean() - own[[R_HIP, L_HIP], 0].mean()
    return np.array([across, moved[[R_ANKLE, L_ANKLE], 1].max() - ground])

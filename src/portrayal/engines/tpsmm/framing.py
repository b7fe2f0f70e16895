"""Squares that show two bodies alike: the portrait's and the driving's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal.engines.tpsmm.crop import Square

Array = NDArray[np.float32]

#: Points with a lower score are not seen.
SEEN = 0.5
#: Head, arms and hips; legs and feet; hands. Faces are within.
_UPPER, _LEGS, _HANDS = range(13), range(13, 23), range(91, b.POINTS)
#: How far a head reaches above its nose, in shoulder widths; the side of a square over that of what it shows.
_CROWN, _ROOM = 0.55, 1.15


class _Stance(NamedTuple):
    """Where a body stands: between the shoulders, and a length that grows with it, pixels."""

    origin: Array
    unit: float


def alike(own: Array, driving: Sequence[Array], heights: tuple[int, int]) -> tuple[Square, Square] | None:
    """A square of the portrait and one of the driving, with the bodies of the same size in the same place.

    own: (133, 3) points and scores of the portrait; driving: of some frames; heights: of their pictures, in
    pixels. Both show all that either shows from the hips up, and legs as far as both show them, but nothing
    that is below one of the pictures. None where one shows no shoulders.
    """
    bodies = [body for body in driving if _has(body, b.LEFT_SHOULDER, b.RIGHT_SHOULDER)]
    if not bodies or not _has(own, b.LEFT_SHOULDER, b.RIGHT_SHOULDER):
        return None
    hips = _has(own, b.LEFT_HIP, b.RIGHT_HIP) and all(_has(body, b.LEFT_HIP, b.RIGHT_HIP) for body in bodies)
    here, there = _stance([own], hips), _stance(bodies, hips)
    legs = [joint for joint in _LEGS if _has(own, joint) and any(_has(body, joint) for body in bodies)]
    shown = [*_UPPER, *legs, *_HANDS]
    points = [_shown(own, shown, here), *(_shown(body, shown, there) for body in bodies)]
    everything = np.concatenate(points)
    end = min(
        (height - stance.origin[1]) / stance.unit
        for height, stance in zip(heights, (here, there), strict=True)
    )
    low, high = everything.min(0), everything.max(0)
    high[1] = max(min(high[1], end), 0)
    centre, side = (low + high) / 2, _ROOM * float((high - low).max())
    centre[1] = min(centre[1], end - side / 2)
    return _square(here, centre, side), _square(there, centre, side)


def common(a: Array, c: Array) -> list[int]:
    """Points from the knees up, hands without, that both of two bodies show."""
    return [joint for joint in range(15) if _has(a, joint) and _has(c, joint)]


def _has(body: Array, *joints: int) -> bool:
    return bool((body[list(joints), 2] > SEEN).all())


def _stance(bodies: Sequence[Array], hips: bool) -> _Stance:
    """Through some frames of one body. hips: whether they are seen, which makes the length sure."""
    points = np.array([body[:, :2] for body in bodies])
    shoulders = points[:, [b.LEFT_SHOULDER, b.RIGHT_SHOULDER]]
    middle = shoulders.mean(1)
    unit = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1)
    if hips:
        unit = unit + np.linalg.norm(points[:, [b.LEFT_HIP, b.RIGHT_HIP]].mean(1) - middle, axis=1)
    # A body that turns aside or bends looks smaller than it is.
    return _Stance(np.median(middle, axis=0), max(float(np.percentile(unit, 80)), 1e-3))


def _shown(body: Array, joints: list[int], stance: _Stance) -> Array:
    """(N, 2) the points that are seen, and the top of the head, in the stance's units."""
    seen = body[joints]
    points = seen[seen[:, 2] > SEEN, :2]
    across = np.linalg.norm(body[b.LEFT_SHOULDER, :2] - body[b.RIGHT_SHOULDER, :2])
    crown = body[b.NOSE, :2] - np.array([0, _CROWN * across], np.float32)
    return np.asarray((np.vstack([points, crown]) - stance.origin) / stance.unit, np.float32)


def _square(stance: _Stance, centre: Array, side: float) -> Square:
    length = max(2, round(side * stance.unit))
    left, top = (round(float(v)) for v in stance.origin + centre * stance.unit - length / 2)
    return Square(left, top, length)

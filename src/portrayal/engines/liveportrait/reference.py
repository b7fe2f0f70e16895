"""Which driving frame shows what the portrait shows?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Literal

import numpy as np

from portrayal.engines.liveportrait.keypoints import NEUTRAL, FaceMotion
from portrayal.engines.liveportrait.offsets import offset
from portrayal.errors import PortrayalError

Choice = int | Literal["auto", "neutral"]

#: Changes of the expression that count alike, by coordinate; the rest of it says more of whose face it is.
_SPREAD = offset(
    "11y .004, 13y .004, 15y .004, 16y .004, 14y .008, 17y .005, 17z .005, 19y .015, 20y .010, 20z .008,"
    "1y .008, 2y .008, 11x .006, 15x .006"
)
_COUNTS = _SPREAD > 0
#: Head turn (degrees) that counts as much as one of them.
_TURN = 8.0


def with_reference(
    frames: Iterable[FaceMotion], choice: Choice, portrait: FaceMotion, ahead: int
) -> tuple[FaceMotion, Iterator[FaceMotion]]:
    """The reference frame, and all frames (N = 1 each) from the first on.

    choice: a frame number; "auto": the frame closest to the portrait (N = 1) in expression and head angles;
    "neutral": the one closest to a neutral face seen from the front. At most `ahead` frames are looked at.
    PortrayalError where there is no such frame.
    """
    stream = iter(frames)
    head = list(islice(stream, choice + 1 if isinstance(choice, int) else max(ahead, 1)))
    if not head:
        raise PortrayalError("the driving has no frames")
    if isinstance(choice, int):
        if choice >= len(head):
            raise PortrayalError(
                f"--reference-frame {choice}: the driving has {len(head)} frames, counted from 0"
            )
        return head[choice], chain(head, stream)
    return closest(head, portrait if choice == "auto" else None), chain(head, stream)


def closest(frames: Iterable[FaceMotion], portrait: FaceMotion | None) -> FaceMotion:
    """The frame that looks most like the portrait does, or, without one, like a neutral face."""
    expression = NEUTRAL if portrait is None else portrait.expression[0]
    angles = np.zeros(3, np.float32) if portrait is None else portrait.angles[0]

    def distance(frame: FaceMotion) -> float:
        change = (frame.expression[0] - expression)[_COUNTS] / _SPREAD[_COUNTS]
        turn = (frame.angles[0] - angles) / _TURN
        return float((change**2).sum() + (turn**2).sum())

    return min(frames, key=distance)

"""Which driving frame shows the expression that the portrait has?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.motion import SHAPES, MotionFrame

Choice = int | Literal["auto", "neutral"]

#: How much a difference in each coefficient matters; open eyes and mouths stand out most.
_WEIGHT = np.array(
    [
        3.0 if "Blink" in s or s == "jawOpen" else 1.5 if s.startswith(("eyeLook", "mouthSmile")) else 0.7
        for s in SHAPES
    ],
    np.float32,
)
#: Head turn (degrees) that counts as much as a full coefficient.
_TURN = 25.0


def with_reference(
    frames: Iterable[MotionFrame],
    choice: Choice,
    portrait: NDArray[np.float32],
    angles: NDArray[np.float32],
    ahead: int,
) -> tuple[MotionFrame | None, Iterator[MotionFrame]]:
    """The reference frame, and all frames from the first on.

    choice: a frame number; "auto": the one closest to the portrait's own (52,) coefficients and (3,) head
    angles; "neutral": the one closest to a neutral face. At most `ahead` frames are looked at. The reference
    is None when the motion was not tracked from pictures: it is relative to a neutral face already.
    """
    stream = iter(frames)
    head = list(islice(stream, choice + 1 if isinstance(choice, int) else ahead))
    if isinstance(choice, int):
        if choice >= len(head) or choice < 0:
            raise PortrayalError(
                f"--reference-frame {choice}: the driving has {len(head)} frames, counted from 0"
            )
        return (head[choice] if head[choice].shape is not None else None), chain(head, stream)
    seen = [f for f in head if f.tracked and f.shape is not None]
    wanted = portrait if choice == "auto" else np.zeros_like(portrait)
    facing = angles if choice == "auto" else np.zeros_like(angles)

    def distance(frame: MotionFrame) -> float:
        expression = _WEIGHT * (frame.coefficients - wanted)
        turn = (frame.rotation - facing) / _TURN
        return float((expression**2).sum() + (turn**2).sum())

    return min(seen, key=distance, default=None), chain(head, stream)

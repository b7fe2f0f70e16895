"""How a driving video is cropped: a still box, or one that follows the face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import DRIVING_SCALE, DRIVING_SHIFT, Anchors, Square, mean_square
from portrayal.engines.liveportrait.keypoints import FaceMotion

Array = NDArray[np.floating]

#: Share of the way to a new place that a following box goes in one frame.
_PACE = 0.2


def driving_square(
    landmarks: Array, scale: float = DRIVING_SCALE, shift: tuple[float, float] = DRIVING_SHIFT
) -> Square:
    """The upright square around MediaPipe's (478, 2) or (478, 3) landmarks of a driving frame."""
    return Square.around(Anchors.of_mesh(landmarks), scale, shift).upright


def still(squares: Iterable[Square], ahead: int) -> Iterator[Square]:
    """The same square for every frame: the mean of the first `ahead` frames'."""
    stream = iter(squares)
    first = list(islice(stream, max(ahead, 1)))
    if not first:
        return
    box = mean_square(first)
    for _ in chain(first, stream):
        yield box


def following(squares: Iterable[Square]) -> Iterator[Square]:
    """Squares that follow the face softly, so that what they cut does not tremble."""
    place: Array | None = None
    for square in squares:
        target = np.array([*square.centre, square.side])
        place = target if place is None else place + _PACE * (target - place)
        x, y, side = (float(v) for v in place)
        yield Square((x, y), side)


def as_seen_in(motion: FaceMotion, square: Square, base: Square) -> FaceMotion:
    """A motion measured in crops of one square as it would have been measured in those of another.

    So a box that follows takes nothing of the head's way through the picture away.
    """
    ratio = square.side / base.side
    moved = (np.array(square.centre) - np.array(base.centre)) * 2 / base.side
    shift = np.array([*moved, 0.0])
    return replace(
        motion,
        scale=(motion.scale * ratio).astype(np.float32),
        translation=(motion.translation * ratio + shift).astype(np.float32),
    )

"""How a driving video is cropped: a still box, or one that follows the face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import DRIVING_SCALE, DRIVING_SHIFT, Anchors, Square
from portrayal.engines.liveportrait.keypoints import FaceMotion

Array = NDArray[np.floating]

#: Share of the way to a new place that a following box goes in one frame.
PACE = 0.2


def driving_square(
    landmarks: Array, scale: float = DRIVING_SCALE, shift: tuple[float, float] = DRIVING_SHIFT
) -> Square:
    """The upright square around MediaPipe's (478, 2) or (478, 3) landmarks of a driving frame."""
    return Square.around(Anchors.of_mesh(landmarks), scale, shift).upright


def followed(place: Square, wanted: Square) -> Square:
    """The box of the next frame: part of the way to where the face is, so that what it cuts does not
    tremble.
    """
    edges = np.array([*place.centre, place.side])
    x, y, side = edges + PACE * (np.array([*wanted.centre, wanted.side]) - edges)
    return Square((float(x), float(y)), float(side))


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

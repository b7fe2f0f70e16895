"""What Wan-Animate is steered by, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Condition:
    """Of one driving frame, at the size (H, W) of the result.

    pose: (H, W, 3) drawing of the skeleton. face: (512, 512, 3). background: (H, W, 3) the frame with the
    person cut out, mask: (H, W) 255 where the person is; both None unless the person is to be replaced.
    """

    pose: Rgb
    face: Rgb
    background: Rgb | None = None
    mask: NDArray[np.uint8] | None = None

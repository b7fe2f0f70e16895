"""The eyes: eyeballs behind the lids, and the lids' skin as they close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face


class Eyes:
    """Paints one portrait's eyes.

    rgb: (H, W, 3) uint8; face: its landmarks in the same pixels.
    """

    def __init__(self, rgb: NDArray[np.uint8], face: Face) -> None:
        self._face = face

    def paint(self, canvas: NDArray[np.uint8], target: Target) -> None:
        """Paint into `canvas` ((H, W, 3) uint8, the warped portrait), in place."""

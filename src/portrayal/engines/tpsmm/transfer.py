"""From the driving's key points to the portrait's, and which driving frame shows what the portrait shows.

Key points are (50, 2), (x, y) in [-1, 1] of the square that the model sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mode = Literal["relative", "standard", "avd"]


@dataclass(frozen=True)
class Transfer:
    """Carries key points over to one portrait.

    source: (50, 2) its own. reference: (50, 2) of the driving frame that shows what it shows. strength: of
    the motion, 1 as driven. avd: the network that gives a pose (N, 50, 2) the portrait's build.
    """

    mode: Mode
    source: Array
    reference: Array
    strength: float = 1.0
    avd: Callable[[Array, Array], Array] | None = None

    def __call__(self, driving: Array) -> Array:
        """(N, 50, 2) of the driving to (N, 50, 2) for the portrait."""
        if self.mode == "relative":
            moved = self.source + self._growth * (driving - self.reference)
        elif self.mode == "standard":
            moved = driving
        else:
            assert self.avd is not None
            moved = self.avd(np.broadcast_to(self.source, driving.shape), driving)
        return np.asarray(self.source + self.strength * (moved - self.source), np.float32)

    @property
    def _growth(self) -> np.float32:
        """How much larger the portrait's points are spread than the driving's."""
        return np.float32(np.sqrt(spread(self.source)) / np.sqrt(spread(self.reference)))


def spread(points: Array) -> float:
    """The area of the convex hull of (N, 2) points; of points on a line a trifle."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(np.asarray(points, np.float64)).volume)
    except QhullError:
        return 1e-9


def normalised(points: Array) -> NDArray[np.float64]:
    """(N, 2) points about their mean, in units of their spread."""
    centred = np.asarray(points, np.float64) - points.mean(0, dtype=np.float64)
    return centred / np.sqrt(spread(points))


def unlikeness(a: Array, b: Array) -> float:
    """How different two sets of (N, 2) points are, apart from place and size: a sum of squares."""
    return float(((normalised(a) - normalised(b)) ** 2).sum())

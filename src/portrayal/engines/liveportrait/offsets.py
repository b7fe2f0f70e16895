"""Changes of an expression, written as what they add to single coordinates: `19y .1, 17y -.01`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def offset(text: str) -> Array:
    """(21, 3) from points (0 to 20), axes (x, y, z) and numbers; the text may be empty."""
    change = np.zeros((21, 3), np.float32)
    for term in filter(None, (part.strip() for part in text.split(","))):
        place, value = term.split()
        change[int(place[:-1]), "xyz".index(place[-1])] += float(value)
    return change


#: Where the expressions of extreme faces end: least and most of a coordinate, in thousandths.
_LIMITS = {
    "11y": (-19, 34), "15y": (-25, 33), "14y": (-40, 49), "17y": (-25, 30), "17z": (-27, 14),
    "19x": (-41, 36), "19y": (-74, 181), "19z": (-44, 28), "20x": (-19, 22), "20y": (-37, 87),
    "20z": (-13, 33), "1y": (-33, 62), "2y": (-43, 45), "5y": (-224, 99),
}  # fmt: skip


def _bounds() -> tuple[Array, Array]:
    low, high = np.full((21, 3), -np.inf, np.float32), np.full((21, 3), np.inf, np.float32)
    for place, (least, most) in _LIMITS.items():
        where = int(place[:-1]), "xyz".index(place[-1])
        low[where], high[where] = least / 1000, most / 1000
    return low, high


LOWEST, HIGHEST = _bounds()


def limited(expression: Array) -> Array:
    """(..., 21, 3) no further than faces go, as the expressions of many faces have shown."""
    return np.clip(expression, LOWEST, HIGHEST)

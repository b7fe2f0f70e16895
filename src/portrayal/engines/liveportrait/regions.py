"""Which part of a face takes the driving's motion: regions, and combinations of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import UsageError

Mask = NDArray[np.bool_]

REGIONS = ("all", "exp", "pose", "lip", "eyes")

LIPS = (6, 12, 14, 17, 19, 20)
EYES = (11, 13, 15, 16, 18)
#: The parts of an expression that a face does not owe to its shape: points with all axes, and single axes.
_LIVE_POINTS = (1, 2, 6, *range(11, 21))
_LIVE_AXES = ((3, 1), (4, 1), (5, 2), (8, 2), (9, 1), (9, 2))


def parse_regions(text: str) -> frozenset[str]:
    """`lip` or `exp,pose`: names of :data:`REGIONS`; UsageError for any other."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in REGIONS:
            raise UsageError(
                f"there is no region {name!r}; use {', '.join(REGIONS)}, or some of them: lip,eyes"
            )
    return frozenset(names)


def moves_head(regions: frozenset[str]) -> bool:
    """Whether the head turns and shifts with the driving."""
    return bool(regions & {"all", "pose"})


def expression_mask(regions: frozenset[str], *, whole: bool) -> Mask:
    """(21, 3) which coordinates of the expression follow the driving.

    whole: for the regions all and exp take every coordinate, as is right for the change of an expression, not
    only those 45 that are free of the shape of a face.
    """
    mask = np.zeros((21, 3), bool)
    if regions & {"all", "exp"}:
        if whole:
            return ~mask
        mask[list(_LIVE_POINTS)] = True
        for point, axis in _LIVE_AXES:
            mask[point, axis] = True
    if "lip" in regions:
        mask[list(LIPS)] = True
    if "eyes" in regions:
        mask[list(EYES)] = True
    return mask

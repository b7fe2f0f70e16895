"""Sliders that single engines have beyond the 52 coefficients: their names, and their values over time.

They travel with a motion. An engine that has them applies them; others leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Curves = Mapping[str, Array]

#: Values that are not 0 at rest.
_REST = {"scale": 1.0, "zoom": 1.0}


def rest_of(name: str) -> float:
    """The value of a slider or channel at which nothing changes."""
    return _REST.get(name, 0.0)


def as_curves(values: Mapping[str, float]) -> dict[str, Array]:
    """The values of one frame as curves of that length."""
    return {name: np.array([value], np.float32) for name, value in values.items()}


def joined(parts: Sequence[Curves], lengths: Sequence[int]) -> dict[str, Array]:
    """Curves one after the other; a slider that a part lacks is at rest there. lengths: of the parts."""
    names = {name for part in parts for name in part}
    return {
        name: np.concatenate(
            [
                np.asarray(part.get(name, np.full(n, rest_of(name))), np.float32)
                for part, n in zip(parts, lengths, strict=True)
            ]
        )
        for name in sorted(names)
    }


def mixed(a: Curves, b: Curves, weight: Array) -> dict[str, Array]:
    """Curves `weight` (T,) of the way from a to b; what one lacks is at rest in it."""
    length = len(weight)
    first, second = joined([a, b], [length, length]), joined([b, a], [length, length])
    return {
        name: (curve[:length] + weight * (second[name][:length] - curve[:length])).astype(np.float32)
        for name, curve in first.items()
    }

"""Smoothing of a motion over time: the Rauch-Tung-Striebel smoother of a random walk.

LivePortrait smooths what it transfers to a video with a Kalman smoother whose transition and observation are
identities (Rauch, Tung, Striebel 1965); there every coordinate has the same gains, so the work is linear in
the number of frames. It starts at the first sample with variance 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Variance of one step of the walk.
PROCESS = 1e-5
#: How little of what comes later than the look-ahead may count.
_NEGLIGIBLE = 1e-6


def smooth(samples: Array, observation: float, process: float = PROCESS) -> Array:
    """(T, ...) samples smoothed over all of time. observation: their variance, the larger the smoother."""
    walk = _Walk(observation, process)
    for sample in samples:
        walk.add(sample)
    return np.array(walk.smoothed(), np.float32).reshape(np.shape(samples))


def look_ahead(observation: float, process: float = PROCESS) -> int:
    """Frames after which what comes next changes an estimate by less than a millionth of itself."""
    variance = (math.sqrt(process**2 + 4 * process * observation) - process) / 2  # of a filter in its course
    gain = variance / (variance + process)
    return max(1, math.ceil(math.log(_NEGLIGIBLE) / math.log(gain))) if gain > 0 else 1


def smooth_stream(samples: Iterable[Array], observation: float, process: float = PROCESS) -> Iterator[Array]:
    """Samples smoothed one by one in the memory of :func:`look_ahead` frames, twice.

    The same as :func:`smooth` for clips up to that length, and to a millionth of a sample's change beyond.
    """
    reach = look_ahead(observation, process)
    walk = _Walk(observation, process)
    for sample in samples:
        walk.add(sample)
        if len(walk) == 2 * reach:
            yield from (estimate.astype(np.float32) for estimate in walk.smoothed()[:reach])
            walk.forget(reach)
    yield from (estimate.astype(np.float32) for estimate in walk.smoothed())


class _Walk:
    """Filtered means and variances of a random walk seen through noise, and their smoothing."""

    def __init__(self, observation: float, process: float) -> None:
        self._observation, self._process = observation, process
        self._means: list[NDArray[np.float64]] = []
        self._variances: list[float] = []

    def __len__(self) -> int:
        return len(self._means)

    def add(self, sample: Array) -> None:
        value = np.asarray(sample, np.float64)
        mean = self._means[-1] if self._means else value
        predicted = self._variances[-1] + self._process if self._means else 1.0
        gain = predicted / (predicted + self._observation)
        self._means.append(mean + gain * (value - mean))
        self._variances.append((1 - gain) * predicted)

    def smoothed(self) -> list[NDArray[np.float64]]:
        """Every mean in the light of all that came later."""
        estimates = self._means[-1:]
        for mean, variance in zip(self._means[-2::-1], self._variances[-2::-1], strict=True):
            gain = variance / (variance + self._process)
            estimates.append(mean + gain * (estimates[-1] - mean))
        return estimates[::-1]

    def forget(self, count: int) -> None:
        """Drop the first frames, which have been handed out."""
        del self._means[:count], self._variances[:count]

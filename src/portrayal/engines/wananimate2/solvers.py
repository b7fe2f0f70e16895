"""The two ways from noise to frames that Wan-Animate-2 was released with.

Both go along sigma = 5 s / (1 + 4 s) for s from 1 in equal steps to 0 (flow matching, shift 5): the distilled
weights by Euler steps, the base ones by DPM-Solver++ (2M, midpoint; Lu et al. 2022, arXiv 2211.01095).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SHIFT = 5.0


class Solver(Protocol):
    """Goes through the times of a segment; made once, started for each."""

    times: Tensor

    def start(self, steps: int, device: torch.device) -> None:
        """Forget the segment before."""

    def step(self, velocity: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """The latents at the next time, given what the network said at `time`."""


def sigmas(steps: int) -> Tensor:
    """The noise levels (steps + 1,) float64, from 1 to 0."""
    s = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    return SHIFT * s / (1 + (SHIFT - 1) * s)


class Euler:
    """Straight steps."""

    def __init__(self) -> None:
        self.start(1, torch.device("cpu"))

    def start(self, steps: int, device: torch.device) -> None:
        levels = sigmas(steps)
        self._levels, self._index = levels.tolist(), 0
        self.times = (levels[:-1] * 1000).long().to(device)

    def step(self, velocity: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        here, there = self._levels[self._index : self._index + 2]
        self._index += 1
        return latents + (there - here) * velocity.float()


class Midpoint(Euler):
    """Steps of second order, the first and the last of first order."""

    def start(self, steps: int, device: torch.device) -> None:
        super().start(steps, device)
        self._before: Tensor | None = None

    def step(self, velocity: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        levels, i = self._levels, self._index
        here, there = levels[i : i + 2]
        clean = latents - here * velocity.float()
        slope = clean
        if self._before is not None and there > 0:
            # In half the logarithm of signal over noise, where the solver's steps are measured.
            step, last = _log_ratio(there) - _log_ratio(here), _log_ratio(here) - _log_ratio(levels[i - 1])
            slope = clean + (clean - self._before) * (step / last) / 2
        self._before, self._index = clean, i + 1
        # exp(-step) = (there / here) * (1 - here) / (1 - there): the rest of (1 - there) is the clean's
        # share.
        share = (1 - there) - (there / here) * (1 - here)
        return (there / here) * latents + share * slope


def _log_ratio(level: float) -> float:
    """log((1 - sigma) / sigma), minus infinity for pure noise."""
    if level >= 1:
        return float("-inf")
    return float(torch.logit(torch.tensor(1 - level, dtype=torch.float64)))

"""Forms of the same work, timed by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

#: Does the work once.
Draw = Callable[[], Tensor]


def measured(
    draws: dict[str, Draw], rounds: int, frames: int, device: torch.device
) -> dict[str, tuple[float, float]]:
    """Median milliseconds of a frame, by the clock and of the processor.

    The forms take turns, so that what disturbs the machine disturbs all.
    """
    for draw in draws.values():
        for _ in range(3 if device.type == "cuda" else 1):
            draw()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in draws}
    for _ in range(rounds):
        for name, draw in draws.items():
            start = _now(device)
            draw()
            end = _now(device)
            times[name].append(((end[0] - start[0]) * 1000 / frames, (end[1] - start[1]) * 1000 / frames))
    return {
        name: (statistics.median(wall for wall, _ in values), statistics.median(cpu for _, cpu in values))
        for name, values in times.items()
    }


def _now(device: torch.device) -> tuple[float, float]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter(), time.process_time()

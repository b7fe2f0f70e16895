"""A training's losses and pictures, for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from portrayal.engines.tpsmm.training.trainer import Seen

#: Rows of a picture.
ROWS = 4


class Journal:
    """Writes the losses of every step, and a picture every so many of them.

    folder: for TensorBoard. steps: in an epoch. every: steps between pictures; the first step has one.
    """

    def __init__(self, folder: Path, steps: int, every: int) -> None:
        self._writer = SummaryWriter(str(folder))
        self._steps, self._every = steps, every

    def __call__(self, epoch: int, step: int, losses: dict[str, float], seen: Seen | None) -> None:
        """After step `step`, counted from 1, of an epoch."""
        done = epoch * self._steps + step
        for name, value in losses.items():
            self._writer.add_scalar(f"loss/{name}", value, done)
        if seen is not None and (done == 1 or done % self._every == 0):
            self._writer.add_image("source, driving, prediction, difference", sheet(seen), done)
            self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def sheet(seen: Seen) -> Tensor:
    """(3, H, W) a row for each of the first pairs: source, driving, prediction, and how far it is off."""
    parts = [part[:ROWS].detach().float().cpu() for part in seen]
    parts.append((parts[1] - parts[2]).abs())
    rows = torch.cat(parts, dim=3)
    return torch.cat(list(rows), dim=1).clamp(0, 1)

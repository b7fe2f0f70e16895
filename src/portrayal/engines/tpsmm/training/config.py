"""The published settings of a training, by what the model is to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """size: pixels. repeats: how often a clip is drawn in an epoch. dropout: of splines, its first and its
    largest probability, until the last epoch of :data:`DROPOUT_EPOCHS`. background: first epoch that predicts
    the background's motion, None for never. identities: whether clips of one identity (the name before '#')
    count as one. zoom: largest random change of size before a crop. hue: of the colour jitter. avd: epochs,
    milestones and repeats of the second stage.
    """

    size: int
    repeats: int
    batch: int
    dropout: tuple[float, float]
    background: int | None
    identities: bool = True
    zoom: float = 0.0
    hue: float = 0.1
    avd: tuple[int, tuple[int, int], int] = (100, (70, 90), 150)


CONFIGS = {
    "vox": Config(256, 75, 28, (0.1, 0.3), 10, avd=(200, (140, 180), 300)),
    "taichi": Config(256, 150, 28, (0.0, 0.7), 0),
    "ted": Config(384, 150, 12, (0.0, 0.5), 0, avd=(30, (20, 25), 500)),
    "mgif": Config(
        256, 50, 28, (0.2, 0.5), None, identities=False, zoom=0.1, hue=0.5, avd=(100, (70, 90), 50)
    ),
}
EPOCHS, MILESTONES = 100, (70, 90)
RATE, AVD_RATE, AVD_BATCH = 2e-4, 1e-3, 256
BETAS, DECAY = (0.5, 0.999), 1e-4
#: Largest absolute gradient.
CLIP = 10.0
#: Epochs over which splines are dropped, and those over which the probability rises.
DROPOUT_EPOCHS, DROPOUT_RISE = 35, 10


def dropout(config: Config, epoch: int) -> float:
    """Probability that a spline is left out in an epoch; 0 when dropping is over."""
    if epoch >= DROPOUT_EPOCHS:
        return 0.0
    start, most = config.dropout
    return min(epoch / DROPOUT_RISE * most + start, most)

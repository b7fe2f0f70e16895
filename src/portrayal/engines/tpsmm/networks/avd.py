"""Animation via disentanglement: the driving's pose with the source's build."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class AvdNetwork(nn.Module):
    """Key points of source and driving (B, K, 2) -> the driving's (B, K, 2) as the source would have them."""

    def __init__(self, points: int = 50, bottleneck: int = 128) -> None:
        super().__init__()
        numbers = 2 * points
        self.id_encoder = _perceptron(numbers, 256, 512, 1024, bottleneck)
        self.pose_encoder = _perceptron(numbers, 256, 512, 1024, bottleneck)
        self.decoder = _perceptron(2 * bottleneck, 1024, 512, 256, numbers)

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        both = torch.cat([self.pose_encoder(driving.flatten(1)), self.id_encoder(source.flatten(1))], 1)
        return self.decoder(both).view_as(driving)


def _perceptron(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

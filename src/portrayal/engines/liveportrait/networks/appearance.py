"""The appearance feature extractor: a picture of a face as a volume."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv2(relu(conv1(relu(scale * x + shift)))) on volumes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1, 1))
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(torch.addcmul(self.shift, x, self.scale)))
        return x + self.conv2(F.relu(y))


class AppearanceFeatureExtractor(nn.Module):
    """(B, 3, H, W) RGB in [0, 1] -> the volume (B, channels, depth, H/4, W/4); H = W = 256 in training.

    widths: of the first convolution and of every halving after it.
    """

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256), channels: int = 32, depth: int = 16, blocks: int = 6
    ) -> None:
        super().__init__()
        self.volume = (channels, depth)
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.second = nn.Conv2d(widths[-1], channels * depth, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.first(image))
        for down in self.downs:
            x = F.avg_pool2d(F.relu(down(x)), 2)
        return self.blocks(self.second(x).unflatten(1, self.volume))

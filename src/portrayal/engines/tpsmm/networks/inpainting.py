"""The source's features, warped, and what is missing painted in."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from portrayal.engines.tpsmm.networks.blocks import (
    Activation,
    DownBlock,
    ResidualBlock,
    SameBlock,
    UpBlock,
    warped,
)
from portrayal.engines.tpsmm.networks.dense_motion import DenseMotion


class InpaintingNetwork(nn.Module):
    """The source (B, 3, H, W) in [0, 1] and its dense motion -> the frame (B, 3, H, W) in [0, 1]."""

    def __init__(
        self, expansion: int = 64, most: int = 512, downs: int = 3, activation: Activation = "relu"
    ) -> None:
        super().__init__()
        widths = [min(most, expansion * 2**i) for i in range(downs + 1)]
        self.first = SameBlock(3, expansion, activation, kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(a, b, activation) for a, b in pairwise(widths))
        coarse = widths[::-1]
        # Coarse to fine; all but the coarsest see what skipped to them, too.
        entering = [coarse[0], *(2 * width for width in coarse[1:-1])]
        self.up_blocks = nn.ModuleList(
            UpBlock(a, b, activation) for a, b in zip(entering, coarse[1:], strict=True)
        )
        self.resblock = nn.ModuleList(
            ResidualBlock(width, activation) for width in entering for _ in range(2)
        )
        self.final = nn.Conv2d(expansion, 3, 7, padding=3)

    def encode(self, source: Tensor) -> list[Tensor]:
        """The source's features, coarse to fine: made once for a portrait."""
        maps = [self.first(source)]
        for down in self.down_blocks:
            maps.append(down(maps[-1]))
        return maps[::-1]

    def forward(self, source: Tensor, features: list[Tensor], motion: DenseMotion) -> Tensor:
        """features: from :meth:`encode`."""
        moved = [
            warped(x, motion.flow).to(trust.dtype) * trust
            for x, trust in zip(features, motion.trust, strict=True)
        ]
        x = moved[0]
        for i, up in enumerate(self.up_blocks):
            x = up(self.resblock[2 * i + 1](self.resblock[2 * i](x)))
            if i + 1 < len(self.up_blocks):
                x = torch.cat([x, moved[i + 1]], 1)
        trust = motion.trust[-1]
        painted = torch.sigmoid(self.final(x * (1 - trust) + moved[-1]))
        return painted * (1 - trust) + warped(source, motion.flow) * trust

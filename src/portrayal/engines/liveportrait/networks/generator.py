"""The generator: SPADE (Park et al. 2019, arXiv 1903.07291) conditioned on its own input.

What is saved against the published order: all blocks of a size share one convolution of the condition;
where the condition is repeated to a larger size, :class:`UpsampledConv` convolves it at its own; scale and
shift of a SPADE come from one convolution; the two SPADEs of a block that normalise the same input share its
normalisation, which happens before that input is repeated; the 1x1 convolution of a shortcut is applied to
the shift's kernel instead of the shift.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.neural.convolution import UpsampledConv

SLOPE = 0.2


class Modulation(nn.Module):
    """leaky_relu(x * scale + shift), x normalised, scale and shift convolved from the condition."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.conv(condition).chunk(2, 1)
        return F.leaky_relu(torch.addcmul(shift, x, scale), SLOPE, inplace=True)


class Block(nn.Module):
    """(B, inputs, H, W) and two conditions (B, hidden, H, W) -> (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.norm_0 = Modulation(inputs, hidden)
        self.conv_0 = nn.Conv2d(inputs, middle, 3, padding=1)
        self.norm_1 = Modulation(middle, hidden)
        self.conv_1 = nn.Conv2d(middle, outputs, 3, padding=1)

    def residual(self, x: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        """What the block adds; x is normalised."""
        y = self.conv_0(self.norm_0(x, conditions[0]))
        return self.conv_1(self.norm_1(F.instance_norm(y), conditions[1]))

    def forward(self, x: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        return x + self.residual(F.instance_norm(x), conditions)


class UpBlock(Block):
    """(B, inputs, H, W) and three conditions (B, hidden, 2H, 2W) -> twice the size, (B, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__(inputs, outputs, hidden)
        self.inputs = inputs
        # Scale of the shortcut's input, then shift of its output.
        self.norm_s = nn.Conv2d(hidden, inputs + outputs, 3, padding=1)
        self.conv_s = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
        x = F.interpolate(F.instance_norm(x), scale_factor=2.0)
        modulation = self.norm_s(conditions[2])
        shortcut = self.conv_s(x * modulation[:, : self.inputs]) + modulation[:, self.inputs :]
        return shortcut + self.residual(x, conditions)


class SpadeGenerator(nn.Module):
    """(B, labels, H, W) -> RGB in (0, 1), (B, 3, 4 upscale H, 4 upscale W); H = W = 64 in training."""

    def __init__(
        self,
        labels: int = 256,
        middle: int = 512,
        last: int = 64,
        hidden: int = 128,
        blocks: int = 6,
        upscale: int = 2,
    ) -> None:
        super().__init__()
        self.fc = nn.Conv2d(labels, middle, 3, padding=1)
        self.shared = nn.Conv2d(labels, 2 * blocks * hidden, 3, padding=1)
        self.middle = nn.ModuleList(Block(middle, middle, hidden) for _ in range(blocks))
        self.shared_0 = UpsampledConv(labels, 3 * hidden, 2)
        self.up_0 = UpBlock(middle, labels, hidden)
        self.shared_1 = UpsampledConv(labels, 3 * hidden, 4)
        self.up_1 = UpBlock(labels, last, hidden)
        self.last = nn.Conv2d(last, 3 * upscale**2, 3, padding=1)
        self.upscale = upscale

    def forward(self, feature: Tensor) -> Tensor:
        x = self.fc(feature)
        conditions = F.relu(self.shared(feature)).chunk(2 * len(self.middle), 1)
        for i, block in enumerate(self.middle):
            x = block(x, conditions[2 * i : 2 * i + 2])
        x = self.up_0(x, F.relu(self.shared_0(feature)).chunk(3, 1))
        x = self.up_1(x, F.relu(self.shared_1(feature)).chunk(3, 1))
        return F.pixel_shuffle(self.last(F.leaky_relu(x, SLOPE)), self.upscale).sigmoid()

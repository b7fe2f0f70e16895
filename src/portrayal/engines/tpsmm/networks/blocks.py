"""What the networks are made of, and the grids that they warp with."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["relu", "mish"]
#: The published models have rectifiers; a community one of 768 pixels has Mish.
ACTIVATIONS = {"relu": F.relu, "mish": F.mish}
instance_norm = partial(nn.InstanceNorm2d, affine=True)


class SameBlock(nn.Module):
    """Convolution, instance norm, activation: (B, inputs, H, W) -> (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, activation: Activation, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = instance_norm(outputs)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class DownBlock(SameBlock):
    """The same, at half the size."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    """The same, at twice the size."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0))


class ResidualBlock(nn.Module):
    """(B, C, H, W) -> the same."""

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = instance_norm(channels)
        self.norm2 = instance_norm(channels)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.activation(self.norm1(x)))
        return x + self.conv2(self.activation(self.norm2(y)))


class AntiAliasedDown(nn.Module):
    """Blurs and takes every `factor`-th pixel: (B, C, H, W) -> (B, C, H / factor, W / factor)."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        sigma = (factor - 1) / 2
        size = 2 * round(4 * sigma) + 1
        place = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
        line = torch.exp(-(place**2) / (2 * sigma**2)) if factor > 1 else torch.ones(1)
        kernel = line[:, None] * line
        self.weight: Tensor
        self.register_buffer("weight", (kernel / kernel.sum()).expand(channels, 1, size, size).clone())

    def forward(self, x: Tensor) -> Tensor:
        if self.factor == 1:
            return x
        margin = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight, stride=self.factor, padding=margin, groups=x.shape[1])


def coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """(height, width, 2) where every pixel is, on the device of `like`."""
    x = torch.linspace(-1, 1, width, device=like.device)
    y = torch.linspace(-1, 1, height, device=like.device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)


def gaussians(points: Tensor, height: int, width: int, variance: float) -> Tensor:
    """(B, K, 2) points -> (B, K, height, width) a bump of height 1 around each."""
    x = torch.linspace(-1, 1, width, device=points.device)
    y = torch.linspace(-1, 1, height, device=points.device)
    across = torch.exp(-0.5 * (x - points[..., :1]) ** 2 / variance)
    down = torch.exp(-0.5 * (y - points[..., 1:]) ** 2 / variance)
    return down[..., :, None] * across[..., None, :]


def warped(x: Tensor, grid: Tensor) -> Tensor:
    """(B, C, H, W) sampled at grid (B, h, w, 2), resized to its own size first; zero beyond the edges.

    It is as precise as the grid: places rounded to half precision would tremble.
    """
    if grid.shape[1:3] != x.shape[2:]:
        resized = F.interpolate(grid.permute(0, 3, 1, 2), x.shape[2:], mode="bilinear", align_corners=True)
        grid = resized.permute(0, 2, 3, 1)
    return F.grid_sample(x.to(grid.dtype), grid, align_corners=True)

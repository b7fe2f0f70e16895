"""Convolutions in a cheaper order, equal but for rounding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpsampledConv(nn.Module):
    """A 3x3 convolution (zero padding) of an input whose pixels are first repeated `scale` x `scale` times.

    Every output is a sum of the nine taps times some of nine pixels, most of them the same. So each pixel is
    multiplied by each tap once, at the small size, and the products are added up: 9 products a pixel of the
    input where the direct way takes 9 scale^2.

    (B, C, H, W) -> (B, outputs, scale H, scale W). Volumes (`depth`) are convolved 3x3x3 and repeated in
    their planes only.
    """

    def __init__(self, inputs: int, outputs: int, scale: int = 2, depth: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.outputs = outputs
        # Channels of the products: tap's row, tap's column, output.
        self.taps: nn.Module
        if depth:
            self.taps = nn.Conv3d(inputs, 9 * outputs, (3, 1, 1), padding=(1, 0, 0), bias=False)
        else:
            self.taps = nn.Conv2d(inputs, 9 * outputs, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs, *(1,) * (3 if depth else 2)))

    @classmethod
    def of(cls, conv: nn.Conv2d) -> UpsampledConv:
        """What a 3x3 convolution does to an input whose pixels were repeated twice along both axes."""
        ours = cls(conv.in_channels, conv.out_channels)
        taps = conv.weight.detach().movedim((-2, -1), (0, 1)).flatten(0, 2)
        ours.taps.weight = nn.Parameter(taps[..., None, None])
        if conv.bias is not None:
            ours.bias = nn.Parameter(conv.bias.detach()[:, None, None])
        return ours

    def forward(self, x: Tensor) -> Tensor:
        products = self.taps(x).unflatten(1, (3, 3, self.outputs))
        rows = repeated(products, self.scale, dim=-2)
        return repeated(rows, self.scale, dim=-1) + self.bias


def repeated(products: Tensor, scale: int, dim: int) -> Tensor:
    """The convolution along `dim` of pixels repeated `scale` times.

    products (B, 3, ...): of each pixel with the taps for the pixel before, the pixel itself and the next.
    The first repetition sees the previous pixel, the last one the next, those between only their own.
    """
    before, here, after = products.unbind(1)
    first, last = here + after, before + here
    middle = first + before
    size = here.shape[dim]
    first.narrow(dim, 1, size - 1).add_(before.narrow(dim, 0, size - 1))
    last.narrow(dim, 0, size - 1).add_(after.narrow(dim, 1, size - 1))
    return torch.stack([first, *[middle] * (scale - 2), last], dim).flatten(dim - 1, dim)


class RowwiseConv2d(nn.Module):
    """A 2-D convolution (zero padding) as one along the rows for all rows of its kernel, whose results are
    added.

    Few outputs of large kernels leave the units of a processor idle; here they are `kernel` times as many.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        kernel = conv.kernel_size[0]
        # Channels of its outputs: row of the kernel, output.
        self.rows = nn.Conv2d(conv.in_channels, kernel * conv.out_channels, (1, kernel), bias=False)
        self.rows.weight = nn.Parameter(conv.weight.detach().movedim(2, 0).flatten(0, 1)[:, :, None])
        self.bias = conv.bias
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        margin, height = self.kernel // 2, x.shape[2]
        rows = self.rows(F.pad(x, (margin,) * 4)).unflatten(1, (self.kernel, -1))
        total = sum(rows[:, i, :, i : i + height] for i in range(self.kernel))
        assert isinstance(total, Tensor)
        return total if self.bias is None else total + self.bias[:, None, None]


class PlanarConv3d(nn.Module):
    """A 3-D convolution (zero padding) as one 2-D convolution for all its planes, whose results are added.

    Few outputs of large kernels leave the units of a processor idle; here they are `kernel` times as many.
    (B, C, D, H, W) -> (B, outputs, D, H, W).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        # Channels of its outputs: plane of the kernel, output.
        self.planes = nn.Conv2d(inputs, kernel * outputs, kernel, padding=kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, _, depth = x.shape[:3]
        parts = self.planes(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, depth))
        margin = self.kernel // 2
        parts = F.pad(parts.unflatten(2, (self.kernel, -1)), (0,) * 8 + (margin, margin))
        total = sum(parts[:, i : i + depth, i] for i in range(self.kernel))
        assert isinstance(total, Tensor)
        return total.transpose(1, 2) + self.bias

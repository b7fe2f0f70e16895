"""Convolutions in a transformed domain, for processors without matrix units; equal but for rounding.

Winograd (Lavin & Gray 2016, arXiv 1509.09308): a 4x4 tile of a 3x3 convolution takes 36 products in place of
144. Fourier: a large kernel costs what its transforms cost. The products are matrix products over channels.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.neural.convolution import PlanarConv3d

#: Outputs along an axis of a tile.
TILE = 4
#: Where the polynomials are evaluated, besides at infinity: of those tried the ones that round best.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
#: Numbers that are worked on at once, so that they stay in the cache.
CHUNK = 4_000_000
#: Fewest channels for which it pays.
CHANNELS = 16


def transformed(network: nn.Module) -> nn.Module:
    """Put the faster form in the place of every convolution of the network that has one; it is changed."""
    for name, child in network.named_children():
        if isinstance(child, PlanarConv3d):
            setattr(network, name, FourierConv3d(child))
        elif isinstance(child, nn.Conv2d | nn.Conv3d) and _pays(child):
            setattr(network, name, WinogradConv(child))
        else:
            transformed(child)
    return network


def _pays(conv: nn.Conv2d | nn.Conv3d) -> bool:
    square = set(conv.kernel_size) == {3} and set(conv.stride) == {1} and conv.groups == 1
    return square and min(conv.in_channels, conv.out_channels) >= CHANNELS


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Of inputs (36, 36), kernels (36, 9) and outputs (16, 36): both axes of a tile, flat, float64.

    An output is a coefficient of a product of polynomials (Toom and Cook): evaluate, multiply, interpolate.
    """
    size = TILE + 2
    inputs, kernels, outputs = np.zeros((size, size)), np.zeros((size, 3)), np.zeros((TILE, size))
    for i, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        inputs[i, :-1] = np.poly(others)[::-1]
        kernels[i] = point ** np.arange(3) / np.prod(point - np.array(others))
        outputs[:, i] = point ** np.arange(TILE)
    inputs[-1] = np.poly(POINTS)[::-1]
    kernels[-1, -1] = outputs[-1, -1] = 1
    first, second, third = (torch.from_numpy(np.kron(m, m)) for m in (inputs, kernels, outputs))
    return first, second, third


class Scratch(threading.local):
    """Memory that is used again and again: to ask the system for it costs as much as the work."""

    def __init__(self) -> None:
        self.blocks: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        size = math.prod(shape)
        if name not in self.blocks or self.blocks[name].numel() < size:
            self.blocks[name] = torch.empty(size)
        return self.blocks[name][:size].view(shape)


scratch = Scratch()


class WinogradConv(nn.Module):
    """A 3x3 convolution of planes or a 3x3x3 one of volumes (depth directly), zero padding.

    It works on channels last, whatever it is given.
    """

    def __init__(self, conv: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__()
        inputs, kernels, outputs = _transforms()
        weight = conv.weight.double().reshape(conv.out_channels, conv.in_channels, -1, 9)
        seen = torch.einsum("pk,oidk->dpio", kernels, weight).float()
        self.register_buffer("kernels", seen.contiguous())  # (depth, 36, I, O)
        self.register_buffer("inputs", inputs.float())
        self.register_buffer("outputs", outputs.float())
        self.bias = conv.bias
        self.kernels: Tensor
        self.inputs: Tensor
        self.outputs: Tensor

    def forward(self, x: Tensor) -> Tensor:
        volume = x.unsqueeze(2) if x.dim() == 4 else x
        batch, _, depth, height, width = volume.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        taps, _, inputs, outputs = self.kernels.shape
        margin = taps // 2
        padded = volume.new_zeros(batch, depth + 2 * margin, rows * TILE + 2, columns * TILE + 2, inputs)
        inside = padded[:, margin : margin + depth, 1 : 1 + height, 1 : 1 + width]
        inside.copy_(volume.permute(0, 2, 3, 4, 1))
        out = volume.new_empty(batch, depth, rows * TILE, columns * TILE, outputs)
        step = max(1, CHUNK // (36 * (depth + 2 * margin) * columns * max(inputs, outputs)))
        for image in range(batch):
            for first in range(0, rows, step):
                last = min(first + step, rows)
                strip = padded[image, :, first * TILE : last * TILE + 2]
                self._strip(strip, out[image, :, first * TILE : last * TILE])
        out = out[:, :, :height, :width].permute(0, 4, 1, 2, 3)
        return out.squeeze(2) if x.dim() == 4 else out

    def _strip(self, strip: Tensor, out: Tensor) -> None:
        """(D + 2 margin, 4 rows + 2, 4 columns + 2, I) -> (D, 4 rows, 4 columns, O)"""
        tiles = strip.unfold(1, TILE + 2, TILE).unfold(2, TILE + 2, TILE).permute(4, 5, 0, 1, 2, 3)
        _, _, planes, rows, columns, inputs = tiles.shape
        taps, _, _, outputs = self.kernels.shape
        depth, size = planes - taps + 1, rows * columns
        flat = scratch("tiles", *tiles.shape).copy_(tiles).view(36, -1)
        seen = torch.mm(self.inputs, flat, out=scratch("seen", 36, flat.shape[1]))
        seen = seen.view(36, planes * size, inputs)
        products = scratch("products", 36, depth * size, outputs)
        torch.bmm(seen[:, : depth * size], self.kernels[0], out=products)
        for i in range(1, taps):
            products.baddbmm_(seen[:, i * size : (i + depth) * size], self.kernels[i])
        flat = products.view(36, -1)
        parts = torch.mm(self.outputs, flat, out=scratch("parts", TILE * TILE, flat.shape[1]))
        parts = parts.view(TILE, TILE, depth, rows, columns, outputs).permute(2, 3, 0, 4, 1, 5)
        places = out.view(depth, rows, TILE, columns, TILE, outputs)
        if self.bias is None:
            places.copy_(parts)
        else:
            torch.add(parts, self.bias, out=places)


class FourierConv3d(nn.Module):
    """A :class:`PlanarConv3d` as products of spectra: of the whole depth, and tiles of height and width."""

    def __init__(self, conv: PlanarConv3d, size: int = 24) -> None:
        """size: of the tiles that are transformed, their margins included."""
        super().__init__()
        self.register_buffer("weight", conv.planes.weight.unflatten(0, (conv.kernel, -1)).movedim(0, 2))
        self.bias = conv.bias
        self.kernel = conv.kernel
        self.size = size
        self.spectra: dict[int, Tensor] = {}
        self.weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        batch, _, depth, height, width = x.shape
        margin, tile = self.kernel // 2, self.size - self.kernel + 1
        rows, columns = -(-height // tile), -(-width // tile)
        # Cyclic along the depth: planes that reach over one end find the zeros that stand after the other.
        period = depth + margin + (depth + margin) % 2
        padding = (margin, margin + columns * tile - width, margin, margin + rows * tile - height)
        padded = F.pad(x, (*padding, 0, period - depth))
        tiles = padded.unfold(3, self.size, tile).unfold(4, self.size, tile)
        tiles = tiles.permute(0, 3, 4, 1, 2, 5, 6).flatten(0, 2)
        axes, size = (2, 3, 4), (period, self.size, self.size)
        spectrum = torch.fft.rfftn(tiles, dim=axes)
        products = torch.bmm(spectrum.flatten(2).permute(2, 0, 1).contiguous(), self.spectrum(period))
        products = products.permute(1, 2, 0).unflatten(2, spectrum.shape[2:])
        out = torch.fft.irfftn(products, size, axes).roll(-margin, 2)[:, :, :depth]
        out = out[..., self.kernel - 1 :, self.kernel - 1 :].unflatten(0, (batch, rows, columns))
        out = out.permute(0, 3, 4, 1, 5, 2, 6).flatten(5, 6).flatten(3, 4)
        return out[..., :height, :width] + self.bias

    def spectrum(self, period: int) -> Tensor:
        """The kernel's, (frequencies, I, O), made when first needed."""
        if period not in self.spectra:
            size = (period, self.size, self.size)
            kernel = torch.fft.rfftn(self.weight.flip(2, 3, 4), size, (2, 3, 4))
            self.spectra[period] = kernel.flatten(2).permute(2, 1, 0).contiguous()
        return self.spectra[period]

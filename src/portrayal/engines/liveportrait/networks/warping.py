"""The warping network: the source's volume, moved as the keypoints do, as the feature that is drawn from.

What is saved against the published order: what depends on the source alone is computed once for it;
Gaussians and translations are products over the axes; a point's translation is added where its mask says so,
in place of mixing whole grids; the decoder convolves before it repeats (:class:`UpsampledConv`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.neural.convolution import PlanarConv3d, UpsampledConv

HEAT_VARIANCE = 0.01


@dataclass(frozen=True)
class WarpSource:
    """What of a source is used in every frame, of N sources: one for all frames, or one each. All float32.

    volume (N, C, D, H, W); compressed (N, c, D, H, W); background (N, 1 + c, D, H, W), what the hourglass
    sees of the picture that stands still; points (N, K, 3) and their heat (N, K, D, H, W).
    """

    volume: Tensor
    compressed: Tensor
    background: Tensor
    points: Tensor
    heat: Tensor


class Hourglass(nn.Module):
    """(B, inputs, D, H, W) -> (B, outputs, D, H, W), a U-Net that halves H and W only."""

    def __init__(self, widths: Sequence[int], last: int) -> None:
        """widths: the channels of the input and after every halving; last: of the last doubling."""
        super().__init__()
        self.downs = nn.ModuleList(nn.Conv3d(a, b, 3, padding=1) for a, b in pairwise(widths))
        skips = [*widths[1:-1][::-1], 0]
        inputs, ups = widths[-1], nn.ModuleList()
        for skip in skips:
            outputs = skip or last
            ups.append(UpsampledConv(inputs, outputs, 2, depth=True))
            inputs = outputs + skip
        self.ups = ups
        self.outputs = last + widths[0]
        self.conv = nn.Conv3d(self.outputs, self.outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.downs:
            skips.append(x)
            x = halved(F.relu(down(x)))
        for up in self.ups:
            x = torch.cat([F.relu(up(x)), skips.pop()], 1)
        return F.relu(self.conv(x))


class WarpingNetwork(nn.Module):
    """The volume, source and driving keypoints -> (B, outputs, H, W), what the generator draws from.

    Keypoints are (x, y, z), and the crop reaches from -1 to 1. widths: of the hourglass after every halving.
    In half precision, `compress`, the source and all places stay in float32.
    """

    def __init__(
        self,
        points: int = 21,
        channels: int = 32,
        depth: int = 16,
        compressed: int = 4,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        last: int = 32,
        outputs: int = 256,
    ) -> None:
        super().__init__()
        self.compress: nn.Module = nn.Conv3d(channels, compressed, 1)
        self.hourglass = Hourglass(((points + 1) * (compressed + 1), *widths), last)
        self.mask = PlanarConv3d(self.hourglass.outputs, points + 1, 7)
        self.occlusion = nn.Conv2d(self.hourglass.outputs * depth, 1, 7, padding=3)
        self.third = nn.Conv2d(channels * depth, outputs, 3, padding=1)
        self.fourth = nn.Conv2d(outputs, outputs, 1)

    def source(self, volume: Tensor, points: Tensor) -> WarpSource:
        """What of (N, C, D, H, W) and (N, K, 3) is needed in every frame."""
        volume, points = volume.float(), points.float()
        compressed = F.relu(self.compress(volume))
        still = torch.zeros_like(points[:, :1])
        background = F.pad(translated(compressed, still)[:, 0], (0,) * 6 + (1, 0))
        heat = heat_maps(points, volume.shape[2:])
        return WarpSource(volume, compressed, background, points, heat)

    def forward(self, source: WarpSource, points: Tensor) -> Tensor:
        """points: (B, K, 3), of the driving."""
        deformation, occlusion = self.motion(source, points.float())
        volume = source.volume.expand(len(points), -1, -1, -1, -1)
        warped = F.grid_sample(volume, deformation, align_corners=False).to(occlusion.dtype)
        x = F.leaky_relu(self.third(warped.flatten(1, 2)), 0.01)
        return self.fourth(x) * occlusion

    def motion(self, source: WarpSource, points: Tensor) -> tuple[Tensor, Tensor]:
        """Where each place of the volume comes from, (B, D, H, W, 3), and how visible it is, (B, 1, H, W)."""
        shift = source.points - points
        x = self.hourglass(self._seen(source, points, shift))
        mask = self.mask(x).float().softmax(1)[:, 1:]
        moved = torch.einsum("bkdhw,bkc->bdhwc", mask, shift)
        occlusion = self.occlusion(x.flatten(1, 2)).sigmoid()
        return moved + identity_grid(moved.shape[1:4], points), occlusion

    def _seen(self, source: WarpSource, points: Tensor, shift: Tensor) -> Tensor:
        """What the hourglass sees: for the background and every point its heat and the translated volume."""
        size = source.heat.shape[2:]
        batch = len(points)
        heat = heat_maps(points, size) - source.heat
        moved = translated(source.compressed, shift)
        background = source.background.expand(batch, -1, -1, -1, -1)
        seen = torch.cat([background, torch.cat([heat[:, :, None], moved], 2).flatten(1, 2)], 1)
        return seen.to(self.fourth.weight.dtype)


def halved(x: Tensor) -> Tensor:
    """(B, C, D, H, W) -> (B, C, D, H/2, W/2), the means; planes are a batch, as they lie in memory."""
    planes = F.avg_pool2d(x.transpose(1, 2).flatten(0, 1), 2)
    return planes.unflatten(0, (len(x), -1)).transpose(1, 2)


def positions(size: int, like: Tensor) -> Tensor:
    """(size,) from -1 to 1, both included."""
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


def identity_grid(size: Sequence[int], like: Tensor) -> Tensor:
    """(D, H, W, 3): x, y, z of every place."""
    z, y, x = torch.meshgrid(*(positions(n, like) for n in size), indexing="ij")
    return torch.stack([x, y, z], -1)


def heat_maps(points: Tensor, size: Sequence[int]) -> Tensor:
    """(B, K, 3) -> (B, K, D, H, W): a Gaussian around every point, as a product of one along each axis."""
    z, y, x = (
        torch.exp((positions(n, points) - points[..., axis, None]).square() / (-2 * HEAT_VARIANCE))
        for n, axis in zip(size, (2, 1, 0), strict=True)
    )
    plane = y[..., None] * x[..., None, :]
    return z[..., None, None] * plane[:, :, None]


def translated(volume: Tensor, shift: Tensor) -> Tensor:
    """(N, C, D, H, W) sampled at the identity grid plus every shift (B, K, 3) -> (B, K, C, D, H, W).

    Trilinear with zeros outside. A translation samples each axis by itself: a matrix for x, one for y, one
    for z. The grid reaches from -1 to 1 through the centres of the first and last places, the sampling takes
    -1 and 1 for their outer edges: no shift still is no identity, and the network was trained like that.
    """
    depth, height, width = volume.shape[2:]
    x, y, z = (
        sampling(n, shift[..., axis]).to(volume.dtype) for n, axis in ((width, 0), (height, 1), (depth, 2))
    )
    out = volume[:, None].flatten(2, 4) @ x.mT
    out = y[:, :, None] @ out.unflatten(2, (-1, height))
    out = z[:, :, None] @ out.unflatten(2, (-1, depth)).flatten(4)
    return out.unflatten(4, (height, width))


def sampling(size: int, shift: Tensor) -> Tensor:
    """The matrix (..., size, size) that samples an axis linearly at its grid plus `shift` (...)."""
    at = ((positions(size, shift) + shift[..., None] + 1) * size - 1) / 2
    places = torch.arange(size, dtype=shift.dtype, device=shift.device)
    return (1 - (at[..., None] - places).abs()).clamp(min=0)

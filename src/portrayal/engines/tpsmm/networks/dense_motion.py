"""From key points to where every pixel comes from, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.engines.tpsmm.networks.blocks import (
    Activation,
    AntiAliasedDown,
    DownBlock,
    UpBlock,
    coordinates,
    gaussians,
    warped,
)
from portrayal.engines.tpsmm.networks.keypoints import POINTS_PER_SPLINE
from portrayal.engines.tpsmm.networks.tps import ThinPlateSplines


@dataclass(frozen=True)
class DenseMotion:
    """flow: (B, h, w, 2), from the driving's pixels to the source's, at a quarter of the size. trust: four
    maps (B, 1, ., .) in (0, 1), coarse to fine, of how far the warped source is what the driving shows.
    parts: (B, S + 1, h, w), the share that each spline has in the flow, the background's first.
    """

    flow: Tensor
    trust: list[Tensor]
    parts: Tensor


class Hourglass(nn.Module):
    """A U-Net: (B, C, H, W) -> its last maps, coarse to fine, each with what skipped to it."""

    def __init__(self, inputs: int, expansion: int, blocks: int, most: int, activation: Activation) -> None:
        super().__init__()

        def width(level: int) -> int:
            return min(most, expansion * 2**level)

        down = [DownBlock(inputs if i == 0 else width(i), width(i + 1), activation) for i in range(blocks)]
        up = [
            UpBlock((1 if i == blocks - 1 else 2) * width(i + 1), width(i), activation)
            for i in reversed(range(blocks))
        ]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.down_blocks, self.decoder.up_blocks = nn.ModuleList(down), nn.ModuleList(up)
        self.widths = [*(2 * width(i) for i in reversed(range(1, blocks))), expansion + inputs]

    def forward(self, x: Tensor) -> list[Tensor]:
        skips = [x]
        for down in self.encoder.down_blocks:  # type: ignore[union-attr]
            skips.append(down(skips[-1]))
        x, maps = skips.pop(), []
        for up in self.decoder.up_blocks:  # type: ignore[union-attr]
            x = torch.cat([up(x), skips.pop()], 1)
            maps.append(x)
        return maps


class DenseMotionNetwork(nn.Module):
    """The source (B, 3, H, W) and key points (B, 5 S, 2) -> :class:`DenseMotion`.

    H and W are multiples of 128, 256 at least.
    """

    def __init__(
        self,
        splines: int = 10,
        expansion: int = 64,
        blocks: int = 5,
        most: int = 1024,
        variance: float = 0.01,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.splines, self.variance = splines, variance
        self.down = AntiAliasedDown(3, 4)
        inputs = 3 * (splines + 1) + POINTS_PER_SPLINE * splines + 1
        self.hourglass = Hourglass(inputs, expansion, blocks, most, activation)
        coarse, last = self.hourglass.widths[-2:]
        self.maps = nn.Conv2d(last, splines + 1, 7, padding=3)
        self.up = nn.ModuleList(UpBlock(last // 2**i, last // 2 ** (i + 1), activation) for i in range(2))
        widths = (coarse, last, last // 2, last // 4)
        self.occlusion = nn.ModuleList(nn.Conv2d(width, 1, 7, padding=3) for width in widths)

    def forward(
        self,
        source: Tensor,
        driving_points: Tensor,
        source_points: Tensor,
        background: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> DenseMotion:
        """background: (B, 3, 3), see :class:`BackgroundPredictor`; it stands still without. keep: (B, S)
        bool, which splines may take part (training drops some at random); all without.
        """
        small = self.down(source)
        grids = self._grids(small, driving_points, source_points, background)
        batch, _, height, width = small.shape
        pictures = small[:, None].expand(-1, self.splines + 1, -1, -1, -1).flatten(0, 1)
        moved = warped(pictures, grids.flatten(0, 1)).view(batch, -1, height, width)
        bumps = gaussians(driving_points, height, width, self.variance) - gaussians(
            source_points, height, width, self.variance
        )
        heat = torch.cat([bumps.new_zeros(batch, 1, height, width), bumps], 1)
        precision = next(self.hourglass.parameters()).dtype
        maps = self.hourglass(torch.cat([heat, moved], 1).to(precision))
        parts = shares(self.maps(maps[-1]).float(), keep)
        flow = (parts[..., None] * grids).sum(1)
        return DenseMotion(flow, self._trust(maps), parts)

    def _grids(self, small: Tensor, driving: Tensor, source: Tensor, background: Tensor | None) -> Tensor:
        """(B, S + 1, h, w, 2) where the background and every spline take the pixels from."""
        height, width = small.shape[2:]
        points = (point.unflatten(1, (self.splines, POINTS_PER_SPLINE)) for point in (driving, source))
        splines = ThinPlateSplines.between(*points).grid(height, width)
        still = coordinates(height, width, small).expand(len(driving), 1, height, width, 2)
        if background is not None:
            lifted = torch.cat([still, torch.ones_like(still[..., :1])], -1)
            turned = lifted @ background[:, None, None].transpose(-1, -2)
            still = turned[..., :2] / turned[..., 2:]
        return torch.cat([still, splines], 1)

    def _trust(self, maps: list[Tensor]) -> list[Tensor]:
        finer = [maps[-2], maps[-1]]
        for up in self.up:
            finer.append(up(finer[-1]))
        return [torch.sigmoid(conv(x)) for conv, x in zip(self.occlusion, finer, strict=True)]


def shares(logits: Tensor, keep: Tensor | None) -> Tensor:
    """A softmax over (B, S + 1, h, w) of the slots that are kept; the first, the background, always is."""
    if keep is None:
        return F.softmax(logits, 1)
    kept = torch.cat([torch.ones_like(keep[:, :1]), keep], 1)[..., None, None]
    powers = torch.exp(logits - logits.amax(1, keepdim=True)) * kept
    return powers / (powers.sum(1, keepdim=True) + 1e-6)

"""The motion extractor: ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808) with a head for every quantity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Bins of the angles: this many degrees wide, the first one at this angle.
BIN_DEGREES, FIRST_BIN_DEGREES = 3.0, -97.5
EPS = 1e-6


class GlobalResponseNorm(nn.Module):
    """Scales every channel of (B, H, W, C) by its share in the response."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        response = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        share = response / (response.mean(-1, keepdim=True) + EPS)
        return torch.addcmul(self.beta, x, self.gamma * share + 1)


class Block(nn.Module):
    """(B, H, W, C) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(_planes(self.dwconv, x))
        return x + self.pwconv2(self.grn(F.gelu(self.pwconv1(y))))


class MotionExtractor(nn.Module):
    """(B, 3, H, W) RGB in [0, 1] -> the head's motion; H = W = 256 in training.

    kp (B, K, 3) canonical keypoints and exp (B, K, 3) their expression; pitch, yaw, roll (B,) in degrees; t
    (B, 3); scale (B, 1).
    """

    def __init__(
        self,
        depths: Sequence[int] = (3, 3, 9, 3),
        widths: Sequence[int] = (96, 192, 384, 768),
        points: int = 21,
        bins: int = 66,
    ) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), nn.LayerNorm(widths[0], eps=EPS))
        halvings = (
            nn.Sequential(nn.LayerNorm(a, eps=EPS), nn.Conv2d(a, b, 2, 2)) for a, b in pairwise(widths)
        )
        self.downsample_layers = nn.ModuleList([stem, *halvings])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for depth, width in zip(depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=EPS)
        self.fc_kp = nn.Linear(widths[-1], 3 * points)
        self.fc_exp = nn.Linear(widths[-1], 3 * points)
        self.fc_pitch = nn.Linear(widths[-1], bins)
        self.fc_yaw = nn.Linear(widths[-1], bins)
        self.fc_roll = nn.Linear(widths[-1], bins)
        self.fc_t = nn.Linear(widths[-1], 3)
        self.fc_scale = nn.Linear(widths[-1], 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.feature(image)
        return {
            "kp": self.fc_kp(x).unflatten(1, (-1, 3)),
            "exp": self.fc_exp(x).unflatten(1, (-1, 3)),
            "pitch": degrees(self.fc_pitch(x)),
            "yaw": degrees(self.fc_yaw(x)),
            "roll": degrees(self.fc_roll(x)),
            "t": self.fc_t(x),
            "scale": self.fc_scale(x),
        }

    def feature(self, image: Tensor) -> Tensor:
        """(B, widths[-1]) what all heads read."""
        x = image.permute(0, 2, 3, 1)
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            for layer in down.children():
                x = layer(x) if isinstance(layer, nn.LayerNorm) else _planes(layer, x)
            x = stage(x)
        return self.norm(x.mean((1, 2)))


def degrees(logits: Tensor) -> Tensor:
    """(B, bins) -> (B,) the expected angle."""
    bins = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (logits.softmax(1) * bins).sum(1) * BIN_DEGREES + FIRST_BIN_DEGREES


def _planes(conv: nn.Module, x: Tensor) -> Tensor:
    """A convolution of what lies in memory as (B, H, W, C)."""
    return conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

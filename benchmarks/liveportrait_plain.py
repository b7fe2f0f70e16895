"""LivePortrait's networks layer by layer as they were published (Guo et al. 2024, arXiv 2407.03168).

Nothing is folded, shared or reordered, and the parameters have the names of the published files. This is the
yardstick for the engine's own networks: what they must equal, and what they are faster than.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU; then perhaps the mean of every window of size `pool`."""

    def __init__(self, inputs: int, outputs: int, dims: int = 2, pool: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.conv = (nn.Conv2d if dims == 2 else nn.Conv3d)(inputs, outputs, 3, padding=1)
        self.norm = (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(outputs)
        self.pool = None if pool is None else (nn.AvgPool2d if dims == 2 else nn.AvgPool3d)(pool)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return x if self.pool is None else self.pool(x)


class ResBlock3d(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))


class AppearanceFeatureExtractor(nn.Module):
    """(B, 3, 256, 256) in [0, 1] -> (B, 32, 16, 64, 64)."""

    def __init__(
        self,
        width: int = 64,
        downs: int = 2,
        most: int = 512,
        channels: int = 32,
        depth: int = 16,
        blocks: int = 6,
    ) -> None:
        super().__init__()
        self.channels, self.depth = channels, depth
        widths = [min(most, width * 2**i) for i in range(downs + 1)]
        self.first = ConvNorm(3, width)
        self.down_blocks = nn.ModuleList(ConvNorm(a, b, pool=(2, 2)) for a, b in pairwise(widths))
        self.second = nn.Conv2d(widths[-1], channels * depth, 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(blocks):
            self.resblocks_3d.add_module(f"3dr{i}", ResBlock3d(channels))

    def forward(self, image: Tensor) -> Tensor:
        x = self.first(image)
        for block in self.down_blocks:
            x = block(x)
        x = self.second(x)
        return self.resblocks_3d(x.view(len(x), self.channels, self.depth, *x.shape[2:]))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalResponseNorm(nn.Module):
    """Woo et al. 2023, arXiv 2301.00808, on (B, H, W, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        size = torch.norm(x, dim=(1, 2), keepdim=True)
        return self.gamma * (x * (size / (size.mean(-1, keepdim=True) + 1e-6))) + self.beta + x


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.pwconv2(self.grn(F.gelu(self.pwconv1(y))))
        return x + y.permute(0, 3, 1, 2)


class Detector(nn.Module):
    """ConvNeXt V2 with one linear head for every quantity."""

    def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...], points: int, bins: int) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0], eps=1e-6))
        self.downsample_layers = nn.ModuleList([stem])
        for a, b in pairwise(widths):
            self.downsample_layers.append(nn.Sequential(ChannelNorm(a, eps=1e-6), nn.Conv2d(a, b, 2, 2)))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNeXtBlock(width) for _ in range(depth)))
            for depth, width in zip(depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        heads = {
            "kp": 3 * points,
            "scale": 1,
            "pitch": bins,
            "yaw": bins,
            "roll": bins,
            "t": 3,
            "exp": 3 * points,
        }
        self.heads = tuple(heads)
        for name, size in heads.items():
            self.add_module(f"fc_{name}", nn.Linear(widths[-1], size))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(down(x))
        x = self.norm(x.mean((2, 3)))
        return {name: self.get_submodule(f"fc_{name}")(x) for name in self.heads}


class MotionExtractor(nn.Module):
    """(B, 3, 256, 256) in [0, 1] -> the raw heads."""

    def __init__(
        self,
        depths: tuple[int, ...] = (3, 3, 9, 3),
        widths: tuple[int, ...] = (96, 192, 384, 768),
        points: int = 21,
        bins: int = 66,
    ) -> None:
        super().__init__()
        self.detector = Detector(depths, widths, points, bins)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return self.detector(image)


def degrees(logits: Tensor) -> Tensor:
    """(B, 66) -> (B,)"""
    bins = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (logits.softmax(1) * bins).sum(1) * 3 - 97.5


def identity_grid(size: tuple[int, ...], like: Tensor) -> Tensor:
    """(D, H, W) -> (D, H, W, 3): x, y, z from -1 to 1, end points included."""
    axes = [torch.arange(n).to(like) / (n - 1) * 2 - 1 for n in size]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1)


def heat_maps(points: Tensor, size: tuple[int, ...]) -> Tensor:
    """(B, K, 3) -> (B, K, D, H, W): a Gaussian of variance 0.01 around every point."""
    offset = identity_grid(size, points) - points[:, :, None, None, None]
    return torch.exp(-0.5 * offset.square().sum(-1) / 0.01)


class UpBlock3d(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=(1, 2, 2)))))


class Encoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(ConvNorm(a, b, dims=3, pool=(1, 2, 2)) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        out = [x]
        for block in self.down_blocks:
            out.append(block(out[-1]))
        return out


class Decoder(nn.Module):
    def __init__(self, widths: list[int], last: int) -> None:
        super().__init__()
        ups = [*widths[1:-1][::-1], last]
        skips = [0, *widths[1:-1][::-1]]
        inputs = [widths[-1], *ups[:-1]]
        self.up_blocks = nn.ModuleList(
            UpBlock3d(a + skip, b) for a, skip, b in zip(inputs, skips, ups, strict=True)
        )
        self.conv = nn.Conv3d(last + widths[0], last + widths[0], 3, padding=1)
        self.norm = nn.BatchNorm3d(last + widths[0])

    def forward(self, features: list[Tensor]) -> Tensor:
        x, *skips = features[::-1]
        for block, skip in zip(self.up_blocks, skips, strict=True):
            x = torch.cat([block(x), skip], 1)
        return F.relu(self.norm(self.conv(x)))


class Hourglass(nn.Module):
    def __init__(self, inputs: int, width: int, most: int, blocks: int) -> None:
        super().__init__()
        widths = [inputs] + [min(most, width * 2 ** (i + 1)) for i in range(blocks)]
        self.encoder = Encoder(widths)
        self.decoder = Decoder(widths, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class DenseMotionNetwork(nn.Module):
    def __init__(
        self, points: int, channels: int, depth: int, compress: int, width: int, most: int, blocks: int
    ) -> None:
        super().__init__()
        inputs = (points + 1) * (compress + 1)
        self.compress = nn.Conv3d(channels, compress, 1)
        self.norm = nn.BatchNorm3d(compress)
        self.hourglass = Hourglass(inputs, width, most, blocks)
        self.mask = nn.Conv3d(inputs + width, points + 1, 7, padding=3)
        self.occlusion = nn.Conv2d((inputs + width) * depth, 1, 7, padding=3)

    def forward(self, feature: Tensor, source: Tensor, driving: Tensor) -> dict[str, Tensor]:
        batch, points = source.shape[:2]
        size = tuple(feature.shape[2:])
        x = F.relu(self.norm(self.compress(feature)))
        grid = identity_grid(size, x).expand(batch, 1, *size, 3)
        moved = grid - driving[:, :, None, None, None] + source[:, :, None, None, None]
        motions = torch.cat([grid, moved], 1)
        repeated = x[:, None].repeat(1, points + 1, 1, 1, 1, 1).flatten(0, 1)
        deformed = F.grid_sample(repeated, motions.flatten(0, 1), align_corners=False)
        deformed = deformed.view(batch, points + 1, -1, *size)
        heat = heat_maps(driving, size) - heat_maps(source, size)
        heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], 1)
        inputs = torch.cat([heat[:, :, None], deformed], 2).flatten(1, 2)
        out = self.hourglass(inputs)
        logits = self.mask(out)
        mask = logits.softmax(1)
        deformation = (mask[..., None] * motions).sum(1)
        occlusion = self.occlusion(out.view(batch, -1, *size[1:])).sigmoid()
        return {
            "compressed": x,
            "sparse_motion": motions,
            "deformed": deformed,
            "heatmap": heat,
            "hg_in": inputs,
            "hourglass": out,
            "mask_logits": logits,
            "mask": mask,
            "deformation": deformation,
            "occlusion_map": occlusion,
        }


class WarpingNetwork(nn.Module):
    """The volume (B, 32, 16, 64, 64), source and driving keypoints (B, 21, 3) -> `out` (B, 256, 64, 64)."""

    def __init__(
        self,
        points: int = 21,
        channels: int = 32,
        depth: int = 16,
        compress: int = 4,
        width: int = 32,
        most: int = 1024,
        blocks: int = 5,
        outputs: int = 256,
    ) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork(points, channels, depth, compress, width, most, blocks)
        self.third = ConvNorm(channels * depth, outputs)
        self.fourth = nn.Conv2d(outputs, outputs, 1)

    def forward(self, feature: Tensor, source: Tensor, driving: Tensor) -> dict[str, Tensor]:
        """Everything on the way to `out`, too."""
        taps = self.dense_motion_network(feature, source, driving)
        warped = F.grid_sample(feature, taps["deformation"], align_corners=False)
        x = F.leaky_relu(self.third.norm(self.third.conv(warped.flatten(1, 2))), 0.01)
        return taps | {"out": self.fourth(x) * taps["occlusion_map"]}


class Spade(nn.Module):
    """Park et al. 2019, arXiv 1903.07291."""

    def __init__(self, channels: int, labels: int, hidden: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        shared = self.mlp_shared(F.interpolate(label, size=x.shape[2:]))
        return F.instance_norm(x) * (1 + self.mlp_gamma(shared)) + self.mlp_beta(shared)


class SpadeBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, labels: int, hidden: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.conv_0 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
        self.norm_0 = Spade(inputs, labels, hidden)
        self.norm_1 = Spade(middle, labels, hidden)
        self.conv_s = None
        if inputs != outputs:
            self.conv_s = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.norm_s = Spade(inputs, labels, hidden)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        shortcut = x if self.conv_s is None else self.conv_s(self.norm_s(x, label))
        y = self.conv_0(F.leaky_relu(self.norm_0(x, label), 0.2))
        return shortcut + self.conv_1(F.leaky_relu(self.norm_1(y, label), 0.2))


class SpadeGenerator(nn.Module):
    """(B, 256, 64, 64) -> (B, 3, 512, 512) in (0, 1)."""

    def __init__(
        self, labels: int = 256, middle: int = 512, last: int = 64, hidden: int = 128, upscale: int = 2
    ) -> None:
        super().__init__()
        self.fc = nn.Conv2d(labels, middle, 3, padding=1)
        for i in range(6):
            self.add_module(f"G_middle_{i}", SpadeBlock(middle, middle, labels, hidden))
        self.up_0 = SpadeBlock(middle, labels, labels, hidden)
        self.up_1 = SpadeBlock(labels, last, labels, hidden)
        self.conv_img = nn.Sequential(nn.Conv2d(last, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale))

    def forward(self, feature: Tensor) -> Tensor:
        x = self.fc(feature)
        for i in range(6):
            x = self.get_submodule(f"G_middle_{i}")(x, feature)
        x = self.up_0(F.interpolate(x, scale_factor=2), feature)
        x = self.up_1(F.interpolate(x, scale_factor=2), feature)
        return self.conv_img(F.leaky_relu(x, 0.2)).sigmoid()


class Mlp(nn.Module):
    """Linear layers with ReLU between them; widths from the input to the output."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)


MLPS = {
    "stitching": (126, 128, 128, 64, 65),
    "lip": (65, 128, 128, 64, 63),
    "eye": (66, 256, 256, 128, 128, 64, 63),
}

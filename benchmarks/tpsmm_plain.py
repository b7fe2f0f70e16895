"""The Thin-Plate-Spline Motion Model layer by layer as published (Zhao & Zhang 2022, arXiv 2203.14367).

Nothing is kept from frame to frame, shared or reordered: the source is encoded for every frame and its
features are warped twice. Parameters have the names of the published files. This is the yardstick for the
engine's own networks: what they must equal, and what they are faster than.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import ConvexHull
from torch import Tensor, nn


def coordinate_grid(height: int, width: int) -> Tensor:
    """(height, width, 2): x, y in [-1, 1], whose ends are pixel centres."""
    x = 2 * torch.arange(width, dtype=torch.float32) / (width - 1) - 1
    y = 2 * torch.arange(height, dtype=torch.float32) / (height - 1) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def kp2gaussian(points: Tensor, height: int, width: int, variance: float) -> Tensor:
    """(B, K, 2) -> (B, K, height, width)."""
    offset = coordinate_grid(height, width).to(points.device) - points[:, :, None, None]
    return torch.exp(-0.5 * (offset**2).sum(-1) / variance)


class AntiAliasInterpolation2d(nn.Module):
    """A blur at the full size, of which every 1 / scale-th pixel is kept."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        sigma = (1 / scale - 1) / 2
        self.every, self.margin, self.channels = int(1 / scale), round(sigma * 4), channels
        place = torch.arange(2 * self.margin + 1) - float(self.margin)
        line = torch.exp(-(place**2) / (2 * sigma**2))
        kernel = line[:, None] * line
        self.register_buffer("weight", (kernel / kernel.sum()).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.margin,) * 4)
        return F.conv2d(padded, self.weight, groups=self.channels)[..., :: self.every, :: self.every]


class SameBlock2d(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class DownBlock2d(SameBlock2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock2d(SameBlock2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2))


class ResBlock2d(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.InstanceNorm2d(channels, affine=True)
        self.norm2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(out))) + x


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride > 1:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet18(nn.Module):
    """(B, inputs, H, W) -> (B, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64), BasicBlock(64, 64))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512))
        self.fc = nn.Linear(512, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class KPDetector(nn.Module):
    """(B, 3, H, W) in [0, 1] -> (B, 5 num_tps, 2)."""

    def __init__(self, num_tps: int = 10) -> None:
        super().__init__()
        self.fg_encoder = ResNet18(3, num_tps * 5 * 2)

    def forward(self, image: Tensor) -> Tensor:
        out = torch.sigmoid(self.fg_encoder(image)) * 2 - 1
        return out.view(len(image), -1, 2)


class BGMotionPredictor(nn.Module):
    """Source and driving (B, 3, H, W) -> (B, 3, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.bg_encoder = ResNet18(6, 6)

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        out = torch.eye(3, device=source.device).repeat(len(source), 1, 1)
        out[:, :2] = self.bg_encoder(torch.cat([source, driving], 1)).view(-1, 2, 3)
        return out


class AVDNetwork(nn.Module):
    """Points of source and driving (B, 5 num_tps, 2) -> (B, 5 num_tps, 2)."""

    def __init__(self, num_tps: int = 10, id_bottle_size: int = 128, pose_bottle_size: int = 128) -> None:
        super().__init__()
        numbers = 5 * 2 * num_tps
        self.id_encoder = self._layers(numbers, 256, 512, 1024, id_bottle_size)
        self.pose_encoder = self._layers(numbers, 256, 512, 1024, pose_bottle_size)
        self.decoder = self._layers(id_bottle_size + pose_bottle_size, 1024, 512, 256, numbers)

    @staticmethod
    def _layers(first: int, *widths: int) -> nn.Sequential:
        layers = nn.Sequential(nn.Linear(first, widths[0]))
        for before, after in pairwise(widths):
            layers.extend([nn.BatchNorm1d(before), nn.ReLU(), nn.Linear(before, after)])
        return layers

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        identity = self.id_encoder(source.flatten(1))
        pose = self.pose_encoder(driving.flatten(1))
        return self.decoder(torch.cat([pose, identity], 1)).view(len(source), -1, 2)


class TPS:
    """Splines from driving to source: kp_1, kp_2 (B, G, N, 2)."""

    def __init__(self, kp_1: Tensor, kp_2: Tensor) -> None:
        batch, groups, count = kp_1.shape[:3]
        square = torch.linalg.vector_norm(kp_1[:, :, :, None] - kp_1[:, :, None], dim=-1) ** 2
        system = kp_1.new_zeros(batch, groups, count + 3, count + 3)
        system[:, :, :count, :count] = square * torch.log(square + 1e-9)
        system[:, :, :count, count : count + 2] = kp_1
        system[:, :, :count, count + 2] = 1
        system[:, :, count:, :count] = system[:, :, :count, count:].transpose(2, 3)
        system = system + 0.01 * torch.eye(count + 3, device=kp_1.device)
        wanted = torch.cat([kp_2, kp_2.new_zeros(batch, groups, 3, 2)], 2)
        solved = torch.inverse(system) @ wanted
        self.control_points, self.control_params = kp_1, solved[:, :, :count]
        self.theta = solved[:, :, count:].transpose(2, 3)

    def transform_frame(self, height: int, width: int) -> Tensor:
        """(B, G, height, width, 2)."""
        grid = coordinate_grid(height, width).to(self.theta.device).view(1, 1, -1, 2)
        batch, groups = self.theta.shape[:2]
        return self.warp_coordinates(grid).view(batch, groups, height, width, 2)

    def warp_coordinates(self, points: Tensor) -> Tensor:
        """(., ., N, 2) -> (B, G, N, 2)."""
        moved = self.theta[..., :2] @ points.transpose(2, 3) + self.theta[..., 2:]
        square = ((points[:, :, None] - self.control_points[:, :, :, None]) ** 2).sum(-1)
        bumps = square * torch.log(square + 1e-9)
        return moved.transpose(2, 3) + bumps.transpose(2, 3) @ self.control_params


class Hourglass(nn.Module):
    """All maps of the decoder, coarse to fine, each with what it is concatenated with."""

    def __init__(self, expansion: int, inputs: int, blocks: int, most: int) -> None:
        super().__init__()
        widths = [min(most, expansion * 2**i) for i in range(blocks + 1)]
        downs = [DownBlock2d(inputs if i == 0 else widths[i], widths[i + 1]) for i in range(blocks)]
        ups = [
            UpBlock2d(widths[i + 1] * (1 if i == blocks - 1 else 2), widths[i])
            for i in range(blocks - 1, -1, -1)
        ]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.down_blocks, self.decoder.up_blocks = nn.ModuleList(downs), nn.ModuleList(ups)
        self.out_channels = [2 * width for width in widths[-2:0:-1]] + [expansion + inputs]

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x]
        for block in self.encoder.down_blocks:
            levels.append(block(levels[-1]))
        out, maps = levels.pop(), []
        for block in self.decoder.up_blocks:
            out = torch.cat([block(out), levels.pop()], 1)
            maps.append(out)
        return maps


class DenseMotionNetwork(nn.Module):
    """(B, 3, H, W) and points (B, 50, 2) -> where pixels come from (B, h, w, 2), four occlusion maps."""

    def __init__(
        self,
        block_expansion: int = 64,
        num_blocks: int = 5,
        max_features: int = 1024,
        num_tps: int = 10,
        scale_factor: float = 0.25,
        kp_variance: float = 0.01,
    ) -> None:
        super().__init__()
        self.num_tps, self.kp_variance = num_tps, kp_variance
        self.down = AntiAliasInterpolation2d(3, scale_factor)
        inputs = 3 * (num_tps + 1) + 5 * num_tps + 1
        self.hourglass = Hourglass(block_expansion, inputs, num_blocks, max_features)
        coarse, fine = self.hourglass.out_channels[-2:]
        self.maps = nn.Conv2d(fine, num_tps + 1, 7, padding=3)
        self.up = nn.ModuleList([UpBlock2d(fine, fine // 2), UpBlock2d(fine // 2, fine // 4)])
        self.occlusion = nn.ModuleList(
            nn.Conv2d(width, 1, 7, padding=3) for width in (coarse, fine, fine // 2, fine // 4)
        )

    def forward(
        self,
        source_image: Tensor,
        kp_driving: Tensor,
        kp_source: Tensor,
        bg_param: Tensor | None = None,
        dropout: tuple[Tensor, float] | None = None,
    ) -> dict[str, Tensor | list[Tensor]]:
        """dropout: uniform noise (B, num_tps + 1), and the share of transformations that it drops."""
        source = self.down(source_image)
        batch, _, height, width = source.shape
        heat = kp2gaussian(kp_driving, height, width, self.kp_variance)
        heat = heat - kp2gaussian(kp_source, height, width, self.kp_variance)
        heat = torch.cat([heat.new_zeros(batch, 1, height, width), heat], 1)
        transformations = self._transformations(kp_driving, kp_source, bg_param, height, width)
        repeated = source.repeat_interleave(self.num_tps + 1, 0)
        deformed = F.grid_sample(repeated, transformations.flatten(0, 1), align_corners=True)
        maps = self.hourglass(torch.cat([heat, deformed.view(batch, -1, height, width)], 1))
        contribution = self._softmax(self.maps(maps[-1]), dropout)
        deformation = (contribution[:, :, None] * transformations.permute(0, 1, 4, 2, 3)).sum(1)
        occlusion = [torch.sigmoid(self.occlusion[i](maps[i - 2])) for i in range(2)]
        x = maps[-1]
        for up, conv in zip(self.up, list(self.occlusion)[2:], strict=True):
            x = up(x)
            occlusion.append(torch.sigmoid(conv(x)))
        return {
            "deformed_source": deformed.view(batch, self.num_tps + 1, -1, height, width),
            "contribution_maps": contribution,
            "deformation": deformation.permute(0, 2, 3, 1),
            "occlusion_map": occlusion,
        }

    def _transformations(
        self, kp_driving: Tensor, kp_source: Tensor, bg_param: Tensor | None, height: int, width: int
    ) -> Tensor:
        """(B, num_tps + 1, height, width, 2)."""
        batch = len(kp_driving)
        groups = (batch, self.num_tps, 5, 2)
        splines = TPS(kp_driving.view(groups), kp_source.view(groups)).transform_frame(height, width)
        identity = coordinate_grid(height, width).to(kp_driving.device).repeat(batch, 1, 1, 1, 1)
        if bg_param is not None:
            homogeneous = torch.cat([identity, torch.ones_like(identity[..., :1])], -1)
            moved = (bg_param.view(batch, 1, 1, 1, 3, 3) @ homogeneous[..., None]).squeeze(-1)
            identity = moved[..., :2] / moved[..., 2:]
        return torch.cat([identity, splines], 1)

    @staticmethod
    def _softmax(logits: Tensor, dropout: tuple[Tensor, float] | None) -> Tensor:
        if dropout is None:
            return F.softmax(logits, 1)
        noise, share = dropout
        keep = (noise < 1 - share).float()
        keep[:, 0] = 1
        powers = torch.exp(logits - logits.max(1, keepdim=True).values) * keep[:, :, None, None]
        return powers / (powers.sum(1, keepdim=True) + 1e-6)


class InpaintingNetwork(nn.Module):
    """The source (B, 3, H, W) and its dense motion -> the frame, and features warped for the warp loss."""

    def __init__(self, block_expansion: int = 64, max_features: int = 512, num_down_blocks: int = 3) -> None:
        super().__init__()
        widths = [min(max_features, block_expansion * 2**i) for i in range(num_down_blocks + 1)]
        self.first = SameBlock2d(3, widths[0], 7)
        downs = range(num_down_blocks)
        self.down_blocks = nn.ModuleList(DownBlock2d(widths[i], widths[i + 1]) for i in downs)
        ups, residuals = [], []
        for i in reversed(downs):
            inputs = widths[i + 1] * (1 if i == num_down_blocks - 1 else 2)
            ups.append(UpBlock2d(inputs, widths[i]))
            residuals += [ResBlock2d(inputs), ResBlock2d(inputs)]
        self.up_blocks, self.resblock = nn.ModuleList(ups), nn.ModuleList(residuals)
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    @staticmethod
    def _deform(x: Tensor, deformation: Tensor) -> Tensor:
        if deformation.shape[1:3] != x.shape[2:]:
            planes = deformation.permute(0, 3, 1, 2)
            planes = F.interpolate(planes, x.shape[2:], mode="bilinear", align_corners=True)
            deformation = planes.permute(0, 2, 3, 1)
        return F.grid_sample(x, deformation, align_corners=True)

    def forward(self, source_image: Tensor, dense_motion: dict) -> dict[str, Tensor | list[Tensor]]:
        flow, occlusion = dense_motion["deformation"], dense_motion["occlusion_map"]
        maps = [self.first(source_image)]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        maps.reverse()
        warped = [self._deform(maps[0].detach(), flow) * occlusion[0].detach()]
        out = self._deform(maps[0], flow) * occlusion[0]
        for i, up in enumerate(self.up_blocks):
            out = up(self.resblock[2 * i + 1](self.resblock[2 * i](out)))
            warped.append(self._deform(maps[i + 1].detach(), flow) * occlusion[i + 1].detach())
            skipped = self._deform(maps[i + 1], flow) * occlusion[i + 1]
            if i < len(self.up_blocks) - 1:
                out = torch.cat([out, skipped], 1)
        deformed = self._deform(source_image, flow)
        out = torch.sigmoid(self.final(out * (1 - occlusion[-1]) + skipped))
        prediction = out * (1 - occlusion[-1]) + deformed * occlusion[-1]
        return {"prediction": prediction, "deformed": deformed, "warped_encoder_maps": warped}

    def get_encode(self, driving_image: Tensor, occlusion: list[Tensor]) -> list[Tensor]:
        """What the warped features are compared with, fine to coarse."""
        out = self.first(driving_image).detach()
        maps = [out * occlusion[-1].detach()]
        for i, block in enumerate(self.down_blocks):
            out = block(out).detach()
            maps.append(out * occlusion[2 - i].detach())
        return maps


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "kp_detector": KPDetector,
    "dense_motion_network": DenseMotionNetwork,
    "inpainting_network": InpaintingNetwork,
    "bg_predictor": BGMotionPredictor,
    "avd_network": AVDNetwork,
}


def relative_kp(kp_source: Tensor, kp_driving: Tensor, kp_initial: Tensor) -> Tensor:
    """(1, 50, 2) the source's points, moved as the driving's moved since the first frame."""
    areas = [ConvexHull(points[0].cpu().numpy()).volume for points in (kp_source, kp_initial)]
    return kp_source + (kp_driving - kp_initial) * float(np.sqrt(areas[0]) / np.sqrt(areas[1]))


def make_animation(
    networks: dict[str, nn.Module], source: Tensor, driving: Tensor, mode: str = "relative"
) -> Iterator[Tensor]:
    """Frames (1, 3, H, W) of a source (1, 3, H, W) for a driving (T, 3, H, W), all in [0, 1]."""
    detector, avd = networks["kp_detector"], networks["avd_network"]
    kp_source, kp_initial = detector(source), detector(driving[:1])
    for frame in driving.split(1):
        points = detector(frame)
        if mode == "relative":
            points = relative_kp(kp_source, points, kp_initial)
        elif mode == "avd":
            points = avd(kp_source, points)
        motion = networks["dense_motion_network"](source, points, kp_source)
        yield networks["inpainting_network"](source, motion)["prediction"]

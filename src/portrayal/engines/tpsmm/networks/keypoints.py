"""Key points and the background's motion, both by a ResNet-18 (He et al. 2016) with torchvision's names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """(B, inputs, H, W) -> (B, outputs). widths: of the four stages, of two blocks each."""

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, widths[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before = [widths[0], *widths[:-1]]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(BasicBlock(a, b, 1 if i == 0 else 2), BasicBlock(b, b, 1))
            for i, (a, b) in enumerate(zip(before, widths, strict=True))
        )
        self.fc = nn.Linear(widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


RESNET18 = (64, 128, 256, 512)
#: Points that make one thin-plate spline.
POINTS_PER_SPLINE = 5


class KeypointDetector(nn.Module):
    """(B, 3, H, W) RGB in [0, 1] -> (B, 5 splines, 2) points in (-1, 1), those of a spline together."""

    def __init__(self, splines: int = 10, widths: Sequence[int] = RESNET18, size: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.fg_encoder = ResNet(3, 2 * POINTS_PER_SPLINE * splines, widths)

    def forward(self, image: Tensor) -> Tensor:
        if self.size is not None and image.shape[2] != self.size:  # as some were trained
            side = (self.size, self.size)
            image = F.interpolate(image, side, mode="bilinear", align_corners=False, antialias=True)
        return torch.sigmoid(self.fg_encoder(image)).unflatten(1, (-1, 2)) * 2 - 1


class BackgroundPredictor(nn.Module):
    """Source and driving (B, 3, H, W) -> (B, 3, 3), from the driving's background to the source's, affine."""

    def __init__(self, widths: Sequence[int] = RESNET18) -> None:
        super().__init__()
        self.bg_encoder = ResNet(6, 6, widths)
        nn.init.zeros_(self.bg_encoder.fc.weight)
        with torch.no_grad():
            self.bg_encoder.fc.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        rows = self.bg_encoder(torch.cat([source, driving], 1)).view(-1, 2, 3)
        last = rows.new_tensor([0.0, 0.0, 1.0]).expand(len(rows), 1, 3)
        return torch.cat([rows, last], 1)

"""The published losses (Zhao & Zhang 2022, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.engines.tpsmm.networks import (
    BackgroundPredictor,
    DenseMotion,
    DenseMotionNetwork,
    InpaintingNetwork,
    KeypointDetector,
    ThinPlateSplines,
)
from portrayal.engines.tpsmm.networks.blocks import AntiAliasedDown, coordinates, warped

#: Of every loss, and of every layer that the perceptual one compares.
WEIGHT = 10.0
#: How much smaller the pictures of the pyramid are.
PYRAMID = (1, 2, 4, 8)
#: Deviations of the random warp of the equivariance loss: affine, bumps; its control points a side.
AFFINE, BUMPS, CONTROLS = 0.05, 0.005, 5


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step. keep: (B, S) which splines take part, None for all. affine: (B, 2, 3)
    and bumps: (B, 25) standard normal, of the equivariance loss's warp.
    """

    keep: Tensor | None
    affine: Tensor
    bumps: Tensor

    @classmethod
    def of(cls, batch: int, splines: int, dropout: float, generator: torch.Generator) -> Draws:
        """From a generator; dropout: probability that a spline is left out."""
        chances = torch.rand(batch, splines, generator=generator)
        affine = torch.randn(batch, 2, 3, generator=generator)
        bumps = torch.randn(batch, CONTROLS**2, generator=generator)
        return cls(chances < 1 - dropout if dropout > 0 else None, affine, bumps)


class TrainedModel(nn.Module):
    """The networks that are trained together, and their losses."""

    def __init__(
        self,
        keypoints: KeypointDetector,
        dense_motion: DenseMotionNetwork,
        inpainting: InpaintingNetwork,
        background: BackgroundPredictor | None,
        features: Callable[[Tensor], list[Tensor]],
    ) -> None:
        super().__init__()
        self.keypoints, self.dense_motion = keypoints, dense_motion
        self.inpainting, self.background = inpainting, background
        self.features = features
        self.pyramid = nn.ModuleList(AntiAliasedDown(3, factor) for factor in PYRAMID)

    def forward(
        self, source: Tensor, driving: Tensor, draws: Draws, with_background: bool
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses by name and the prediction. source, driving: (B, 3, S, S) in [0, 1], of one clip."""
        source_points, driving_points = self.keypoints(source), self.keypoints(driving)
        moved = None
        if with_background and self.background is not None:
            moved = self.background(source, driving)
        motion = self.dense_motion(source, driving_points, source_points, moved, draws.keep)
        features = self.inpainting.encode(source)
        predicted = self.inpainting(source, features, motion)
        losses = {
            "perceptual": self._perceptual(predicted, driving),
            "equivariance": self._equivariance(driving, driving_points, draws),
            "warp": WEIGHT * warp_loss(self.inpainting, features, driving, motion),
        }
        if moved is not None and self.background is not None:
            there_and_back = moved @ self.background(driving, source)
            losses["background"] = WEIGHT * (torch.eye(3, device=moved.device) - there_and_back).abs().mean()
        return losses, predicted

    def _perceptual(self, predicted: Tensor, driving: Tensor) -> Tensor:
        total = predicted.new_zeros(())
        for down in self.pyramid:
            wanted = self.features(down(driving))
            for made, true in zip(self.features(down(predicted)), wanted, strict=True):
                total = total + WEIGHT * (made - true.detach()).abs().mean()
        return total

    def _equivariance(self, driving: Tensor, points: Tensor, draws: Draws) -> Tensor:
        """Key points move as the picture does."""
        warp = random_splines(draws, driving)
        grid = warp.grid(*driving.shape[2:])[:, 0]
        bent = F.grid_sample(driving, grid, padding_mode="reflection", align_corners=True)
        back = warp(self.keypoints(bent)[:, None])[:, 0]
        return WEIGHT * (points - back).abs().mean()


def random_splines(draws: Draws, like: Tensor) -> ThinPlateSplines:
    """One random smooth warp for every picture; a bump moves x and y alike."""
    batch = len(draws.affine)
    centres = coordinates(CONTROLS, CONTROLS, like).reshape(1, 1, -1, 2).expand(batch, -1, -1, -1)
    still = torch.eye(2, 3, device=like.device)
    affine = still + AFFINE * draws.affine.to(like.device)
    bumps = BUMPS * draws.bumps.to(like.device)
    return ThinPlateSplines(centres, bumps[:, None, :, None].expand(-1, -1, -1, 2), affine[:, None])


def warp_loss(
    inpainting: InpaintingNetwork, features: list[Tensor], driving: Tensor, motion: DenseMotion
) -> Tensor:
    """How far the source's warped features are from the driving's; it teaches the flow alone."""
    with torch.no_grad():
        wanted = inpainting.encode(driving)
    total = driving.new_zeros(())
    for own, true, trust in zip(features, wanted, motion.trust, strict=True):
        total = total + ((warped(own.detach(), motion.flow) - true) * trust.detach()).abs().mean()
    return total

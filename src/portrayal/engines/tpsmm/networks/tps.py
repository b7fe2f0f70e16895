"""Thin-plate splines (Bookstein 1989): smooth warps given by what happens to a few points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from portrayal.engines.tpsmm.networks.blocks import coordinates

#: Added to the diagonal of every system, as the networks were trained: points are met nearly, not exactly.
RIDGE = 0.01


@dataclass(frozen=True)
class ThinPlateSplines:
    """S splines that map points of the driving to the source, q -> affine (q, 1) + sum of bumps.

    centres: (B, S, P, 2); weights: (B, S, P, 2), of the bump around every centre; affine: (B, S, 2, 3).
    """

    centres: Tensor
    weights: Tensor
    affine: Tensor

    @classmethod
    def between(cls, driving: Tensor, source: Tensor) -> ThinPlateSplines:
        """The splines that take (B, S, P, 2) points of the driving to those of the source; in float32."""
        driving, source = driving.float(), source.float()
        count = driving.shape[2]
        ones = driving.new_ones(*driving.shape[:3], 1)
        affine = torch.cat([driving, ones], -1)
        corner = driving.new_zeros(*driving.shape[:2], 3, 3)
        top = torch.cat([_bump(driving[..., :, None, :] - driving[..., None, :, :]), affine], -1)
        bottom = torch.cat([affine.transpose(2, 3), corner], -1)
        system = torch.cat([top, bottom], 2) + RIDGE * torch.eye(count + 3, device=driving.device)
        wanted = torch.cat([source, source.new_zeros(*source.shape[:2], 3, 2)], 2)
        solved = torch.linalg.solve_ex(system, wanted).result  # without waiting for the device
        return cls(driving, solved[..., :count, :], solved[..., count:, :].transpose(2, 3))

    def grid(self, height: int, width: int) -> Tensor:
        """(B, S, height, width, 2) where every pixel comes from."""
        return self(coordinates(height, width, self.centres)[None, None])

    def __call__(self, points: Tensor) -> Tensor:
        """Points (B or 1, S or 1, ..., 2) -> (B, S, ..., 2)."""
        batch, splines = self.centres.shape[:2]
        flat = points.expand(batch, splines, *points.shape[2:]).flatten(2, -2)
        moved = flat @ self.affine[..., :2].transpose(2, 3) + self.affine[:, :, None, :, 2]
        moved = moved + _bump(flat[..., :, None, :] - self.centres[..., None, :, :]) @ self.weights
        return moved.unflatten(2, points.shape[2:-1])


def _bump(offset: Tensor) -> Tensor:
    """(..., 2) -> (...) r^2 log r^2."""
    square = (offset**2).sum(-1)
    return square * torch.log(square + 1e-9)

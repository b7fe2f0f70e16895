"""What the recorded cases of tests/golden/tpsmm were made from: the published code (commit c616878) on
weights and inputs that follow from a name and a seed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from golden.seeded import seeded_input, seeded_weight
from portrayal.engines.tpsmm import networks

GOLDEN = Path(__file__).parent
#: Every key of the published state dicts with its shape: network -> key -> shape.
SHAPES: dict[str, dict[str, list[int]]] = json.loads((GOLDEN / "keys.json").read_text())

PUBLISHED = {
    "kp_detector": networks.KeypointDetector,
    "dense_motion_network": networks.DenseMotionNetwork,
    "inpainting_network": networks.InpaintingNetwork,
    "bg_predictor": networks.BackgroundPredictor,
    "avd_network": networks.AvdNetwork,
}


@cache
def recorded(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files if file[key].dtype.kind == "f"}


@cache
def network(name: str) -> nn.Module:
    return seeded(PUBLISHED[name]())


def seeded(network: nn.Module, prefix: str = "") -> nn.Module:
    """The network with every parameter and running statistic set by its name, in eval."""
    buffers = [(n, b) for n, b in network.named_buffers() if n.endswith(("running_mean", "running_var"))]
    with torch.no_grad():
        for name, value in [*network.named_parameters(), *buffers]:
            value.copy_(torch.from_numpy(seeded_weight(prefix + name, value.shape)))
    return network.eval()


def uniform(label: str, *shape: int) -> Tensor:
    return torch.from_numpy(seeded_input(label, shape))


def normal(label: str, *shape: int) -> Tensor:
    return torch.from_numpy(seeded_input(label, shape, kind="normal"))


def smooth(label: str, batch: int, size: int, cells: int = 16, channels: int = 3) -> Tensor:
    """(batch, channels, size, size) a soft random picture."""
    coarse = uniform(label, batch, channels, cells, cells)
    return F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)

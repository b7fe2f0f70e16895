"""What the published networks made of seeded weights and inputs: parts of their outputs, in .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from golden.liveportrait.weights import smooth_image
from golden.seeded import seeded_input

Part = tuple[int | slice, ...]

#: case -> name -> where in the network's output the stored part lies.
PARTS: dict[str, dict[str, Part]] = {
    "appearance_feature_extractor": {"out": np.s_[0, ::4, ::4, ::4, ::4]},
    "warping_module": {
        "hourglass": np.s_[0, ::10, ::5, ::8, ::8],
        "mask": np.s_[0, ::2, ::5, ::8, ::8],
        "occlusion_map": np.s_[0, 0, ::2, ::2],
        "deformation": np.s_[0, ::3, ::4, ::4],
        "out": np.s_[0, ::16, ::4, ::4],
    },
    "warping_module_wide": {
        "occlusion_map": np.s_[0, 0, ::4, ::4],
        "deformation": np.s_[0, ::3, ::8, ::8],
        "out": np.s_[0, ::16, ::4, ::4],
    },
    "spade_generator": {"out": np.s_[0, :, ::16, ::16], "out_patch": np.s_[0, :, 224:288:2, 224:288:2]},
}


def expected(case: str) -> dict[str, np.ndarray]:
    """The arrays of a case, float32."""
    with np.load(Path(__file__).with_name(f"{case}.npz")) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def error(actual: Tensor, wanted: np.ndarray) -> float:
    """The largest difference, in standard deviations of what is wanted."""
    array = actual.detach().numpy()
    assert array.shape == wanted.shape
    return float(np.abs(array - wanted).max() / (wanted.std() or 1))


def image(label: str) -> Tensor:
    """(1, 3, 256, 256) in [0, 1]"""
    return torch.from_numpy(smooth_image(label, 256)).permute(2, 0, 1)[None].float() / 255


def volume() -> Tensor:
    """What the warping network is given as appearance feature, (1, 32, 16, 64, 64)."""
    return torch.from_numpy(seeded_input("feature_3d", (1, 32, 16, 64, 64), kind="normal")) * 0.4


def feature() -> Tensor:
    """What the generator is given, (1, 256, 64, 64)."""
    return torch.from_numpy(seeded_input("generator_feature", (1, 256, 64, 64), kind="normal")) * 0.15

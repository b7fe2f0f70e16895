"""What the recorded cases of tests/golden/wananimate were made from: the official code (commit 42bf4cf) with
weights and inputs that follow from a name and a seed, in float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from golden.seeded import seeded_input, seeded_weight

GOLDEN = Path(__file__).parent


def recorded(name: str) -> dict[str, Any]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def write_weights(folder: Path) -> None:
    """Reduced networks under the official names: transformer, vae and clip, as .safetensors."""
    for name, part, prefix in (("transformer", "transformer_reduced", ""), ("vae", "vae_reduced", "vae."),
                               ("clip", "clip_reduced", "clip.")):  # fmt: skip
        shapes = json.loads((GOLDEN / f"shapes_{part}.json").read_text())
        before = "visual." if name == "clip" else ""
        state = {
            before + key: _weight(prefix + key, shape)
            for key, shape in shapes.items()
            if not key.endswith(".kernel")
        }
        save_file(state, folder / f"{name}.safetensors")


def _weight(name: str, shape: list[int]) -> Tensor:
    value = seeded_weight(name, shape)
    if ".enc." in name and name.endswith(".weight") and len(shape) > 1:
        value = value * np.float32(np.sqrt(np.prod(shape[1:])))  # these nets divide by it themselves
    return torch.from_numpy(np.ascontiguousarray(value))


def uniform(label: str, *shape: int) -> Tensor:
    return torch.from_numpy(seeded_input(label, shape))


def normal(label: str, *shape: int) -> Tensor:
    return torch.from_numpy(seeded_input(label, shape, kind="normal"))


def faces(label: str, count: int) -> Tensor:
    """(count, 3, 512, 512) in [-1, 1]."""
    small = uniform(label, count, 3, 32, 32)
    return F.interpolate(small, (512, 512), mode="bilinear", align_corners=False) * 2 - 1


def text(label: str, words: int) -> Tensor:
    """(1, 512, 64) so many words, and nothing after them."""
    return F.pad(normal(label, words, 64), (0, 0, 0, 512 - words))[None]

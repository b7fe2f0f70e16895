"""Seeded weights of LivePortrait in the published format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from golden.seeded import seeded_weight
from golden.seeded import smooth_image as smooth_image

#: Every key of the published state dicts with its shape: network -> key -> shape.
SHAPES: dict[str, dict[str, list[int]]] = json.loads(Path(__file__).with_name("keys.json").read_text())

#: What brings the motion heads and the last layers of the MLPs to the size they have in life:
#: network -> (key, factor, offset).
TAME = {
    "motion_extractor": [
        (r"detector\.fc_kp\..*", 0.25, 0.0),
        (r"detector\.fc_exp\..*", 0.01, 0.0),
        (r"detector\.fc_t\..*", 0.05, 0.0),
        (r"detector\.fc_scale\.weight", 0.05, 0.0),
        (r"detector\.fc_scale\.bias", 1.0, 1.5),
    ],
    "stitching": [(r"mlp\.6\..*", 0.1, 0.0)],
    "lip": [(r"mlp\.6\..*", 0.1, 0.0)],
    "eye": [(r"mlp\.10\..*", 0.1, 0.0)],
}


def seeded_state_dict(
    name: str, seed: int = 0, tame: bool = False, shapes: Mapping[str, Sequence[int]] | None = None
) -> dict[str, torch.Tensor]:
    """The state dict of one of SHAPES as published (or, with `shapes`, of another size).

    Spectral norms have weight_orig, weight_u and weight_v, where u and v come from one power step from a
    seeded u, so that u^T W v is near the largest singular value and not at it.
    """
    shapes = SHAPES[name] if shapes is None else shapes
    state: dict[str, torch.Tensor] = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros(tuple(shape), dtype=torch.int64)
        elif not key.endswith(("weight_u", "weight_v")):
            array = seeded_weight(f"{name}.{key}", shape, seed)
            for pattern, factor, offset in TAME.get(name, []) if tame else []:
                if re.fullmatch(pattern, key):
                    array = np.asarray(array * np.float32(factor) + np.float32(offset), np.float32)
            state[key] = torch.from_numpy(np.ascontiguousarray(array))
    for key in [key for key in state if key.endswith("weight_orig")]:
        stem = key.removesuffix("weight_orig")
        start = seeded_weight(f"{name}.{stem}weight_u", state[key].shape[:1], seed)
        u, v = _power_step(state[key].numpy(), start)
        state[stem + "weight_u"], state[stem + "weight_v"] = torch.from_numpy(u), torch.from_numpy(v)
    return {key: state[key] for key in shapes}


def _power_step(weight: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    matrix = weight.astype(np.float64).reshape(len(weight), -1)
    v = _unit(matrix.T @ _unit(u.astype(np.float64)))
    return _unit(matrix @ v).astype(np.float32), v.astype(np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)

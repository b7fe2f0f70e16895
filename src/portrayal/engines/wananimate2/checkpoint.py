"""The published checkpoints of Wan-Animate-2 as diffusers' own networks.

Read are the official single files and the -Diffusers repositories; text encoder, image encoder and VAE are
those of the family.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from portrayal import weights
from portrayal.neural.wan import places
from portrayal.neural.wan.loading import Part, filled
from portrayal.neural.wan.naming import ANIMATE_2
from portrayal.neural.wan.places import COMFY, Files, Place
from portrayal.neural.wan.sizes import count, shape
from portrayal.neural.wan.tables import State

TRANSFORMER: Place = (
    "the transformer",
    (
        "transformer/*.safetensors",
        "wan_animate_2*.safetensors",
        "wan_animate_2/wan_animate_2*.safetensors",
        *(f"{folder}diffusion_models/wan_animate_2*.safetensors" for folder in COMFY),
    ),
)
#: Width of a head of the published model, which no shape tells.
HEAD = 128


def find_files(variant: str, folder: str | None = None, transformer: str | None = None) -> Files:
    """The files of a folder; without one, those that `portrayal download wananimate2[-base]` fetched.

    variant: distilled or base. transformer: a file or folder in place of the transformer there.
    PortrayalError names what is missing.
    """
    name = "wananimate2" if variant == "distilled" else "wananimate2-base"

    def downloaded() -> Path | None:
        return None if weights.missing(name) else weights.file(name)

    return places.find_files(name, TRANSFORMER, folder, transformer, downloaded)


def load_transformer(path: str | Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """WanAnimate2Transformer3DModel on the CPU, in eval; what diffusers keeps in float32 stays so.

    PortrayalError, one line: missing, truncated, foreign, a tensor missing or left over.
    """
    from diffusers import WanAnimate2Transformer3DModel as Model

    path = Path(path)
    part = Part(ANIMATE_2, _renamed, lambda state: _sizes(state, path))
    state = part.table(path, dtype)
    config = part.sizes(state, path)
    return filled(lambda: Model(**config), state, path, part, dtype, tuple(Model._keep_in_fp32_modules))


def _renamed(state: State) -> State:
    from diffusers.loaders.single_file_utils import convert_wan_animate_2_transformer_to_diffusers

    if "blocks.0.self_attn.to_q.weight" in state:
        return state
    return convert_wan_animate_2_transformer_to_diffusers(state)


def _sizes(state: State, path: Path) -> dict[str, Any]:
    width, channels, *patch = shape(state["patch_embedding.weight"])
    return {
        "patch_size": tuple(patch),
        "in_dim": channels,
        "dim": width,
        "ffn_dim": len(state["blocks.0.ffn.0.weight"]),
        "freq_dim": shape(state["time_embedding.0.weight"])[1],
        "text_dim": shape(state["text_embedding.0.weight"])[1],
        "out_dim": len(state["head.head.weight"]) // (patch[0] * patch[1] * patch[2]),
        "num_heads": _heads(path) or width // HEAD,
        "num_layers": count(state, "blocks.{}.self_attn.to_q.weight"),
    }


def _heads(path: Path) -> int | None:
    """What the configuration beside the file says, where there is one."""
    try:
        config = json.loads(((path if path.is_dir() else path.parent) / "config.json").read_text())
        return int(config["num_heads"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

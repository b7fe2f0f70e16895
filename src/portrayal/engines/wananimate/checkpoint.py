"""The published checkpoints of Wan-Animate as diffusers' and transformers' own networks.

What is read: the -Diffusers repository; the official one (safetensors in shards, .pth); the single files
for ComfyUI, also in fp8 with scales; GGUF.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from portrayal.engines.wananimate.files import Files, find_files
from portrayal.neural.wan import naming, sizes
from portrayal.neural.wan.loading import (
    Part,
    check,
    filled,
    load_image_encoder,
    load_text_encoder,
    load_tokenizer,
    load_vae,
)
from portrayal.neural.wan.tables import State

__all__ = [
    "Files",
    "find_files",
    "load_image_encoder",
    "load_text_encoder",
    "load_tokenizer",
    "load_transformer",
    "load_vae",
]

#: Layers that are computed in float32 beside those that diffusers keeps so.
EXACT = ("time_proj", "proj_out")
TRANSFORMER = Part(naming.TRANSFORMER, naming.transformer, sizes.transformer)


def load_transformer(path: str | Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """WanAnimateTransformer3DModel on the CPU, in eval.

    dtype: of the weights; those that are computed in float32 (norms, time embedding, modulation, the motion
    directions, the output) stay so. Of a GGUF file, the precision it computes in: its weights stay quantised.
    PortrayalError, one line: missing, truncated, foreign, another Wan model, a tensor missing or left over.
    """
    from diffusers import WanAnimateTransformer3DModel as Model

    path = Path(path)
    state = TRANSFORMER.table(path, dtype)
    config = TRANSFORMER.sizes(state, path)
    if path.suffix == ".gguf":
        return _quantised(state, config, path, dtype)
    fp32 = (*Model._keep_in_fp32_modules, *EXACT)
    return filled(lambda: Model(**config), state, path, TRANSFORMER, dtype, fp32)


def _quantised(state: State, config: dict[str, Any], path: Path, dtype: torch.dtype) -> Any:
    """The transformer with GGUF's weights as they are; each is decoded when its layer is run."""
    from accelerate import init_empty_weights
    from diffusers import GGUFQuantizationConfig
    from diffusers import WanAnimateTransformer3DModel as Model
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor

    with init_empty_weights():
        network: Any = Model(**config)
    check(network, state, path, TRANSFORMER)
    linear = {name for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    for name, value in state.items():  # only linear layers can hold quantised weights
        if isinstance(value, GGUFParameter) and name.rpartition(".")[0] not in linear:
            state[name] = dequantize_gguf_tensor(value).to(dtype)
        elif not isinstance(value, GGUFParameter) and value.dtype == torch.float16:
            state[name] = value.to(dtype)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(dict(network.config)))
        loaded = Model.from_single_file(
            state,
            quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
            config=folder,
            dtype=dtype,
        )
    return loaded.requires_grad_(False)

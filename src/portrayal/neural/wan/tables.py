"""Tables of tensors as they are published: one file, shards with an index, a folder, fp8 with scales, GGUF.

Everything a file holds is either used or named in an error; no pickle is executed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from portrayal.damaged import said
from portrayal.errors import PortrayalError
from portrayal.media.files import check_source, shown
from portrayal.tensor_files import read_tensors

State = dict[str, Tensor]
#: What the community's files put before every name.
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "module.", "model.")
#: Scales of fp8 weights, by what stands in the place of ".weight" (two generations of the same idea).
SCALES = (".scale_weight", ".weight_scale")
#: Said of fp8 layers and not needed where sums are done in bfloat16: scales of activations, and marks.
IGNORED = (".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)


def read_table(path: Path) -> State:
    """The tensors of a file, of an index with its shards, or of a folder that holds one of these; by name.

    PortrayalError, one line: missing, truncated, foreign, or a shard that its index promises and that is not
    there or lacks what the index says it has.
    """
    if path.is_dir():
        path = _in_folder(path)
    if path.name.endswith(".index.json"):
        return _sharded(path)
    if path.suffix == ".gguf":
        return _gguf(path)
    return _plain(path)


def _in_folder(folder: Path) -> Path:
    found = sorted(folder.glob("*.safetensors.index.json")) or sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise PortrayalError(f"{shown(folder)}: holds no .safetensors file")
    names = ", ".join(file.name for file in found[:3])
    raise PortrayalError(f"{shown(folder)}: holds {len(found)} .safetensors files and no index: {names} ...")


def _sharded(index: Path) -> State:
    check_source(index)
    try:
        where: dict[str, str] = json.loads(index.read_text())["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise PortrayalError(f"{shown(index)}: is no index of shards") from error
    absent = sorted({shard for shard in where.values() if not (index.parent / shard).is_file()})
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise PortrayalError(f"{shown(index)}: its shard {absent[0]}{more} is not there; fetch it again")
    state: State = {}
    for shard in sorted(set(where.values())):
        state |= _plain(index.parent / shard)
    lost = [name for name in where if name not in state]
    if lost:
        shard = shown(index.parent / where[lost[0]])
        raise PortrayalError(f"{shard}: lacks {_few(lost)}, which its index has")
    return state


def _plain(path: Path) -> State:
    content: dict[str, Any] = dict(read_tensors(path))
    for key in ("state_dict", "model"):  # a training checkpoint around the table
        if isinstance(content.get(key), dict):
            content = content[key]
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise PortrayalError(f"{shown(path)}: is no table of tensors: {others[0]!r} is something else")
    return content


def _gguf(path: Path) -> State:
    from diffusers.models.model_loading_utils import load_gguf_checkpoint

    check_source(path)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise PortrayalError(f"{shown(path)}: is no GGUF file")
    try:
        state: State = load_gguf_checkpoint(str(path))
        state |= {name: state[name].reshape(shape) for name, shape in _folded(path).items()}
    except (ValueError, KeyError, IndexError, OSError, RuntimeError) as error:
        raise PortrayalError(
            f"{shown(path)}: is damaged, cut short or of no known kind ({said(error)})"
        ) from error
    return state


def _folded(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of tensors that were folded, since the format has four axes at most: ComfyUI-GGUF notes them."""
    from gguf import GGUFReader

    note = "comfy.gguf.orig_shape."
    fields = GGUFReader(str(path)).fields.items()
    return {
        name.removeprefix(note): tuple(int(field.parts[i][0]) for i in field.data)
        for name, field in fields
        if name.startswith(note)
    }


def bare(state: State) -> State:
    """The same under the names that come behind a prefix all of them share."""
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) or name in IGNORED for name in state):
            return {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def unscaled(state: State, path: Path, dtype: torch.dtype) -> State:
    """fp8 weights times their scales, in `dtype`; the scales themselves and marks are gone.

    A weight w stored as q = round(w / s) comes back as q * s, one s for a tensor or for each of its rows.
    PortrayalError where weights are integers, or an fp8 weight has no scale though the same layer of other
    blocks has one.
    """
    integers = [name for name, value in state.items() if value.dtype == torch.int8 and value.ndim > 1]
    if integers:
        raise PortrayalError(
            f"{shown(path)}: {integers[0]} is quantised to int8, which is not read; bf16, fp8 and GGUF are"
        )
    scales = {name: value for name, value in state.items() if name.endswith(SCALES)}
    plain = {name: v for name, v in state.items() if name not in scales and not name.endswith(IGNORED)}
    if not scales:
        return plain
    for suffix in SCALES:
        for name in [name for name in scales if name.endswith(suffix)]:
            weight = name.removesuffix(suffix) + ".weight"
            if weight not in plain:
                raise PortrayalError(f"{shown(path)}: lacks {weight}, for which it has a scale")
            plain[weight] = _scaled(plain[weight], scales[name], path, weight).to(dtype)
    kinds = {_kind(name.removesuffix(suffix)) for suffix in SCALES for name in scales}
    left = [n for n, v in plain.items() if v.dtype in FP8 and _kind(n.removesuffix(".weight")) in kinds]
    if left:
        raise PortrayalError(f"{shown(path)}: lacks the scale of {_few(left)}, which other blocks have")
    return plain


def _kind(layer: str) -> str:
    """The layer, whichever block it is of."""
    return re.sub(r"\d+", "#", layer)


def _scaled(weight: Tensor, scale: Tensor, path: Path, name: str) -> Tensor:
    if scale.numel() not in (1, len(weight)):
        raise PortrayalError(f"{shown(path)}: {scale.numel()} scales for the {len(weight)} rows of {name}")
    return weight.float() * scale.float().reshape(-1, *[1] * (weight.ndim - 1))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more

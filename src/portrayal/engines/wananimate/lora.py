"""Low-rank changes of the transformer's weights (LoRA, Hu et al. 2021, https://arxiv.org/abs/2106.09685).

Read are the relighting LoRA and the step-distilled ones in the names they are published under: official
layers bare, behind `base_model.model.` or `diffusion_model.`, or with underscores; `lora_A`/`lora_B` or
`lora_down`/`lora_up`, with or without alpha; whole differences of weights (`diff`) and biases (`diff_b`).
Every tensor of a file is applied, or an error names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.neural.wan import naming, sizes
from portrayal.neural.wan.tables import State, read_table

PREFIX = re.compile(r"^(base_model\.model\.|model\.|diffusion_model\.|transformer\.|unet\.|module\.)+")
#: What a tensor is, by the end of its name; the PEFT library writes the name of the adapter between.
KINDS = {
    "down": re.compile(r"\.lora_(A|down)(\.default)?\.weight$"),
    "up": re.compile(r"\.lora_(B|up)(\.default)?\.weight$"),
    "alpha": re.compile(r"\.alpha$"),
    "diff": re.compile(r"\.diff$"),
    "diff_b": re.compile(r"\.diff_b$"),
}
#: Layers whose own names have underscores, for files that have nothing else.
UNDERSCORES = (
    (r"^lora_unet__?", ""),
    (r"^blocks_(\d+)_", r"blocks.\1."),
    (r"(self|cross)_attn_", r"\1_attn."),
    (r"(ffn|img_emb_proj|(?:text|time)_embedding|time_projection)_(\d)$", r"\1.\2"),
    (r"^img_emb_proj", "img_emb.proj"),
    (r"^head_head$", "head.head"),
)


@dataclass
class Layer:
    """A layer's change as the file has it: up (out, rank) @ down (rank, in) * alpha / rank, or whole."""

    down: Tensor | None = None
    up: Tensor | None = None
    alpha: Tensor | None = None
    diff: Tensor | None = None
    diff_b: Tensor | None = None

    @property
    def scale(self) -> float:
        """alpha / rank; 1 where there is no alpha."""
        if self.alpha is None or self.down is None:
            return 1.0
        return float(self.alpha) / len(self.down)


def apply_lora(transformer: Any, file: str | Path, strength: float = 1.0) -> int:
    """Change the weights of WanAnimateTransformer3DModel in place; how many tensors were changed.

    W becomes W + strength * alpha / rank * up @ down, computed in float32 and rounded once. Layers whose
    weights are quantised (GGUF) get the product beside them, through diffusers' adapters. PortrayalError
    names what the file has and this model not, what does not fit, what is half there; nothing changes then.
    """
    path = Path(file)
    layers = read_lora(path)
    changes = dict(_changes(layers, path))
    # Adapters of an earlier LoRA have put a layer around the quantised ones.
    parameters = {name.replace(".base_layer.", "."): p for name, p in transformer.named_parameters()}
    _check(changes, parameters, path)
    quantised = {name for name in changes if hasattr(parameters[name], "quant_type")}
    for name, (layer, part) in changes.items():
        if name not in quantised:
            _add(parameters[name], layer, part, strength)
    if quantised:
        _adapt(transformer, {name: changes[name] for name in quantised}, strength)
    return len(changes)


def read_lora(path: Path) -> dict[str, Layer]:
    """The changes by layer, under the names of the file less its prefix.

    PortrayalError: no LoRA at all, a tensor of no known kind, or only half of a pair.
    """
    table = read_table(path)
    layers: dict[str, Layer] = {}
    unknown = []
    for name, value in table.items():
        kind = next((kind for kind, end in KINDS.items() if end.search(name)), None)
        if kind is None:
            unknown.append(name)
            continue
        layer = layers.setdefault(_plain(KINDS[kind].sub("", name)), Layer())
        setattr(layer, kind, value)
    if not layers:
        raise PortrayalError(f"{shown(path)}: is {naming.kind(table)}, not a LoRA")
    if unknown:
        raise PortrayalError(f"{shown(path)}: is a LoRA with {_some(unknown)}, which is not applied")
    for name, layer in layers.items():
        if (layer.down is None) != (layer.up is None):
            raise PortrayalError(f"{shown(path)}: has only half of the pair for {name}")
        if layer.down is None and layer.diff is None and layer.diff_b is None:
            raise PortrayalError(f"{shown(path)}: has nothing but alpha for {name}")
    return layers


def _plain(name: str) -> str:
    """The layer's own name, with dots."""
    name = PREFIX.sub("", name)
    if "." not in name and name.startswith("lora_unet_"):
        for pattern, new in UNDERSCORES:
            name = re.sub(pattern, new, name)
    return name


#: A layer, and which rows of its product a parameter takes: (start, stop), or None for a bias.
Change = tuple[Layer, tuple[int, int] | None]


def _changes(layers: dict[str, Layer], path: Path) -> Iterator[tuple[str, Change]]:
    """Of every parameter that changes, by diffusers' name, what it is changed by."""
    own = any(".attn1." in name or ".attn2." in name for name in layers)
    for name, layer in layers.items():
        weight = layer.up if layer.diff is None else layer.diff
        if layer.up is not None and layer.diff is not None:
            raise PortrayalError(f"{shown(path)}: has both a pair and a whole difference for {name}")
        if weight is not None:
            rows = torch.arange(len(weight))
            key = name if name.endswith("modulation") else f"{name}.weight"
            for new, part in ({key: rows} if own else naming.transformer({key: rows})).items():
                yield new, (layer, (int(part[0]), int(part[-1]) + 1))
        if layer.diff_b is not None:
            for new in [f"{name}.bias"] if own else naming.transformer({f"{name}.bias": layer.diff_b}):
                yield new, (layer, None)


def _check(changes: dict[str, Change], parameters: dict[str, Any], path: Path) -> None:
    lost = [name for name in changes if name not in parameters]
    if lost:
        raise PortrayalError(f"{shown(path)}: changes {_some(lost)}, which this model has not")
    for name, (layer, part) in changes.items():
        if layer.down is None and hasattr(parameters[name], "quant_type"):
            what = f"changes the whole of {name}, which is quantised"
            raise PortrayalError(f"{shown(path)}: {what}; use the transformer in bf16")
        wanted = sizes.shape(parameters[name])
        got = _shape(layer, part)
        if got != wanted and not (len(wanted) > 2 and got == (wanted[0], parameters[name][0].numel())):
            raise PortrayalError(f"{shown(path)}: its change of {name} is {got}, not {wanted}")


def _shape(layer: Layer, part: tuple[int, int] | None) -> tuple[int, ...]:
    if part is None:
        assert layer.diff_b is not None
        return tuple(layer.diff_b.shape)
    start, stop = part
    if layer.diff is not None:
        return (stop - start, *layer.diff.shape[1:])
    assert layer.down is not None and layer.up is not None
    return (stop - start, layer.down[0].numel()) if layer.up[0].numel() == len(layer.down) else ()


def _add(parameter: Tensor, layer: Layer, part: tuple[int, int] | None, strength: float) -> None:
    if part is None:
        assert layer.diff_b is not None
        change = layer.diff_b.float()
    elif layer.diff is not None:
        change = layer.diff.float()[part[0] : part[1]]
    else:
        down, up = _pair(layer, part)
        change = up @ down * layer.scale
    with torch.no_grad():
        changed = parameter.float() + strength * change.to(parameter.device).reshape(parameter.shape)
        parameter.copy_(changed)


def _pair(layer: Layer, part: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """down (rank, in) and the rows of up (out, rank) in float32; those of convolutions flattened."""
    assert layer.down is not None and layer.up is not None
    return layer.down.float().flatten(1), layer.up.float().flatten(1)[part[0] : part[1]]


def _adapt(transformer: Any, changes: dict[str, Change], strength: float) -> None:
    """Pairs beside quantised weights; the scale goes into `up`, so that the adapter's own is 1."""
    state: State = {}
    for name, (layer, part) in changes.items():
        assert part is not None
        down, up = _pair(layer, part)
        module = name.removesuffix(".weight")
        state[f"{module}.lora_A.weight"] = down
        state[f"{module}.lora_B.weight"] = up * layer.scale * strength
    adapter = "lora_" + str(len(getattr(transformer, "peft_config", {})))
    transformer.load_lora_adapter(state, adapter_name=adapter, prefix=None)
    transformer.set_adapters(list(transformer.peft_config))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more

"""LoRAs of Wan-Animate against W + scale * B A computed by hand, in every naming they are published in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import wan_networks
from portrayal.engines.wananimate import checkpoint
from portrayal.engines.wananimate.lora import apply_lora
from portrayal.errors import PortrayalError

State = dict[str, Tensor]
#: The official names of the layers that the relighting LoRA changes, and diffusers' names.
LAYERS = {
    f"{kind}_attn.{letter}": f"attn{1 + (kind == 'cross')}.{new}"
    for kind in ("self", "cross")
    for letter, new in {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}.items()
} | {
    "cross_attn.k_img": "attn2.add_k_proj",
    "cross_attn.v_img": "attn2.add_v_proj",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}


@pytest.fixture(scope="module")
def weights() -> State:
    return {name: value.clone() for name, value in wan_networks.transformer().state_dict().items()}


@pytest.fixture(scope="module")
def shared() -> Any:
    return wan_networks.transformer()


@pytest.fixture
def network(shared: Any, weights: State) -> Any:
    shared.load_state_dict(weights)
    return shared


def _pairs(weights: State, rank: int = 4) -> dict[str, tuple[Tensor, Tensor, str]]:
    """By official layer: A (rank, in), B (out, rank) and diffusers' name of the weight."""
    generator = torch.Generator().manual_seed(3)
    pairs = {}
    for block in (0, 7):
        for layer, new in LAYERS.items():
            name = f"blocks.{block}.{new}.weight"
            out, wide = weights[name].shape
            a = torch.randn(rank, wide, generator=generator)
            b = torch.randn(out, rank, generator=generator)
            pairs[f"blocks.{block}.{layer}"] = (a, b, name)
    return pairs


def _proven(network: Any, weights: State, changed: State) -> None:
    """The network has exactly these weights, and the others as they were."""
    got = network.state_dict()
    for name, value in weights.items():
        assert torch.allclose(got[name], changed.get(name, value), atol=1e-6, rtol=0), name
        assert name in changed or torch.equal(got[name], value), name


@pytest.mark.parametrize("prefix", ["", "base_model.model.", "diffusion_model."])
@pytest.mark.parametrize("adapter", ["", ".default"])
def test_the_relighting_lora(tmp_path: Path, network: Any, weights: State, prefix: str, adapter: str) -> None:
    pairs = _pairs(weights)
    file = tmp_path / "relight.safetensors"
    state = {}
    for layer, (a, b, _) in pairs.items():
        state[f"{prefix}{layer}.lora_A{adapter}.weight"] = a
        state[f"{prefix}{layer}.lora_B{adapter}.weight"] = b
    save_file(state, file)
    assert apply_lora(network, file, 0.7) == len(pairs) == 24
    _proven(network, weights, {name: weights[name] + 0.7 * (b @ a) for a, b, name in pairs.values()})


def test_the_ckpt_is_read_as_tensors_only(tmp_path: Path, network: Any, weights: State) -> None:
    pairs = _pairs(weights)
    state = {f"{layer}.lora_A.weight": a for layer, (a, _, _) in pairs.items()}
    state |= {f"{layer}.lora_B.weight": b for layer, (_, b, _) in pairs.items()}
    torch.save({"state_dict": state}, tmp_path / "relighting_lora.ckpt")
    apply_lora(network, tmp_path / "relighting_lora.ckpt")
    _proven(network, weights, {name: weights[name] + b @ a for a, b, name in pairs.values()})
    torch.save({"state_dict": state, "hook": Path.cwd}, tmp_path / "code.ckpt")
    with pytest.raises(PortrayalError, match="asks to run"):
        apply_lora(network, tmp_path / "code.ckpt")


def test_step_distilled_with_alpha_biases_and_norms(tmp_path: Path, network: Any, weights: State) -> None:
    pairs = _pairs(weights)
    state: State = {}
    changed: State = {}
    for layer, (a, b, name) in pairs.items():
        state |= {
            f"diffusion_model.{layer}.lora_down.weight": a,
            f"diffusion_model.{layer}.lora_up.weight": b,
            f"diffusion_model.{layer}.alpha": torch.tensor(2.0),
            f"diffusion_model.{layer}.diff_b": torch.full((len(b),), 0.25),
        }
        changed[name] = weights[name] + 0.5 * (b @ a)  # alpha / rank = 2 / 4
        bias = name.replace(".weight", ".bias")
        changed[bias] = weights[bias] + 0.25
    for official, name in {
        "blocks.3.norm3.diff": "blocks.3.norm2.weight",
        "blocks.3.norm3.diff_b": "blocks.3.norm2.bias",
        "blocks.3.self_attn.norm_k.diff": "blocks.3.attn1.norm_k.weight",
        "blocks.3.cross_attn.norm_k_img.diff": "blocks.3.attn2.norm_added_k.weight",
        "blocks.3.modulation.diff": "blocks.3.scale_shift_table",
        "img_emb.proj.0.diff": "condition_embedder.image_embedder.norm1.weight",
        "time_projection.1.diff_b": "condition_embedder.time_proj.bias",
        "head.head.diff_b": "proj_out.bias",
        "patch_embedding.diff": "patch_embedding.weight",
    }.items():
        state[f"diffusion_model.{official}"] = torch.full_like(weights[name], 0.125)
        changed[name] = weights[name] + 0.125
    save_file(state, tmp_path / "4step.safetensors")
    assert apply_lora(network, tmp_path / "4step.safetensors") == len(changed) == 2 * 24 + 9
    _proven(network, weights, changed)


def test_names_with_underscores_and_diffusers_names(tmp_path: Path, network: Any, weights: State) -> None:
    pairs = _pairs(weights)
    state = {}
    for layer, (a, b, _) in pairs.items():
        state[f"lora_unet_{layer.replace('.', '_')}.lora_down.weight"] = a
        state[f"lora_unet_{layer.replace('.', '_')}.lora_up.weight"] = b
    save_file(state, tmp_path / "underscores.safetensors")
    apply_lora(network, tmp_path / "underscores.safetensors")
    changed = {name: weights[name] + b @ a for a, b, name in pairs.values()}
    _proven(network, weights, changed)
    network.load_state_dict(weights)
    state = {}
    for a, b, name in pairs.values():
        state[f"transformer.{name.replace('.weight', '.lora_A.weight')}"] = a
        state[f"transformer.{name.replace('.weight', '.lora_B.weight')}"] = b
    save_file(state, tmp_path / "diffusers.safetensors")
    apply_lora(network, tmp_path / "diffusers.safetensors")
    _proven(network, weights, changed)


def test_a_layer_that_diffusers_has_in_two(tmp_path: Path, network: Any, weights: State) -> None:
    name = "face_adapter.fuser_blocks.1.linear1_kv"
    a, b = torch.randn(4, 64), torch.randn(128, 4)
    save_file({f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}, tmp_path / "face.safetensors")
    assert apply_lora(network, tmp_path / "face.safetensors") == 2
    key, value = "face_adapter.1.to_k.weight", "face_adapter.1.to_v.weight"
    product = b @ a
    _proven(network, weights, {key: weights[key] + product[:64], value: weights[value] + product[64:]})


def test_bf16_weights_are_rounded_once(tmp_path: Path, weights: State) -> None:
    network = wan_networks.transformer().to(torch.bfloat16)
    pairs = _pairs(weights)
    state = {f"{layer}.lora_A.weight": a for layer, (a, _, _) in pairs.items()}
    state |= {f"{layer}.lora_B.weight": b for layer, (_, b, _) in pairs.items()}
    save_file(state, tmp_path / "relight.safetensors")
    apply_lora(network, tmp_path / "relight.safetensors")
    got = network.state_dict()
    for a, b, name in pairs.values():
        wanted = (weights[name].to(torch.bfloat16).float() + b @ a).to(torch.bfloat16)
        assert torch.equal(got[name], wanted)


def test_what_is_not_applied_is_an_error_and_changes_nothing(
    tmp_path: Path, network: Any, weights: State
) -> None:
    good = {
        "blocks.0.self_attn.q.lora_A.weight": torch.ones(4, 64),
        "blocks.0.self_attn.q.lora_B.weight": torch.ones(64, 4),
    }

    def refused(extra: State, words: str, keep: bool = True) -> None:
        save_file((good if keep else {}) | extra, tmp_path / "lora.safetensors")
        with pytest.raises(PortrayalError, match=words) as error:
            apply_lora(network, tmp_path / "lora.safetensors")
        assert "\n" not in str(error.value)
        _proven(network, weights, {})

    one, other = torch.ones(4, 64), torch.ones(64, 4)
    pair = {"blocks.99.ffn.0.lora_A.weight": one, "blocks.99.ffn.0.lora_B.weight": torch.ones(96, 4)}
    refused(pair, "changes blocks.99.ffn.net.0.proj.weight, which this model has not")
    refused({"blocks.0.self_attn.q.dora_scale": one}, "dora_scale, which is not applied")
    refused({"blocks.0.self_attn.k.lora_A.weight": one}, "only half of the pair for blocks.0.self_attn.k")
    refused({"blocks.0.self_attn.k.alpha": torch.ones(())}, "nothing but alpha")
    odd = {"blocks.1.self_attn.q.lora_A.weight": one, "blocks.1.self_attn.q.lora_B.weight": torch.ones(32, 4)}
    refused(odd, r"blocks.1.attn1.to_q.weight is \(32, 64\), not \(64, 64\)")
    refused({"blocks.0.self_attn.q.diff": other}, "both a pair and a whole difference")
    refused({"patch_embedding.diff": torch.ones(64, 16, 1, 2, 2)}, "patch_embedding.weight is")
    refused({"visual.head": one}, "image encoder CLIP ViT-H, not a LoRA", keep=False)


def test_beside_quantised_weights(tmp_path: Path, weights: State) -> None:
    import gguf

    network = wan_networks.transformer()
    writer = gguf.GGUFWriter(tmp_path / "wan.gguf", "wan")
    eight = gguf.GGMLQuantizationType.Q8_0
    for name, value in wan_networks.official(network.state_dict(), kernels=False).items():
        if ".ffn." in name and name.endswith("weight"):
            writer.add_tensor(name, gguf.quants.quantize(value.numpy(), eight), raw_dtype=eight)
        else:
            writer.add_tensor(name, value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    pairs = _pairs(weights)
    state = {f"{layer}.lora_A.weight": a for layer, (a, _, _) in pairs.items()}
    state |= {f"{layer}.lora_B.weight": b / 10 for layer, (_, b, _) in pairs.items()}
    save_file(state, tmp_path / "relight.safetensors")
    quantised = checkpoint.load_transformer(tmp_path / "wan.gguf", torch.float32)
    inputs = wan_networks.inputs()
    apply_lora(quantised, tmp_path / "relight.safetensors", 0.5)
    apply_lora(network, tmp_path / "relight.safetensors", 0.5)
    wanted = network(**inputs, return_dict=False)[0]
    got = quantised(**inputs, return_dict=False)[0]
    plain = wan_networks.transformer()(**inputs, return_dict=False)[0]
    assert (got - wanted).std() < 0.02 * wanted.std() < 0.2 * (plain - wanted).std()
    apply_lora(quantised, tmp_path / "relight.safetensors", -0.5)  # a second one beside the first
    assert (quantised(**inputs, return_dict=False)[0] - plain).std() < 0.02 * plain.std()
    save_file({"blocks.0.ffn.0.diff": torch.ones(96, 64)}, tmp_path / "whole.safetensors")
    with pytest.raises(PortrayalError, match="which is quantised"):
        apply_lora(quantised, tmp_path / "whole.safetensors")

"""Wan-Animate's published files: every layout gives the same networks, and whatever is wrong is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import wan_networks
from portrayal import weights
from portrayal.engines.wananimate import checkpoint
from portrayal.errors import PortrayalError

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def network() -> Any:
    return wan_networks.transformer()


@pytest.fixture
def official(network: Any) -> State:
    return wan_networks.official(network.state_dict())


def _same(one: Any, other: Any) -> None:
    wanted = other.state_dict()
    got = one.state_dict()
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


def _refused(load: Callable[[], Any], *words: str) -> str:
    with pytest.raises(PortrayalError) as error:
        load()
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message
    return message


def _shards(state: State, folder: Path, stem: str) -> None:
    """Two shards and their index, as large repositories have them."""
    names = sorted(state)
    halves = {1: names[::2], 2: names[1::2]}
    where = {name: f"{stem}-0000{i}-of-00002.safetensors" for i, half in halves.items() for name in half}
    folder.mkdir(parents=True, exist_ok=True)
    for i, half in halves.items():
        save_file({name: state[name] for name in half}, folder / f"{stem}-0000{i}-of-00002.safetensors")
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": where}))


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
def test_single_files_under_official_names(
    tmp_path: Path, network: Any, official: State, prefix: str
) -> None:
    file = tmp_path / "wan.safetensors"
    save_file({prefix + name: value for name, value in official.items()}, file)
    loaded = checkpoint.load_transformer(file, torch.float32)
    _same(loaded, network)
    inputs = wan_networks.inputs()
    got, wanted = loaded(**inputs, return_dict=False)[0], network(**inputs, return_dict=False)[0]
    assert torch.allclose(got, wanted, atol=1e-4)


def test_the_diffusers_repository_and_official_shards(tmp_path: Path, network: Any, official: State) -> None:
    _shards(network.state_dict(), tmp_path / "transformer", "diffusion_pytorch_model")
    _same(checkpoint.load_transformer(tmp_path / "transformer", torch.float32), network)
    _shards(official, tmp_path, "diffusion_pytorch_model")
    index = tmp_path / "diffusion_pytorch_model.safetensors.index.json"
    _same(checkpoint.load_transformer(index, torch.float32), network)
    (tmp_path / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    _refused(
        lambda: checkpoint.load_transformer(index), "diffusion_pytorch_model-00002-of-00002", "not there"
    )


def test_bf16_keeps_what_diffusers_keeps_in_fp32(tmp_path: Path, official: State) -> None:
    save_file(official, tmp_path / "wan.safetensors")
    loaded = checkpoint.load_transformer(tmp_path / "wan.safetensors")
    kept = {name for name, value in loaded.state_dict().items() if value.dtype == torch.float32}
    assert "blocks.0.scale_shift_table" in kept and "motion_encoder.motion_synthesis_weight" in kept
    assert "condition_embedder.time_embedder.linear_1.weight" in kept
    assert not any(".to_q." in name or ".ffn." in name for name in kept)


@pytest.mark.parametrize("suffix", [".scale_weight", ".weight_scale"])
def test_scaled_fp8(tmp_path: Path, network: Any, official: State, suffix: str) -> None:
    scaled: State = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    plain = "text_embedding.2.weight"  # in fp8, too, but as it is
    for name, value in official.items():
        if re.search(r"^blocks\..*(attn\.[qkvo]|ffn\.\d)\.weight", name):
            scale = value.abs().max() / 448
            scaled[name] = (value / scale).to(torch.float8_e4m3fn)
            scaled[name.removesuffix(".weight") + suffix] = scale
        else:
            scaled[name] = value.to(torch.float8_e4m3fn) if name == plain else value
    file = tmp_path / "wan_fp8_scaled.safetensors"
    save_file(scaled, file)
    loaded = checkpoint.load_transformer(file, torch.float32).state_dict()
    for name, value in network.state_dict().items():  # 3 bits of mantissa: an error of 1/16 at most
        assert torch.allclose(loaded[name], value, rtol=1 / 16, atol=0.001), name
    lost = "blocks.3.ffn.0" + suffix
    save_file({k: v for k, v in scaled.items() if k != lost}, file)
    _refused(lambda: checkpoint.load_transformer(file), "scale of blocks.3.ffn.0.weight")


def test_int8_is_refused_by_name(tmp_path: Path, official: State) -> None:
    official["blocks.1.ffn.0.weight"] = official["blocks.1.ffn.0.weight"].to(torch.int8)
    save_file(official, tmp_path / "wan_int8.safetensors")
    file = tmp_path / "wan_int8.safetensors"
    _refused(lambda: checkpoint.load_transformer(file), "int8", "blocks.1.ffn.0.weight")


def test_gguf(tmp_path: Path, network: Any, official: State) -> None:
    import gguf

    file = tmp_path / "wan-Q8_0.gguf"
    writer = gguf.GGUFWriter(file, "wan")
    eight = gguf.GGMLQuantizationType.Q8_0
    for name, value in official.items():
        if name.endswith(".kernel"):
            continue
        array = value.numpy()
        if value.ndim > 4:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", list(value.shape))
            array = array.reshape(*value.shape[:2], -1)
        if value.ndim == 2 and value.shape[1] % 32 == 0 and min(value.shape) > 8:
            array = gguf.quants.quantize(array, eight)
            writer.add_tensor(name, array, raw_dtype=eight)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    loaded = checkpoint.load_transformer(file, torch.float32)
    assert loaded.blocks[0].attn1.to_q.weight.dtype == torch.uint8
    inputs = wan_networks.inputs()
    wanted = network(**inputs, return_dict=False)[0]
    got = loaded(**inputs, return_dict=False)[0]
    assert 0 < (got - wanted).std() / wanted.std() < 0.02
    data = file.read_bytes()
    (tmp_path / "short.gguf").write_bytes(data[: len(data) // 2])
    _refused(lambda: checkpoint.load_transformer(tmp_path / "short.gguf"), "short.gguf", "damaged")


def test_missing_left_over_and_misshapen_tensors_are_named(tmp_path: Path, official: State) -> None:
    file = tmp_path / "wan.safetensors"

    def refused(state: State, *words: str) -> None:
        save_file(state, file)
        _refused(lambda: checkpoint.load_transformer(file), "wan.safetensors", *words)

    refused(
        {k: v for k, v in official.items() if k != "blocks.4.norm3.weight"}, "lacks blocks.4.norm2.weight"
    )
    refused({k: v for k, v in official.items() if "pose_patch" not in k}, "lacks pose_patch_embedding.weight")
    refused(official | {"blocks.2.extra": torch.zeros(1)}, "holds blocks.2.extra")
    bias = "blocks.1.self_attn.q.bias"
    refused(official | {bias: torch.zeros(7)}, "blocks.1.attn1.to_q.bias is (7,), not (64,)")
    kernel = next(name for name in official if name.endswith(".kernel"))
    refused(official | {kernel: torch.ones(4, 4)}, kernel)


def test_other_models_are_told_apart(tmp_path: Path, official: State) -> None:
    file = tmp_path / "file.safetensors"

    def refused(state: State, *words: str) -> None:
        save_file(state, file)
        _refused(lambda: checkpoint.load_transformer(file), *words)

    plain = {k: v for k, v in official.items() if not k.startswith(("face_", "motion_", "pose_"))}
    refused(plain, "a Wan transformer without the face and pose layers")
    second = {k.replace("blocks.0.", "blocks.0.block."): v for k, v in plain.items()}
    refused(second, "is the transformer of Wan-Animate-2")
    refused({"blocks.0.self_attn.q.lora_A.weight": torch.zeros(2, 2)}, "is a LoRA")
    refused({"encoder.downsamples.0.residual.0.gamma": torch.zeros(2)}, "is the VAE of Wan 2.1")
    refused({"encoder.downsamples.0.downsamples.0.x": torch.zeros(2)}, "is the VAE of Wan 2.2")
    refused({"unet.weight": torch.zeros(2)}, "another model's", "unet.weight")
    save_file(official, file)
    _refused(lambda: checkpoint.load_vae(file), "is the transformer of Wan-Animate, not the VAE of Wan 2.1")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    _refused(lambda: checkpoint.load_transformer(file), "damaged or cut short")
    _refused(lambda: checkpoint.load_transformer(tmp_path / "none.safetensors"), "no such file")


def test_the_vae_of_the_official_pth(tmp_path: Path) -> None:
    from diffusers import AutoencoderKLWan

    vae: Any = wan_networks.seed(AutoencoderKLWan(base_dim=8, z_dim=16))
    _shards(vae.state_dict(), tmp_path / "vae", "diffusion_pytorch_model")
    _same(checkpoint.load_vae(tmp_path / "vae"), vae)
    official = {_official_vae(name): value for name, value in vae.state_dict().items()}
    torch.save(official, tmp_path / "Wan2.1_VAE.pth")
    _same(checkpoint.load_vae(tmp_path / "Wan2.1_VAE.pth"), vae)
    del official["decoder.middle.1.proj.bias"]
    torch.save(official, tmp_path / "Wan2.1_VAE.pth")
    file = tmp_path / "Wan2.1_VAE.pth"
    _refused(lambda: checkpoint.load_vae(file), "lacks decoder.mid_block.attentions.0.proj")


def _official_vae(name: str) -> str:
    """The official name of a tensor of the VAE: blocks of a decoder's stage are counted through."""
    if up := re.match(r"decoder\.up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)\.(.*)", name):
        place = 4 * int(up[1]) + (int(up[3]) if up[2] == "resnets" else 3)
        name = f"decoder.upsamples.{place}.{up[4]}"
    for old, new in (
        (r"^quant_conv", "conv1"),
        (r"^post_quant_conv", "conv2"),
        (r"coder\.conv_in", "coder.conv1"),
        (r"coder\.norm_out", "coder.head.0"),
        (r"coder\.conv_out", "coder.head.2"),
        (r"\.down_blocks\.", ".downsamples."),
        (r"\.mid_block\.attentions\.0\.", ".middle.1."),
        (r"\.mid_block\.resnets\.0\.", ".middle.0."),
        (r"\.mid_block\.resnets\.1\.", ".middle.2."),
        (r"(samples\.\d+|middle\.[02])\.norm1\.", r"\1.residual.0."),
        (r"(samples\.\d+|middle\.[02])\.conv1\.", r"\1.residual.2."),
        (r"(samples\.\d+|middle\.[02])\.norm2\.", r"\1.residual.3."),
        (r"(samples\.\d+|middle\.[02])\.conv2\.", r"\1.residual.6."),
        (r"\.conv_shortcut\.", ".shortcut."),
    ):
        name = re.sub(old, new, name)
    return name


def test_the_text_encoder(tmp_path: Path) -> None:
    from transformers import UMT5Config, UMT5EncoderModel

    sizes = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    encoder: Any = wan_networks.seed(UMT5EncoderModel(UMT5Config(**sizes, feed_forward_proj="gated-gelu")))
    state = {k: v.clone() for k, v in encoder.state_dict().items()}
    _shards({k: v for k, v in state.items() if "embed_tokens" not in k}, tmp_path / "text_encoder", "model")
    _same(checkpoint.load_text_encoder(tmp_path / "text_encoder", torch.float32), encoder)
    official = {}
    for name, value in state.items():
        for old, new in (
            (r"^shared\.", "token_embedding."),
            (r"^encoder\.final_layer_norm\.", "norm."),
            (r"^encoder\.block\.(\d)\.layer\.0\.layer_norm", r"blocks.\1.norm1"),
            (r"^encoder\.block\.(\d)\.layer\.1\.layer_norm", r"blocks.\1.norm2"),
            (r"^encoder\.block\.(\d)\..*relative_attention_bias", r"blocks.\1.pos_embedding.embedding"),
            (r"^encoder\.block\.(\d)\.layer\.0\.SelfAttention", r"blocks.\1.attn"),
            (r"^encoder\.block\.(\d)\.layer\.1\.DenseReluDense\.wi_0", r"blocks.\1.ffn.gate.0"),
            (r"^encoder\.block\.(\d)\.layer\.1\.DenseReluDense\.wi_1", r"blocks.\1.ffn.fc1"),
            (r"^encoder\.block\.(\d)\.layer\.1\.DenseReluDense\.wo", r"blocks.\1.ffn.fc2"),
        ):
            name = re.sub(old, new, name)
        if "embed_tokens" not in name:
            official[name] = value
    torch.save(official, tmp_path / "models_t5_umt5-xxl-enc-bf16.pth")
    loaded = checkpoint.load_text_encoder(tmp_path / "models_t5_umt5-xxl-enc-bf16.pth", torch.float32)
    _same(loaded, encoder)
    ids = torch.tensor([[3, 7, 1]])
    assert torch.equal(loaded(ids).last_hidden_state, encoder(ids).last_hidden_state)


def test_the_image_encoder(tmp_path: Path) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=80,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=1,
        hidden_act="gelu",
        image_size=28,
        patch_size=14,
    )
    encoder: Any = wan_networks.seed(CLIPVisionModel(config))
    state = {k: v.clone() for k, v in encoder.state_dict().items()}
    published = {f"vision_model.{name}": value for name, value in state.items()}
    extra = {
        "vision_model.embeddings.position_ids": torch.arange(5),
        "visual_projection.weight": torch.ones(2),
    }
    save_file(published | extra, tmp_path / "clip_vision_h.safetensors")
    _same(checkpoint.load_image_encoder(tmp_path / "clip_vision_h.safetensors", torch.float32), encoder)

    official = {"textual.token_embedding.weight": torch.ones(2, 2), "log_scale": torch.ones(())}
    layers = "visual.transformer.{}."
    for i in range(2):
        own = f"encoder.layers.{i}."
        for part in ("weight", "bias"):
            qkv = [state[f"{own}self_attn.{letter}_proj.{part}"] for letter in "qkv"]
            official[layers.format(i) + f"attn.to_qkv.{part}"] = torch.cat(qkv)
            for new, old in (
                ("attn.proj", "self_attn.out_proj"),
                ("norm1", "layer_norm1"),
                ("norm2", "layer_norm2"),
                ("mlp.0", "mlp.fc1"),
                ("mlp.2", "mlp.fc2"),
            ):
                official[f"{layers.format(i)}{new}.{part}"] = state[f"{own}{old}.{part}"]
    for part in ("weight", "bias"):
        official[f"visual.pre_norm.{part}"] = state[f"pre_layrnorm.{part}"]
        official[f"visual.post_norm.{part}"] = state[f"post_layernorm.{part}"]
    official["visual.cls_embedding"] = state["embeddings.class_embedding"][None, None]
    official["visual.pos_embedding"] = state["embeddings.position_embedding.weight"][None]
    official["visual.patch_embedding.weight"] = state["embeddings.patch_embedding.weight"]
    official["visual.head"] = torch.ones(80, 4)
    torch.save(official, tmp_path / "models_clip_open-clip.pth")
    _same(checkpoint.load_image_encoder(tmp_path / "models_clip_open-clip.pth", torch.float32), encoder)


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path) -> None:
    torch.save({"weights": _Bomb(tmp_path / "ran")}, tmp_path / "Wan2.1_VAE.pth")
    _refused(lambda: checkpoint.load_vae(tmp_path / "Wan2.1_VAE.pth"), "asks to run", "was not read")
    assert not (tmp_path / "ran").exists()


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_files_of_the_three_layouts(tmp_path: Path) -> None:
    def touch(*names: str) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    touch("google/umt5-xxl/tokenizer.json", "models_t5_umt5-xxl-enc-bf16.pth", "models_clip_open-clip.pth")
    _refused(lambda: checkpoint.find_files(tmp_path), "lacks the transformer, the VAE", "portrayal download")
    touch("Wan2.1_VAE.pth", "diffusion_pytorch_model.safetensors.index.json", "animate_lora.safetensors")
    files = checkpoint.find_files(tmp_path)
    assert files.transformer == tmp_path / "diffusion_pytorch_model.safetensors.index.json"
    assert files.tokenizer == tmp_path / "google/umt5-xxl" and files.vae == tmp_path / "Wan2.1_VAE.pth"
    assert checkpoint.find_files(tmp_path, "other.gguf").transformer == Path("other.gguf")

    touch("transformer/x.safetensors", "vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json")
    touch("text_encoder/model-1.safetensors", "image_encoder/model.safetensors")
    files = checkpoint.find_files(tmp_path)
    assert files.transformer == tmp_path / "transformer" and files.text_encoder == tmp_path / "text_encoder"

    comfy = tmp_path / "ComfyUI"
    models = "ComfyUI/models/"
    touch(models + "diffusion_models/wan2.2_animate_14B_bf16.safetensors", "ComfyUI/tokenizer/tokenizer.json")
    touch(models + "vae/wan_2.1_vae.safetensors", models + "clip_vision/clip_vision_h.safetensors")
    touch(models + "text_encoders/umt5_xxl_fp16.safetensors")
    assert checkpoint.find_files(comfy).vae.name == "wan_2.1_vae.safetensors"
    touch(models + "diffusion_models/Wan2_2-Animate-14B_fp8.safetensors")
    _refused(lambda: checkpoint.find_files(comfy), "has 2 of the transformer", "--transformer")
    _refused(lambda: checkpoint.find_files(tmp_path / "none"), "is no folder")


def test_the_downloads_and_what_comes_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path))
    _refused(lambda: checkpoint.find_files(), "are not here", "47.7 GB", "Apache-2.0")
    for name in weights.parts("wananimate-q8"):
        for file in weights.weights_of(name).files:
            place = weights.folder(name) / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    assert weights.complete("wananimate-q8") and not weights.complete("wananimate")
    assert checkpoint.find_files().transformer.name == "Wan2.2-Animate-14B-Q8_0.gguf"

"""Wan-Animate's networks at the size of tests, and their tensors under the names of the official files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

SIZES: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 32,
    "text_dim": 32,
    "freq_dim": 32,
    "ffn_dim": 96,
    "num_layers": 10,
    "image_dim": 80,
    "added_kv_proj_dim": 64,
    "motion_encoder_size": 16,
    "motion_encoder_channel_sizes": {"16": 8, "8": 8, "4": 8},
    "motion_style_dim": 32,
    "motion_dim": 4,
    "motion_encoder_dim": 32,
    "face_encoder_hidden_dim": 32,
    "face_encoder_num_heads": 4,
}
OFFICIAL = (
    (r"^condition_embedder\.time_embedder\.linear_1", "time_embedding.0"),
    (r"^condition_embedder\.time_embedder\.linear_2", "time_embedding.2"),
    (r"^condition_embedder\.text_embedder\.linear_1", "text_embedding.0"),
    (r"^condition_embedder\.text_embedder\.linear_2", "text_embedding.2"),
    (r"^condition_embedder\.time_proj", "time_projection.1"),
    (r"^condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
    (r"^condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
    (r"^proj_out", "head.head"),
    (r"^scale_shift_table", "head.modulation"),
    (r"\.scale_shift_table", ".modulation"),
    (r"^(blocks\.\d+)\.norm2", r"\1.norm3"),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_out\.0\.", ".o."),
    (r"\.add_([kv])_proj\.", r".\1_img."),
    (r"\.norm_added_k\.", ".norm_k_img."),
    (r"_attn\.to_([qkv])\.", r"_attn.\1."),
    (r"\.ffn\.net\.0\.proj", ".ffn.0"),
    (r"\.ffn\.net\.2", ".ffn.2"),
    (r"^face_adapter\.(\d+)\.norm_([qk])\.", r"face_adapter.fuser_blocks.\1.\2_norm."),
    (r"^face_adapter\.(\d+)\.to_q\.", r"face_adapter.fuser_blocks.\1.linear1_q."),
    (r"^face_adapter\.(\d+)\.to_out\.", r"face_adapter.fuser_blocks.\1.linear2."),
    (r"^face_encoder\.(conv1_local|conv2|conv3)\.", r"face_encoder.\1.conv."),
    (r"^motion_encoder\.motion_synthesis_weight", "motion_encoder.dec.direction.weight"),
    (r"^motion_encoder\.motion_network\.", "motion_encoder.enc.fc."),
    (r"^motion_encoder\.conv_in\.weight", "motion_encoder.enc.net_app.convs.0.0.weight"),
    (r"^motion_encoder\.conv_in\.act_fn\.bias", "motion_encoder.enc.net_app.convs.0.1.bias"),
)


def seed(network: nn.Module, number: int = 0) -> nn.Module:
    """Every parameter drawn anew, of a scale at which nothing saturates."""
    generator = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for value in network.parameters():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise / max(1, value[0].numel()) ** 0.5 if value.ndim > 1 else 1 + 0.1 * noise)
    return network.eval().requires_grad_(False)


def transformer(**sizes: Any) -> Any:
    """WanAnimateTransformer3DModel of 64 channels and 10 layers."""
    from diffusers import WanAnimateTransformer3DModel

    return seed(WanAnimateTransformer3DModel(**(SIZES | sizes)))


def inputs(frames: int = 2, height: int = 4, width: int = 4, faces: int = 5) -> dict[str, Tensor]:
    """What the transformer is called with. frames: of latents, the slot of the reference not counted."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return {
        "hidden_states": draw(1, 36, frames + 1, height, width),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": draw(1, 512, 32),
        "encoder_hidden_states_image": draw(1, 257, 80),
        "pose_hidden_states": draw(1, 16, frames, height, width),
        "face_pixel_values": draw(1, 3, faces, 16, 16),
    }


def official(state: dict[str, Tensor], kernels: bool = True) -> dict[str, Tensor]:
    """The transformer's tensors as the official repository has them, with its constant blur kernels."""
    blur = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    named: dict[str, Tensor] = {}
    for name, value in state.items():
        if re.search(r"^face_adapter\.\d+\.to_v\.", name):
            continue
        if re.search(r"^face_adapter\.\d+\.to_k\.", name):
            both = torch.cat([value, state[name.replace("to_k", "to_v")]])
            named[re.sub(r"adapter\.(\d+)\.to_k", r"adapter.fuser_blocks.\1.linear1_kv", name)] = both
            continue
        if part := re.match(r"^motion_encoder\.res_blocks\.(\d+)\.(.*)", name):
            block = f"motion_encoder.enc.net_app.convs.{int(part[1]) + 1}"
            named[f"{block}.{RESIDUAL[part[2]]}"] = value
            if kernels and part[2] in ("conv2.weight", "conv_skip.weight"):
                named[f"{block}.{RESIDUAL[part[2]].replace('1.weight', '0.kernel')}"] = blur.outer(blur)
            continue
        new = name
        for pattern, word in OFFICIAL:
            new = re.sub(pattern, word, new)
        named[new] = value
    named["motion_encoder.enc.net_app.convs.8.weight"] = named.pop("motion_encoder.conv_out.weight")
    for name in [n for n in named if "net_app" in n and n.endswith(".bias")]:
        named[name] = named[name][None, :, None, None]
    return {name: value.contiguous() for name, value in named.items()}


RESIDUAL = {
    "conv1.weight": "conv1.0.weight",
    "conv1.act_fn.bias": "conv1.1.bias",
    "conv2.weight": "conv2.1.weight",
    "conv2.act_fn.bias": "conv2.2.bias",
    "conv_skip.weight": "skip.1.weight",
}


def write_checkpoint(root: Path) -> Path:
    """A checkpoint of tiny networks in the official layout; its folder."""
    from diffusers import AutoencoderKLWan
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        PreTrainedTokenizerFast,
        UMT5Config,
        UMT5EncoderModel,
    )

    save_file(official(transformer().state_dict()), root / "diffusion_pytorch_model.safetensors")
    umt5 = UMT5Config(vocab_size=8, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    clip = CLIPVisionConfig(
        hidden_size=80,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=1,
        hidden_act="gelu",
        patch_size=14,
    )
    for name, network in (
        ("vae", AutoencoderKLWan(base_dim=8, z_dim=16)),
        ("text_encoder", UMT5EncoderModel(umt5)),
        ("image_encoder", CLIPVisionModel(clip)),
    ):
        made: Any = seed(network)
        made.save_pretrained(root / name)
    words = {"<pad>": 0, "</s>": 1, "one": 2, "dances": 3}
    plain = Tokenizer(WordLevel(words, unk_token="<pad>"))
    plain.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="</s>")
    tokenizer.save_pretrained(root / "tokenizer")
    return root

"""The configurations of the networks, read from the shapes of their tensors (under diffusers' names)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from portrayal.neural.wan.tables import State

#: Width of a head of CLIP ViT-H, which no shape tells.
CLIP_HEAD = 80


def shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape; of a GGUF tensor the one it has once it is decoded."""
    return tuple(getattr(tensor, "quant_shape", tensor.shape))


def count(state: State, pattern: str) -> int:
    """How many of the names there are, with 0, 1, 2 ... in the place of {}."""
    return next(i for i in range(len(state) + 1) if pattern.format(i) not in state)


def transformer(state: State) -> dict[str, Any]:
    """Of WanAnimateTransformer3DModel; KeyError names what it lacks."""
    width, channels = shape(state["patch_embedding.weight"])[:2]
    head = len(state["face_adapter.0.norm_q.weight"])
    hidden = shape(state["face_encoder.conv2.weight"])[0]
    layers = count(state, "blocks.{}.attn1.to_q.weight")
    latents = shape(state["pose_patch_embedding.weight"])[1]
    return {
        "patch_size": shape(state["patch_embedding.weight"])[2:],
        "num_attention_heads": width // head,
        "attention_head_dim": head,
        "in_channels": channels,
        "latent_channels": latents,
        "out_channels": latents,
        "text_dim": shape(state["condition_embedder.text_embedder.linear_1.weight"])[1],
        "freq_dim": shape(state["condition_embedder.time_embedder.linear_1.weight"])[1],
        "ffn_dim": shape(state["blocks.0.ffn.net.0.proj.weight"])[0],
        "num_layers": layers,
        "image_dim": len(state["condition_embedder.image_embedder.norm1.weight"]),
        "added_kv_proj_dim": shape(state["blocks.0.attn2.add_k_proj.weight"])[1],
        "face_encoder_hidden_dim": hidden,
        "face_encoder_num_heads": shape(state["face_encoder.conv1_local.weight"])[0] // hidden,
        "inject_face_latents_blocks": -(-layers // count(state, "face_adapter.{}.to_q.weight")),
    } | _motion_encoder(state)


def _motion_encoder(state: State) -> dict[str, Any]:
    blocks = count(state, "motion_encoder.res_blocks.{}.conv1.weight")
    size = 4 * 2**blocks
    channels = {str(size): shape(state["motion_encoder.conv_in.weight"])[0]}
    for i in range(blocks):
        out = shape(state[f"motion_encoder.res_blocks.{i}.conv2.weight"])[0]
        channels[str(size // 2 ** (i + 1))] = out
    face, motion = shape(state["motion_encoder.motion_synthesis_weight"])
    return {
        "motion_encoder_size": size,
        "motion_encoder_channel_sizes": channels,
        "motion_style_dim": shape(state["motion_encoder.conv_out.weight"])[0],
        "motion_dim": motion,
        "motion_encoder_dim": face,
    }


def vae(state: State) -> dict[str, Any]:
    """Of AutoencoderKLWan; the published constants of its 16 latent channels are diffusers' defaults."""
    return {
        "base_dim": len(state["encoder.conv_in.weight"]),
        "z_dim": len(state["post_quant_conv.weight"]),
    }


def text_encoder(state: State) -> dict[str, Any]:
    """Of UMT5EncoderModel."""
    attention = "encoder.block.0.layer.0.SelfAttention."
    buckets, heads = state[attention + "relative_attention_bias.weight"].shape
    vocabulary, width = state["shared.weight"].shape
    return {
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": len(state[attention + "q.weight"]) // heads,
        "d_ff": len(state["encoder.block.0.layer.1.DenseReluDense.wi_0.weight"]),
        "num_layers": count(state, "encoder.block.{}.layer.0.SelfAttention.q.weight"),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu",
    }


def image_encoder(state: State) -> dict[str, Any]:
    """Of CLIPVisionModel."""
    patches = state["embeddings.patch_embedding.weight"]
    width, patch = len(patches), patches.shape[-1]
    tokens = len(state["embeddings.position_embedding.weight"])
    return {
        "hidden_size": width,
        "intermediate_size": len(state["encoder.layers.0.mlp.fc1.weight"]),
        "num_hidden_layers": count(state, "encoder.layers.{}.self_attn.q_proj.weight"),
        "num_attention_heads": max(1, width // CLIP_HEAD),
        "patch_size": patch,
        "image_size": patch * round((tokens - 1) ** 0.5),
        "hidden_act": "gelu",
    }

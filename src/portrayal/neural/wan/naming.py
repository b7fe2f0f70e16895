"""Which network a table of tensors is, under whose names, and the names that diffusers and transformers have.

Official names of the transformer and the VAE are mapped by diffusers itself; those of the text and the image
encoder are mapped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch

from portrayal.neural.wan.tables import State

#: What a file is, told by a name that only it has. The first that fits counts.
SIGNS: tuple[tuple[str, str], ...] = (
    (r"\.(lora_[AB]|lora_(up|down))\b", "a LoRA"),
    (r"^blocks\.0\.(block\.|self_attn\.to_q\.)", "the transformer of Wan-Animate-2"),
    (r"^face_adapter\.", "the transformer of Wan-Animate"),
    (r"^(vace_blocks|vace_patch_embedding)\.", "the transformer of Wan-VACE"),
    (r"^blocks\.0\.(self_attn|attn1)\.", "a Wan transformer without the face and pose layers of Wan-Animate"),
    (r"^(encoder\.downsamples|encoder\.down_blocks)\.\d+\.(downsamples|resnets)\.", "the VAE of Wan 2.2"),
    (r"^(encoder\.downsamples|encoder\.down_blocks)\.", "the VAE of Wan 2.1"),
    (r"^(token_embedding\.weight|blocks\.0\.attn\.q\.weight)$", "the text encoder umT5"),
    (r"^(shared\.weight|encoder\.block\.0\.layer\.0\.SelfAttention\.)", "the text encoder umT5"),
    (r"^(visual\.)?transformer\.0\.attn\.to_qkv\.|^visual\.", "the image encoder CLIP ViT-H"),
    (r"^(vision_model\.)?embeddings\.class_embedding$", "the image encoder CLIP ViT-H"),
)
TRANSFORMER, VAE = "the transformer of Wan-Animate", "the VAE of Wan 2.1"
ANIMATE_2 = "the transformer of Wan-Animate-2"
TEXT, IMAGE = "the text encoder umT5", "the image encoder CLIP ViT-H"


def kind(names: Iterable[str]) -> str:
    """What the file is, for a message, such as "the VAE of Wan 2.1"; of another model, what it holds."""
    names = list(names)
    for sign, what in SIGNS:
        if any(re.search(sign, name) for name in names):
            return what
    return f"another model's, with {len(names)} entries such as {names[0]!r}" if names else "empty"


def transformer(state: State) -> State:
    """Wan-Animate's official names as diffusers'; its constant blur kernels are left out."""
    if "condition_embedder.time_proj.weight" in state:
        return state
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

    kernels = [name for name, value in state.items() if name.endswith(".kernel") and _is_blur(value)]
    return convert_wan_transformer_to_diffusers({k: v for k, v in state.items() if k not in kernels})


def _is_blur(kernel: torch.Tensor) -> bool:
    """Whether this is the constant that every file has: the outer product of (1, 3, 3, 1), of sum 1."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return kernel.shape == (4, 4) and torch.allclose(kernel.float(), row.outer(row), atol=1e-3)


def vae(state: State) -> State:
    """The Wan 2.1 VAE's official names as diffusers'."""
    if "encoder.conv_in.weight" in state:
        return state
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    return convert_wan_vae_to_diffusers(state)


TEXT_NAMES = (
    (r"^token_embedding\.", "shared."),
    (r"^norm\.", "encoder.final_layer_norm."),
    (r"^blocks\.(\d+)\.norm1\.", r"encoder.block.\1.layer.0.layer_norm."),
    (r"^blocks\.(\d+)\.norm2\.", r"encoder.block.\1.layer.1.layer_norm."),
    (r"^blocks\.(\d+)\.attn\.", r"encoder.block.\1.layer.0.SelfAttention."),
    (
        r"^blocks\.(\d+)\.pos_embedding\.embedding\.",
        r"encoder.block.\1.layer.0.SelfAttention.relative_attention_bias.",
    ),
    (r"^blocks\.(\d+)\.ffn\.gate\.0\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_0."),
    (r"^blocks\.(\d+)\.ffn\.fc1\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_1."),
    (r"^blocks\.(\d+)\.ffn\.fc2\.", r"encoder.block.\1.layer.1.DenseReluDense.wo."),
)


def text_encoder(state: State) -> State:
    """umT5's official names as transformers'; the tokenizer that some files carry is left out."""
    renamed = {_renamed(name, TEXT_NAMES): v for name, v in state.items() if name != "spiece_model"}
    if "shared.weight" in renamed:
        renamed.setdefault("encoder.embed_tokens.weight", renamed["shared.weight"])
    return renamed


IMAGE_NAMES = (
    (r"^cls_embedding$", "embeddings.class_embedding"),
    (r"^pos_embedding$", "embeddings.position_embedding.weight"),
    (r"^patch_embedding\.", "embeddings.patch_embedding."),
    (r"^pre_norm\.", "pre_layrnorm."),
    (r"^post_norm\.", "post_layernorm."),
    (r"^transformer\.(\d+)\.norm([12])\.", r"encoder.layers.\1.layer_norm\2."),
    (r"^transformer\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.out_proj."),
    (r"^transformer\.(\d+)\.mlp\.0\.", r"encoder.layers.\1.mlp.fc1."),
    (r"^transformer\.(\d+)\.mlp\.2\.", r"encoder.layers.\1.mlp.fc2."),
)
#: What the files have beside the picture tower: the text tower, the projections of both, position numbers.
NOT_IMAGE = re.compile(r"^(textual\.|log_scale$|head$|visual_projection\.|(.*\.)?position_ids$)")


def image_encoder(state: State) -> State:
    """The picture tower of CLIP under transformers' names, whatever else the file holds of CLIP."""
    tower = {re.sub(r"^(visual|vision_model)\.", "", name): value for name, value in state.items()}
    renamed: State = {}
    for name, value in tower.items():
        if NOT_IMAGE.match(name):
            continue
        if joint := re.match(r"^transformer\.(\d+)\.attn\.to_qkv\.(weight|bias)$", name):
            for part, letter in zip(value.chunk(3), "qkv", strict=True):
                renamed[f"encoder.layers.{joint[1]}.self_attn.{letter}_proj.{joint[2]}"] = part
            continue
        new = _renamed(name, IMAGE_NAMES)
        renamed[new] = _flat(value) if new.startswith("embeddings.") and "patch" not in new else value
    return renamed


def _flat(embedding: torch.Tensor) -> torch.Tensor:
    """An embedding without the leading axes of length 1 that the official file has."""
    while embedding.ndim > 1 and embedding.shape[0] == 1:
        embedding = embedding[0]
    return embedding


def _renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in table:
        if re.search(pattern, name):
            return re.sub(pattern, new, name)
    return name

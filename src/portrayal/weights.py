"""Where the checkpoints of the engines come from, and where they lie here.

They lie in the folder that PORTRAYAL_WEIGHTS names, else in portrayal/weights of the user's cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from portrayal.errors import UsageError


@dataclass(frozen=True)
class Weights:
    """A checkpoint: files of a repository on the Hugging Face Hub, each with its size in bytes (rounded).

    also: other checkpoints that this one does not work without; they are fetched with it.
    """

    repository: str
    files: dict[str, int]
    licence: str
    commercial: Literal["yes", "no", "unclear"]
    also: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(self.files.values())


def _liveportrait(folder: str) -> dict[str, int]:
    return {
        f"{folder}/appearance_feature_extractor.pth": 3_400_000,
        f"{folder}/motion_extractor.pth": 112_600_000,
        f"{folder}/warping_module.pth": 182_200_000,
        f"{folder}/spade_generator.pth": 221_800_000,
        "liveportrait/retargeting_models/stitching_retargeting_module.pth": 2_400_000,
    }


WEIGHTS: dict[str, Weights] = {
    "liveportrait": Weights("KwaiVGI/LivePortrait", _liveportrait("liveportrait/base_models"), "MIT", "yes"),
    "liveportrait-animals": Weights(
        "KwaiVGI/LivePortrait", _liveportrait("liveportrait_animals/base_models_v1.1"), "MIT", "yes"
    ),
}

WEIGHTS |= {
    f"tpsmm-{config}": Weights(
        "MCMLXXXVII/thinplatesv1", {f"orig/{config}.pth.tar": size}, "MIT, of research data", "unclear"
    )
    for config, size in (
        ("vox", 350_993_469), ("taichi", 350_993_469), ("ted", 350_993_469), ("mgif", 306_156_401),
    )
}  # fmt: skip

WEIGHTS["sface"] = Weights(
    "opencv/face_recognition_sface",
    {"face_recognition_sface_2021dec.onnx": 38_696_353},
    "Apache-2.0, of research data",
    "unclear",
)

WEIGHTS["dwpose"] = Weights("yzd-v/DWPose", {"dw-ll_ucoco_384.onnx": 134_399_116}, "Apache-2.0", "yes")

#: Wan-Animate: the encoders and the VAE, and the transformer in one of several precisions.
_ANIMATE = "Wan-AI/Wan2.2-Animate-14B-Diffusers"
_ENCODERS = {
    "text_encoder/model-00001-of-00003.safetensors": 4_940_000_000,
    "text_encoder/model-00002-of-00003.safetensors": 4_980_000_000,
    "text_encoder/model-00003-of-00003.safetensors": 1_440_000_000,
    "text_encoder/model.safetensors.index.json": 22_500,
    "image_encoder/model.safetensors": 1_260_000_000,
    "vae/diffusion_pytorch_model.safetensors": 508_000_000,
    "tokenizer/tokenizer.json": 16_800_000,
    "tokenizer/tokenizer_config.json": 60_000,
}
_SHARDS = {
    f"transformer/diffusion_pytorch_model-{i:05}-of-00015.safetensors": 4_600_000_000 for i in range(1, 16)
}
_COMFY = "Comfy-Org/Wan_2.2_ComfyUI_Repackaged"
_GGUF = "QuantStack/Wan2.2-Animate-14B-GGUF"


def _wananimate(repository: str, files: dict[str, int], also: tuple[str, ...] = ()) -> Weights:
    return Weights(repository, files, "Apache-2.0", "yes", also)


WEIGHTS |= {
    "wananimate": _wananimate(
        _COMFY,
        {"split_files/diffusion_models/wan2.2_animate_14B_bf16.safetensors": 34_550_000_000},
        ("wananimate-encoders",),
    ),
    "wananimate-q8": _wananimate(
        _GGUF, {"Wan2.2-Animate-14B-Q8_0.gguf": 18_700_000_000}, ("wananimate-encoders",)
    ),
    "wananimate-q4": _wananimate(
        _GGUF, {"Wan2.2-Animate-14B-Q4_K_M.gguf": 11_300_000_000}, ("wananimate-encoders",)
    ),
    "wananimate-fp32": _wananimate(
        _ANIMATE,
        _SHARDS | {"transformer/diffusion_pytorch_model.safetensors.index.json": 110_000},
        ("wananimate-encoders",),
    ),
    "wananimate-encoders": _wananimate(_ANIMATE, _ENCODERS),
    "wananimate-relight": _wananimate(
        _COMFY, {"split_files/loras/wan2.2_animate_14B_relight_lora_bf16.safetensors": 1_440_000_000}
    ),
    "wananimate-4steps": _wananimate(
        "lightx2v/Wan2.1-Distill-Loras", {"wan2.1_i2v_lora_rank64_lightx2v_4step.safetensors": 739_000_000}
    ),
}

#: Finds the person that Wan-Animate replaces.
WEIGHTS["sam2"] = Weights(
    "facebook/sam2.1-hiera-large",
    {"config.json": 5_000, "model.safetensors": 898_000_000},
    "Apache-2.0",
    "yes",
)

#: Wan-Animate-2, whose encoders and VAE are the same.
WEIGHTS |= {
    name: Weights(
        "Wan-AI/Wan2.2-Animate-2-14B",
        {f"wan_animate_2/{file}.safetensors": 32_780_000_000},
        "by its page",
        "unclear",
        ("wananimate-encoders",),
    )
    for name, file in (
        ("wananimate2", "wan_animate_2_bf16_distillation"), ("wananimate2-base", "wan_animate_2_bf16"),
    )
}  # fmt: skip


def weights_of(name: str) -> Weights:
    """The checkpoint of that name; UsageError names those there are."""
    if name not in WEIGHTS:
        raise UsageError(f"{name!r}: no such weights; there are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def parts(name: str) -> tuple[str, ...]:
    """The checkpoint and those fetched with it."""
    return (name, *weights_of(name).also)


def folder(name: str) -> Path:
    """Where the files of a checkpoint lie or will lie, in the folders of their repository."""
    root = os.environ.get("PORTRAYAL_WEIGHTS")
    if root:
        return Path(root).expanduser() / weights_of(name).repository
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "portrayal" / "weights" / weights_of(name).repository


def file(name: str) -> Path:
    """Where the file of a checkpoint that has but one lies or will lie."""
    [only] = weights_of(name).files
    return folder(name) / only


def complete(name: str) -> bool:
    """Whether the checkpoint and those it does not work without are here."""
    return not any(missing(part) for part in parts(name))


def missing(name: str) -> dict[str, int]:
    """The files of the checkpoint itself that are not here, and their sizes."""
    place = folder(name)
    return {file: size for file, size in weights_of(name).files.items() if not (place / file).is_file()}


def advice(name: str) -> str:
    """How one gets them, with size and licence."""
    size = sum(weights_of(part).size for part in parts(name))
    return (
        f"`portrayal download {name}` fetches them ({megabytes(size)}, {weights_of(name).licence} licence) "
        "and --weights names a folder that has them"
    )


def megabytes(size: int) -> str:
    """A size as people read it."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"

"""Where networks lie in a folder, in the layouts in which Wan's models are published."""

from __future__ import annotations

from pathlib import Path

from portrayal.errors import PortrayalError
from portrayal.media.files import shown

#: Sub-folders of ComfyUI's models folder and of the repositories made for it.
COMFY = ("", "split_files/", "models/")
#: What a network is called, and patterns of where it lies: -Diffusers, official, ComfyUI. The first that is
#: there counts.
Place = tuple[str, tuple[str, ...]]
ENCODERS: dict[str, Place] = {
    "vae": (
        "the VAE",
        (
            "vae/diffusion_pytorch_model.safetensors",
            "Wan2.1_VAE.*",
            *(f"{folder}vae/[Ww]an[_2]*1_*[Vv][Aa][Ee]*.safetensors" for folder in COMFY),
            "[Ww]an[_2]*1_*[Vv][Aa][Ee]*.safetensors",
        ),
    ),
    "image_encoder": (
        "the image encoder",
        (
            "image_encoder/*.safetensors",
            "models_clip_*",
            *(f"{folder}clip_vision/clip_vision_h*.safetensors" for folder in COMFY),
            "clip_vision_h*.safetensors",
            "*visual_fp16.safetensors",
        ),
    ),
    "text_encoder": (
        "the text encoder",
        (
            "text_encoder/*.safetensors",
            "models_t5_umt5-xxl*",
            *(f"{folder}text_encoders/umt5*xxl*.safetensors" for folder in COMFY),
            "umt5*xxl*.safetensors",
        ),
    ),
    "tokenizer": ("the tokenizer", ("tokenizer/tokenizer*.json", "google/umt5-xxl/tokenizer*.json")),
}


def find(root: Path, place: Place) -> Path | None:
    """The file, or the folder of its own, of a network; None where there is none.

    PortrayalError where there are several of which one must be chosen.
    """
    title, patterns = place
    for pattern in patterns:
        paths = sorted(path for path in root.glob(pattern) if "lora" not in path.name.lower())
        if not paths:
            continue
        if pattern.endswith(("/*.safetensors", "/tokenizer*.json")):  # a folder of its own
            return paths[0].parent
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            option = "--transformer" if "transformer" in title else "another folder"
            what = f"{len(paths)} of {title} ({names})"
            raise PortrayalError(f"{shown(root)}: has {what}; use {option}")
        return paths[0]
    return None

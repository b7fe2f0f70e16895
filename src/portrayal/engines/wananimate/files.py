"""Where the networks of a checkpoint lie, in the layouts in which it is published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from portrayal import weights
from portrayal.errors import PortrayalError
from portrayal.media.files import shown

#: Sub-folders of ComfyUI's models folder and of the repositories made for it.
COMFY = ("", "split_files/", "models/")
#: Of every network, how it is called and where it lies: -Diffusers, official, ComfyUI. The first that is
#: there counts.
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "transformer": (
        "the transformer",
        (
            "transformer/*.safetensors",
            "diffusion_pytorch_model*.safetensors.index.json",
            "diffusion_pytorch_model.safetensors",
            *(f"{folder}diffusion_models/*nimate*.safetensors" for folder in COMFY),
            *(f"{folder}unet/*nimate*.gguf" for folder in COMFY),
            "*nimate*.safetensors",
            "*nimate*.gguf",
        ),
    ),
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
#: Downloads that hold a transformer alone, best first.
TRANSFORMERS = ("wananimate", "wananimate-q8", "wananimate-q4")


@dataclass(frozen=True)
class Files:
    """A path for every network: a file, or a folder that holds one file or shards with their index."""

    transformer: Path
    vae: Path
    image_encoder: Path
    text_encoder: Path
    tokenizer: Path


def find_files(folder: str | Path | None = None, transformer: str | Path | None = None) -> Files:
    """The files of a checkpoint folder; without one, those that `portrayal download` fetched.

    transformer: a file or folder in place of the transformer there. PortrayalError names what is missing, or
    several files of which one must be chosen.
    """
    root = weights.folder("wananimate-encoders") if folder is None else Path(folder)
    if not root.is_dir():
        if folder is not None:
            raise PortrayalError(f"{shown(root)}: is no folder; {weights.advice('wananimate')}")
        raise PortrayalError(f"the weights of wananimate are not here; {weights.advice('wananimate')}")
    found: dict[str, Path | None] = {part: _find(root, part) for part in PLACES}
    if transformer is not None:
        found["transformer"] = Path(transformer)
    elif found["transformer"] is None and folder is None:
        found["transformer"] = _downloaded_transformer()
    lost = [PLACES[part][0] for part, path in found.items() if path is None]
    if lost:
        raise PortrayalError(f"{shown(root)}: lacks {', '.join(lost)}; {weights.advice('wananimate')}")
    return Files(**{part: path for part, path in found.items() if path is not None})


def _find(root: Path, part: str) -> Path | None:
    for pattern in PLACES[part][1]:
        paths = sorted(path for path in root.glob(pattern) if "lora" not in path.name.lower())
        if not paths:
            continue
        if pattern.endswith(("/*.safetensors", "/tokenizer*.json")):  # a folder of its own
            return paths[0].parent
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            option = "--transformer" if part == "transformer" else "another folder"
            what = f"{len(paths)} of {PLACES[part][0]} ({names})"
            raise PortrayalError(f"{shown(root)}: has {what}; use {option}")
        return paths[0]
    return None


def _downloaded_transformer() -> Path | None:
    for name in TRANSFORMERS:
        if not weights.missing(name):
            [file] = weights.weights_of(name).files
            return weights.folder(name) / file
    return None

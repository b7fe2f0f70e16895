"""Where networks lie in a folder, in the layouts in which Wan's models are published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portrayal import weights
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


@dataclass(frozen=True)
class Files:
    """A path for every network: a file, or a folder that holds one file or shards with their index."""

    transformer: Path
    vae: Path
    image_encoder: Path
    text_encoder: Path
    tokenizer: Path


def find_files(
    name: str,
    place: Place,
    folder: str | Path | None,
    transformer: str | Path | None,
    downloaded: Callable[[], Path | None],
) -> Files:
    """The files of a checkpoint folder; without one, those that `portrayal download` of `name` fetched.

    place: of the transformer in a folder. transformer: a file or folder in place of the one there.
    downloaded: the transformer that was fetched, None where it was not. PortrayalError names what is missing,
    or several files of which one must be chosen.
    """
    root = weights.folder("wananimate-encoders") if folder is None else Path(folder)
    if not root.is_dir():
        if folder is not None:
            raise PortrayalError(f"{shown(root)}: is no folder; {weights.advice(name)}")
        raise PortrayalError(f"the weights of {name} are not here; {weights.advice(name)}")
    found = {part: find(root, where) for part, where in ENCODERS.items()}
    if transformer is not None:
        found["transformer"] = Path(transformer)
    else:
        found["transformer"] = downloaded() if folder is None else find(root, place)
    titles = {"transformer": place[0]} | {part: title for part, (title, _) in ENCODERS.items()}
    lost = [title for part, title in titles.items() if found[part] is None]
    if lost:
        raise PortrayalError(f"{shown(root)}: lacks {', '.join(lost)}; {weights.advice(name)}")
    return Files(**{part: path for part, path in found.items() if path is not None})

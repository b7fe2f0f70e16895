"""Where the networks of a checkpoint lie, in the layouts in which it is published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from portrayal import weights
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.neural.wan.places import COMFY, ENCODERS, Place, find

TRANSFORMER: Place = (
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
)
PLACES = {"transformer": TRANSFORMER} | ENCODERS
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
    found: dict[str, Path | None] = {part: find(root, place) for part, place in PLACES.items()}
    if transformer is not None:
        found["transformer"] = Path(transformer)
    elif found["transformer"] is None and folder is None:
        found["transformer"] = _downloaded_transformer()
    lost = [PLACES[part][0] for part, path in found.items() if path is None]
    if lost:
        raise PortrayalError(f"{shown(root)}: lacks {', '.join(lost)}; {weights.advice('wananimate')}")
    return Files(**{part: path for part, path in found.items() if path is not None})


def _downloaded_transformer() -> Path | None:
    for name in TRANSFORMERS:
        if not weights.missing(name):
            [file] = weights.weights_of(name).files
            return weights.folder(name) / file
    return None

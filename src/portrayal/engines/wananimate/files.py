"""Where the networks of a checkpoint lie, in the layouts in which it is published."""

from __future__ import annotations

from pathlib import Path

from portrayal import weights
from portrayal.neural.wan import places
from portrayal.neural.wan.places import COMFY, Files, Place

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
#: Downloads that hold a transformer alone, best first.
TRANSFORMERS = ("wananimate", "wananimate-q8", "wananimate-q4")


def find_files(folder: str | Path | None = None, transformer: str | Path | None = None) -> Files:
    """See :func:`portrayal.neural.wan.places.find_files`."""
    return places.find_files("wananimate", TRANSFORMER, folder, transformer, _downloaded)


def _downloaded() -> Path | None:
    """Beside the encoders, where all of one repository was fetched, or alone."""
    here = places.find(weights.folder("wananimate-encoders"), TRANSFORMER)
    return here or next((weights.file(name) for name in TRANSFORMERS if not weights.missing(name)), None)

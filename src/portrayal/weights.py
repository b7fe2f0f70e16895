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
    """A checkpoint: files of a repository on the Hugging Face Hub, each with its size in bytes (rounded)."""

    repository: str
    files: dict[str, int]
    licence: str
    commercial: Literal["yes", "no", "unclear"]

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


def weights_of(name: str) -> Weights:
    """The checkpoint of that name; UsageError names those there are."""
    if name not in WEIGHTS:
        raise UsageError(f"{name!r}: no such weights; there are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def folder(name: str) -> Path:
    """Where the files of a checkpoint lie or will lie, in the folders of their repository."""
    root = os.environ.get("PORTRAYAL_WEIGHTS")
    if root:
        return Path(root).expanduser() / weights_of(name).repository
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "portrayal" / "weights" / weights_of(name).repository


def missing(name: str) -> dict[str, int]:
    """The files that are not here, and their sizes."""
    place = folder(name)
    return {file: size for file, size in weights_of(name).files.items() if not (place / file).is_file()}


def advice(name: str) -> str:
    """How one gets them, with size and licence."""
    wanted = weights_of(name)
    return (
        f"`portrayal download {name}` fetches them ({megabytes(wanted.size)}, {wanted.licence} licence) "
        "and --weights names a folder that has them"
    )


def megabytes(size: int) -> str:
    """A size as people read it."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"

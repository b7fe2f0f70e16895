"""LivePortrait's networks with a few channels, as published: for what must run quickly."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import liveportrait_plain as plain
from golden.liveportrait.weights import seeded_state_dict

BASE = "liveportrait/base_models"
SMALL = "liveportrait/retargeting_models/stitching_retargeting_module.pth"
PARTS = {"retarget_shoulder": "stitching", "retarget_mouth": "lip", "retarget_eye": "eye"}


def plain_networks(seed: int = 0, tame: bool = True) -> dict[str, nn.Module]:
    """All of them with seeded weights."""
    networks = {
        "appearance_feature_extractor": plain.AppearanceFeatureExtractor(
            width=4, most=8, channels=4, depth=2, blocks=2
        ),
        "motion_extractor": plain.MotionExtractor(depths=(1, 1, 2, 1), widths=(4, 8, 8, 16)),
        "warping_module": plain.WarpingNetwork(
            channels=4, depth=2, compress=2, width=4, most=16, blocks=3, outputs=8
        ),
        "spade_generator": plain.SpadeGenerator(labels=8, middle=12, last=4, hidden=6),
        **{name: plain.Mlp(*widths) for name, widths in plain.MLPS.items()},
    }
    for name, network in networks.items():
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
        network.load_state_dict(seeded_state_dict(name, seed, tame, shapes))
        network.eval().requires_grad_(False)
    return networks


def write_pth(folder: Path, networks: dict[str, nn.Module], base: str = BASE) -> None:
    """The five files of KwaiVGI/LivePortrait."""
    write_states(folder, {name: network.state_dict() for name, network in networks.items()}, base)


def write_states(folder: Path, states: dict[str, dict[str, torch.Tensor]], base: str = BASE) -> None:
    """The same for what the networks hold."""
    for name in set(states) - set(PARTS.values()):
        path = folder / base / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(states[name], path)
    small = {
        part: {f"module.{key}": value for key, value in states[name].items()} for part, name in PARTS.items()
    }
    (folder / SMALL).parent.mkdir(parents=True, exist_ok=True)
    torch.save(small, folder / SMALL)


def write_safetensors(folder: Path, networks: dict[str, nn.Module]) -> None:
    """The five files of Kijai/LivePortrait_safetensors."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    for name in set(networks) - set(PARTS.values()):
        save_file(networks[name].state_dict(), folder / f"{name}.safetensors")
    small = {
        f"{part}_module.{key}": value
        for part, name in PARTS.items()
        for key, value in networks[name].state_dict().items()
    }
    save_file(small, folder / "stitching_retargeting_module.safetensors")

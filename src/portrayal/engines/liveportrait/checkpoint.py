"""LivePortrait's published checkpoints as networks: the five .pth files, or the same as .safetensors.

Files are told apart by what is in them. No pickle is executed: .pth files are read as tensors only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import torch
from torch import Tensor, nn

from portrayal import weights
from portrayal.damaged import said
from portrayal.engines.liveportrait import folding, networks
from portrayal.engines.liveportrait.folding import State, count
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.tensor_files import read_tensors

SUFFIXES = (".safetensors", ".pth")
SMALL = "stitching_retargeting_module"
#: Where the files lie in what is published, the first that exists counts.
PEOPLE = (
    "",
    "liveportrait/base_models",
    "liveportrait/retargeting_models",
    "base_models",
    "retargeting_models",
)
ANIMALS = (
    "liveportrait_animals/base_models_v1.1",
    "liveportrait_animals/base_models",
    "animal",
    "base_models_v1.1",
    "base_models",
)


@dataclass(frozen=True)
class Checkpoint:
    """The networks, in float32 on the CPU."""

    appearance: networks.AppearanceFeatureExtractor
    motion: networks.MotionExtractor
    warping: networks.WarpingNetwork
    generator: networks.SpadeGenerator
    stitching: networks.Mlp
    eyes: networks.Mlp
    lips: networks.Mlp


@dataclass(frozen=True)
class Kind:
    """A network of the checkpoint: what it is called, a key that only it has, how it is made."""

    title: str
    mark: str
    build: Callable[[State], nn.Module]
    fold: Callable[[State], dict[str, Tensor]]

    def network(self, state: State) -> nn.Module:
        """The network with these published weights; KeyError or RuntimeError where they do not fit."""
        with torch.device("meta"):
            network = self.build(state)
        folded = {key: value.float().contiguous() for key, value in self.fold(state).items()}
        network.load_state_dict(folded, assign=True)
        return network.eval().requires_grad_(False)


def load_checkpoint(folder: str | Path | None = None, animal: bool = False) -> Checkpoint:
    """Read a folder in one of the two published layouts; without one, what `portrayal download` fetched.

    PortrayalError, one line, names what is missing, truncated, foreign or not what its name says.
    """
    name = "liveportrait-animals" if animal else "liveportrait"
    root = weights.folder(name) if folder is None else Path(folder)
    if not root.is_dir():
        if folder is not None:
            raise PortrayalError(f"{shown(root)}: is no folder; {weights.advice(name)}")
        raise PortrayalError(f"the weights of {name} are not here; {weights.advice(name)}")
    paths = {stem: _find(root, stem, animal) for stem in (*KINDS, SMALL)}
    missing = [stem for stem, path in paths.items() if path is None]
    if missing:
        raise PortrayalError(f"{shown(root)}: lacks {', '.join(missing)}; {weights.advice(name)}")
    large = {stem: _network(path, stem) for stem, path in paths.items() if path and stem != SMALL}
    small = _small_networks(paths[SMALL])
    return Checkpoint(*large.values(), *small)  # type: ignore[arg-type]


def _find(root: Path, stem: str, animal: bool) -> Path | None:
    # The animals are stitched by the network for people.
    folders = ANIMALS if animal and stem != SMALL else PEOPLE
    places = (root / folder / (stem + suffix) for folder in folders for suffix in SUFFIXES)
    return next((place for place in places if place.is_file()), None)


def _network(path: Path, stem: str) -> nn.Module:
    state = _tensors(path, read_tensors(path))
    kind = KINDS[stem]
    if kind.mark not in state:
        raise PortrayalError(f"{shown(path)}: {_other(state)}, not LivePortrait's {kind.title}")
    return _built(path, kind, state)


def _small_networks(path: Path | None) -> Iterator[nn.Module]:
    assert path is not None
    content = read_tensors(path)
    for part in ("retarget_shoulder", "retarget_eye", "retarget_mouth"):
        state = content.get(part)
        if not isinstance(state, dict):  # flat, in .safetensors
            prefix = f"{part}_module."
            state = {key[len(prefix) :]: v for key, v in content.items() if key.startswith(prefix)}
        state = {key.removeprefix("module."): value for key, value in _tensors(path, state).items()}
        if MLP.mark not in state:
            raise PortrayalError(f"{shown(path)}: {_other(content)}, not LivePortrait's {MLP.title} ({part})")
        yield _built(path, MLP, state)


def _built(path: Path, kind: Kind, state: State) -> nn.Module:
    try:
        return kind.network(state)
    except KeyError as error:
        raise PortrayalError(f"{shown(path)}: is a {kind.title} that lacks {error.args[0]}") from error
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise PortrayalError(
            f"{shown(path)}: is a {kind.title} whose parts do not fit: {said(error, 200)}"
        ) from error


def _tensors(path: Path, content: object) -> dict[str, Tensor]:
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise PortrayalError(f"{shown(path)}: is not a table of tensors, as LivePortrait's files are")
    return content


def _other(state: Mapping[str, object]) -> str:
    """What the file is instead."""
    for stem, kind in KINDS.items():
        if kind.mark in state:
            return f"is the {kind.title} ({stem})"
    if any(key.startswith("retarget_") for key in state):
        return f"is the {MLP.title} ({SMALL})"
    return f"is of another model, with {len(state)} entries such as {next(iter(state), None)!r}"


def _appearance(state: State) -> nn.Module:
    blocks = count(state, "resblocks_3d.3dr{}.conv1.weight")
    channels = len(state["resblocks_3d.3dr0.conv1.weight"])
    widths = [len(state["first.conv.weight"]), *_widths(state, "down_blocks.{}.conv.weight")]
    depth = len(state["second.weight"]) // channels
    return networks.AppearanceFeatureExtractor(widths, channels, depth, blocks)


def _motion(state: State) -> nn.Module:
    stages = count(state, "detector.stages.{}.0.dwconv.weight")
    depths = [count(state, f"detector.stages.{i}.{{}}.dwconv.weight") for i in range(stages)]
    widths = _widths(state, "detector.stages.{}.0.dwconv.weight")
    points, bins = len(state["detector.fc_kp.weight"]) // 3, len(state["detector.fc_pitch.weight"])
    return networks.MotionExtractor(depths, widths, points, bins)


def _warping(state: State) -> nn.Module:
    dense, hourglass = "dense_motion_network.", "dense_motion_network.hourglass."
    compressed, channels = state[dense + "compress.weight"].shape[:2]
    depth = state[dense + "occlusion.weight"].shape[1] // len(state[hourglass + "decoder.conv.weight"])
    return networks.WarpingNetwork(
        points=len(state[dense + "mask.weight"]) - 1,
        channels=channels,
        depth=depth,
        compressed=compressed,
        widths=_widths(state, hourglass + "encoder.down_blocks.{}.conv.weight"),
        last=_widths(state, hourglass + "decoder.up_blocks.{}.conv.weight")[-1],
        outputs=len(state["fourth.weight"]),
    )


def _generator(state: State) -> nn.Module:
    middle, labels = state["fc.weight"].shape[:2]
    image, last = state["conv_img.0.weight"].shape[:2]
    return networks.SpadeGenerator(
        labels=labels,
        middle=middle,
        last=last,
        hidden=len(state["up_0.norm_0.mlp_shared.0.weight"]),
        blocks=count(state, "G_middle_{}.conv_0.weight_orig"),
        upscale=isqrt(image // 3),
    )


def _mlp(state: State) -> nn.Module:
    layers = [state[f"mlp.{2 * i}.weight"] for i in range(len(state) // 2)]
    return networks.Mlp([layers[0].shape[1], *(len(layer) for layer in layers)])


def _widths(state: State, pattern: str) -> list[int]:
    return [len(state[pattern.format(i)]) for i in range(count(state, pattern))]


KINDS = {
    "appearance_feature_extractor": Kind(
        "appearance feature extractor", "resblocks_3d.3dr0.conv1.weight", _appearance, folding.appearance
    ),
    "motion_extractor": Kind("motion extractor", "detector.fc_kp.weight", _motion, folding.motion),
    "warping_module": Kind(
        "warping network", "dense_motion_network.compress.weight", _warping, folding.warping
    ),
    "spade_generator": Kind("generator", "up_0.norm_0.mlp_shared.0.weight", _generator, folding.generator),
}
MLP = Kind("stitching and retargeting networks", "mlp.0.weight", _mlp, folding.mlp)

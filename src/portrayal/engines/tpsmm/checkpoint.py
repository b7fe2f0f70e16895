"""The published checkpoints (vox.pth.tar and its like) as networks. No pickle is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from portrayal import weights
from portrayal.damaged import said
from portrayal.engines.tpsmm import networks
from portrayal.engines.tpsmm.networks.blocks import Activation
from portrayal.engines.tpsmm.networks.keypoints import POINTS_PER_SPLINE
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.tensor_files import read_tensors

State = dict[str, Tensor]
Net = TypeVar("Net", bound=nn.Module)
#: What a file holds: its parts are tables of tensors. Others (optimisers, the epoch) are left alone.
REQUIRED = ("kp_detector", "dense_motion_network", "inpainting_network")
OPTIONAL = ("bg_predictor", "avd_network")


@dataclass(frozen=True)
class Checkpoint:
    """The networks, in eval, on the CPU; the last two None where the file lacks them."""

    keypoints: networks.KeypointDetector
    dense_motion: networks.DenseMotionNetwork
    inpainting: networks.InpaintingNetwork
    background: networks.BackgroundPredictor | None
    avd: networks.AvdNetwork | None


def load_checkpoint(
    file: str | Path | None,
    config: str = "vox",
    activation: Activation = "relu",
    keypoint_size: int | None = None,
) -> Checkpoint:
    """Read a checkpoint; without a file the one that `portrayal download tpsmm-<config>` fetched.

    Sizes are those of the tensors. PortrayalError, one line: missing, truncated, foreign, of other parts.
    """
    path = _downloaded(config) if file is None else Path(file)
    parts = _parts(path)
    try:
        return Checkpoint(
            _loaded(_keypoints(parts["kp_detector"], keypoint_size), parts["kp_detector"]),
            _loaded(_dense_motion(parts["dense_motion_network"], activation), parts["dense_motion_network"]),
            _loaded(_inpainting(parts["inpainting_network"], activation), parts["inpainting_network"]),
            _maybe(parts, "bg_predictor", _background),
            _maybe(parts, "avd_network", _avd),
        )
    except KeyError as error:
        raise PortrayalError(f"{shown(path)}: is of this model, but lacks {error.args[0]}") from error
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        raise PortrayalError(
            f"{shown(path)}: is of this model, but its parts do not fit: {said(error, 200)}"
        ) from error


def save_safetensors(parts: dict[str, State], path: Path) -> None:
    """The parts in one flat file."""
    from safetensors.torch import save_file

    from portrayal.media.atomic import new_file

    flat = {
        f"{name}.{key}": value.contiguous() for name, state in parts.items() for key, value in state.items()
    }
    with new_file(path, overwrite=True) as temporary:
        save_file(flat, temporary)


def _downloaded(config: str) -> Path:
    """The file of the cache: converted once, so that it need not be taken apart again."""
    name = f"tpsmm-{config}"
    published = weights.file(name)
    if not published.is_file():
        raise PortrayalError(f"the weights of {name} are not here; {weights.advice(name)}")
    converted = published.with_name(f"{config}.safetensors")
    if not converted.is_file():
        parts = _parts(published)
        try:
            save_safetensors(parts, converted)
        except PortrayalError:  # a cache that may only be read
            return published
    return converted


def _parts(path: Path) -> dict[str, State]:
    content: dict[str, Any] = read_tensors(path)
    if not any(isinstance(content.get(name), dict) for name in REQUIRED):  # flat, in .safetensors
        content = {
            name: {k.removeprefix(f"{name}."): v for k, v in content.items() if k.startswith(f"{name}.")}
            for name in (*REQUIRED, *OPTIONAL)
        }
    parts = {
        name: {str(key).removeprefix("module."): value for key, value in content[name].items()}
        for name in (*REQUIRED, *OPTIONAL)
        if isinstance(content.get(name), dict) and content[name]
    }
    missing = [name for name in REQUIRED if name not in parts]
    if len(missing) == len(REQUIRED):
        raise PortrayalError(f"{shown(path)}: is no checkpoint of the Thin-Plate-Spline Motion Model")
    if missing:
        raise PortrayalError(f"{shown(path)}: is of this model, but lacks {', '.join(missing)}")
    if not all(isinstance(value, Tensor) for state in parts.values() for value in state.values()):
        raise PortrayalError(f"{shown(path)}: has parts that are no tensors")
    for name, state in parts.items():
        if not all(bool(value.isfinite().all()) for value in state.values()):
            raise PortrayalError(f"{shown(path)}: its {name} holds what is no number; its training failed")
    return parts


def _loaded(network: Net, state: State) -> Net:
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def _maybe(parts: dict[str, State], name: str, build: Callable[[State], Net]) -> Net | None:
    return _loaded(build(parts[name]), parts[name]) if name in parts else None


def _keypoints(state: State, size: int | None) -> networks.KeypointDetector:
    splines = len(state["fg_encoder.fc.weight"]) // (2 * POINTS_PER_SPLINE)
    return networks.KeypointDetector(splines, _stages(state, "fg_encoder"), size)


def _background(state: State) -> networks.BackgroundPredictor:
    return networks.BackgroundPredictor(_stages(state, "bg_encoder"))


def _stages(state: State, prefix: str) -> list[int]:
    return [len(state[f"{prefix}.layer{i}.0.conv1.weight"]) for i in range(1, 5)]


def _dense_motion(state: State, activation: Activation) -> networks.DenseMotionNetwork:
    blocks = _count(state, "hourglass.encoder.down_blocks.{}.conv.weight")
    return networks.DenseMotionNetwork(
        splines=len(state["maps.weight"]) - 1,
        expansion=len(state[f"hourglass.decoder.up_blocks.{blocks - 1}.conv.weight"]),
        blocks=blocks,
        most=len(state[f"hourglass.encoder.down_blocks.{blocks - 1}.conv.weight"]),
        activation=activation,
    )


def _inpainting(state: State, activation: Activation) -> networks.InpaintingNetwork:
    downs = _count(state, "down_blocks.{}.conv.weight")
    expansion, most = len(state["first.conv.weight"]), len(state[f"down_blocks.{downs - 1}.conv.weight"])
    return networks.InpaintingNetwork(expansion, most, downs, activation)


def _avd(state: State) -> networks.AvdNetwork:
    numbers, bottleneck = state["id_encoder.0.weight"].shape[1], len(state["id_encoder.9.weight"])
    return networks.AvdNetwork(numbers // 2, bottleneck)


def _count(state: State, pattern: str) -> int:
    return next(i for i in range(len(state) + 1) if pattern.format(i) not in state)

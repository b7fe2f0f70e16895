"""The networks at work: where they run, how precisely, pictures and arrays in, pictures and arrays out.

Motion extractor, keypoints and the places that are sampled stay in float32: in half precision the head's size
is rounded to a thousandth, which shows as a tremble. Warp and generator may be in half precision.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from portrayal.engines.liveportrait.checkpoint import Checkpoint, load_checkpoint
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.networks import WarpSource
from portrayal.engines.liveportrait.retargeting import Network, Retargeting
from portrayal.neural.device import device_of
from portrayal.neural.transformed import transformed

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

Net = TypeVar("Net", bound=nn.Module)

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def load_networks(options: LivePortraitOptions) -> Inference:
    """The networks that the options name, on the device that they name; PortrayalError, UsageError."""
    place = device_of(options.device)
    precision = options.precision
    if precision == "auto":
        precision = "fp16" if place.type == "cuda" else "fp32"
    checkpoint = load_checkpoint(options.weights, options.animal)
    return Inference(checkpoint, place, _PRECISIONS[precision], compiled=options.compile)


class Inference:
    """See :class:`.heads.Networks`. Warp and generator run in `dtype`, what makes keypoints in float32.

    compiled: by torch.compile, as one CUDA graph where there is CUDA.
    """

    def __init__(
        self, checkpoint: Checkpoint, place: torch.device, dtype: torch.dtype, *, compiled: bool = False
    ) -> None:
        self._place, self._compiled, self._checkpoint = place, compiled, checkpoint
        self._appearance = self._placed(checkpoint.appearance)
        self._motion = self._placed(checkpoint.motion)
        self._largest = 1
        self._use(dtype)
        small = (checkpoint.stitching, checkpoint.eyes, checkpoint.lips)
        self.retargeting = Retargeting(*(_called(network) for network in small))

    def _use(self, dtype: torch.dtype) -> None:
        """Warp and generator in that precision from now on."""
        self.dtype = dtype
        self._warping = self._placed(self._checkpoint.warping, dtype)
        self._warping.compress = self._placed(self._checkpoint.warping.compress)
        self._generator = self._placed(self._checkpoint.generator, dtype)
        self._draw: Callable[[WarpSource, Tensor], Tensor] = self._drawn
        if self._compiled:
            mode = "reduce-overhead" if self._place.type == "cuda" else "default"
            self._draw = torch.compile(self._drawn, mode=mode, dynamic=False)

    def _placed(self, network: Net, dtype: torch.dtype = torch.float32) -> Net:
        """A copy on the device, with its convolutions as they are fast there."""
        network = copy.deepcopy(network).to(self._place, dtype)
        if self._place.type == "cpu" and dtype == torch.float32:
            transformed(network)
            return network
        for part in network.modules():
            if isinstance(part, nn.Conv2d | nn.Conv3d):
                channels_last = torch.channels_last if part.weight.dim() == 4 else torch.channels_last_3d
                part.weight.data = part.weight.contiguous(memory_format=channels_last)
        return network

    def motion(self, pictures: Rgb) -> FaceMotion:
        """What the motion extractor sees in (N, 256, 256, 3)."""
        with self._mode():
            heads = self._motion(self._images(pictures))
            seen = {name: value.cpu().numpy() for name, value in heads.items()}
        angles = np.stack([seen["pitch"], seen["yaw"], seen["roll"]], 1)
        return FaceMotion.from_angles(angles, seen["exp"], seen["t"], seen["scale"], seen["kp"])

    def source(self, picture: Rgb, keypoints: Array) -> WarpSource:
        """What is made of a portrait (256, 256, 3) with keypoints (1, 21, 3) once."""
        with self._mode():
            volume = self._appearance(self._images(picture[None]))
            return self.prepared(volume, self._points(keypoints))

    def prepared(self, volume: Tensor, points: Tensor) -> WarpSource:
        """The same from the volume (1, C, D, H, W) that the picture was made into."""
        with self._mode():
            return self._warping.source(volume, points)

    def render(self, source: WarpSource, keypoints: Array) -> Rgb:
        """(N, 512, 512, 3) the portrait with its keypoints at (N, 21, 3); values are truncated, as published.

        What overflows in half precision is done again in float32, from then on everything.
        """
        count = len(keypoints)
        self._largest = max(self._largest, count)
        if self._compiled and count < self._largest:  # one shape is compiled once
            last = np.repeat(keypoints[-1:], self._largest - count, 0)
            return self.render(source, np.concatenate([keypoints, last]))[:count]
        with self._mode():
            drawn = self.draw(source, self._points(keypoints))
            if self.dtype != torch.float32 and not bool(drawn.isfinite().all()):
                warnings.warn(
                    "half precision overflows on this card: computing in fp32 from here", stacklevel=2
                )
                self._use(torch.float32)
                drawn = self.draw(source, self._points(keypoints))
            levels = (drawn.clamp(0, 1) * 255).to(torch.uint8)
            return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())

    def draw(self, source: WarpSource, points: Tensor) -> Tensor:
        """RGB in (0, 1), (N, 3, 512, 512), float32, for points on the device; all of it not a number where
        the feature that it is drawn from overflowed."""
        with self._mode():
            return self._draw(source, points).float()

    def _drawn(self, source: WarpSource, points: Tensor) -> Tensor:
        feature = self._warping(source, points)
        rgb: Tensor = self._generator(feature.contiguous(memory_format=torch.channels_last))
        return rgb + (feature - feature).sum((1, 2, 3), keepdim=True)

    def _images(self, pictures: Rgb) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._place)
        return images.permute(0, 3, 1, 2).float() / 255

    def _points(self, keypoints: Array) -> Tensor:
        return torch.from_numpy(np.array(keypoints, np.float32)).to(self._place)

    @contextmanager
    def _mode(self) -> Iterator[None]:
        # TensorFloat-32 would round the keypoints as half precision does.
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
        with torch.inference_mode(), flags:
            yield


def _called(network: nn.Module) -> Network:
    """A small network as a function of arrays; it stays on the CPU."""

    def call(rows: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(np.ascontiguousarray(rows))).numpy(), np.float32)

    return call

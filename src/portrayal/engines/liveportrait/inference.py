"""LivePortrait's networks at work: where they run, how precisely, pictures in and out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from portrayal.engines.liveportrait.checkpoint import Checkpoint, load_checkpoint
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.networks import WarpSource
from portrayal.engines.liveportrait.retargeting import Network, Retargeting
from portrayal.errors import UsageError

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def load_networks(options: LivePortraitOptions) -> Inference:
    """The networks that the options name, on the device that they name; PortrayalError, UsageError."""
    place = device(options.device)
    precision = options.precision
    if precision == "auto":
        precision = "fp16" if place.type == "cuda" else "fp32"
    checkpoint = load_checkpoint(options.weights, options.animal)
    return Inference(checkpoint, place, _PRECISIONS[precision], compiled=options.compile)


def device(name: str) -> torch.device:
    """Where to compute; auto is a CUDA card where there is one. UsageError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device: {name!r} is not there; use auto, cpu, cuda or cuda:1") from error
    return place


class Inference:
    """See :class:`.heads.Networks`. Warp and generator run in `dtype`, what makes keypoints in float32."""

    def __init__(
        self, checkpoint: Checkpoint, place: torch.device, dtype: torch.dtype, *, compiled: bool = False
    ) -> None:
        self._place, self._dtype = place, dtype
        self._appearance = checkpoint.appearance.to(place)
        self._motion = checkpoint.motion.to(place)
        self._warping = checkpoint.warping.to(place)
        self._drawing: nn.Module = _Drawing(checkpoint).to(place)
        if compiled:
            self._drawing = torch.compile(self._drawing)  # type: ignore[assignment]
        self.retargeting = Retargeting(
            *(self._called(net) for net in (checkpoint.stitching, checkpoint.eyes, checkpoint.lips))
        )

    @torch.inference_mode()
    def motion(self, pictures: Rgb) -> FaceMotion:
        """What the motion extractor sees in (N, 256, 256, 3)."""
        seen = {name: value.cpu().numpy() for name, value in self._motion(self._images(pictures)).items()}
        angles = np.stack([seen["pitch"], seen["yaw"], seen["roll"]], 1)
        return FaceMotion.from_angles(angles, seen["exp"], seen["t"], seen["scale"], seen["kp"])

    @torch.inference_mode()
    def source(self, picture: Rgb, keypoints: Array) -> WarpSource:
        """What is made of a portrait (256, 256, 3) with keypoints (1, 21, 3) once."""
        volume = self._appearance(self._images(picture[None]))
        return self._warping.source(volume, torch.from_numpy(keypoints).to(self._place))

    @torch.inference_mode()
    def render(self, source: WarpSource, keypoints: Array) -> Rgb:
        """(N, 512, 512, 3) the portrait with its keypoints at (N, 21, 3); values are truncated, as published.

        What overflows in half precision is done again in float32, from then on everything.
        """
        points = torch.from_numpy(keypoints).to(self._place)
        with torch.autocast(self._place.type, self._dtype, enabled=self._dtype != torch.float32):
            drawn = self._drawing(source, points).float()
        if self._dtype != torch.float32 and not torch.isfinite(drawn).all():
            warnings.warn("half precision overflows on this card: computing in fp32 from here", stacklevel=2)
            self._dtype = torch.float32
            drawn = self._drawing(source, points)
        bytes_ = (drawn.clamp(0, 1) * 255).to(torch.uint8)
        return np.ascontiguousarray(bytes_.permute(0, 2, 3, 1).cpu().numpy())

    def _images(self, pictures: Rgb) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._place)
        return images.permute(0, 3, 1, 2).float() / 255

    def _called(self, network: nn.Module) -> Network:
        network = network.to(self._place)

        @torch.inference_mode()
        def call(rows: Array) -> Array:
            return np.asarray(network(torch.from_numpy(rows).to(self._place)).cpu().numpy(), np.float32)

        return call


class _Drawing(nn.Module):
    """Warp and generator as one: a source and keypoints (N, 21, 3) -> RGB in (0, 1), (N, 3, 512, 512)."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.warping, self.generator = checkpoint.warping, checkpoint.generator

    def forward(self, source: WarpSource, keypoints: Tensor) -> Tensor:
        drawn: Tensor = self.generator(self.warping(source, keypoints))
        return drawn

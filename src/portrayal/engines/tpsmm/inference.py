"""The networks at work: where they run, how precisely; pictures and key points as arrays in and out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from portrayal.engines.tpsmm.checkpoint import Checkpoint, load_checkpoint
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.engines.tpsmm.info import TpsmmOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Source:
    """A portrait, encoded once.

    image: (1, 3, S, S). features: of the inpainting network. points: (1, 50, 2).
    """

    image: Tensor
    features: list[Tensor]
    points: Tensor


def load_networks(options: TpsmmOptions) -> Inference:
    """The networks that the options name; PortrayalError where they are missing or cannot do the mode."""
    place = _device(options.device)
    precision = options.precision
    if precision == "auto":
        precision = "fp16" if place.type == "cuda" else "fp32"
    checkpoint = load_checkpoint(options.weights, options.config, options.activation, options.keypoint_size)
    if options.mode == "avd" and checkpoint.avd is None:
        raise PortrayalError("these weights have no avd_network, so --mode avd cannot be had; use relative")
    return Inference(checkpoint, place, _PRECISIONS[precision])


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device: {name!r} is not there; use auto, cpu, cuda or cuda:1") from error
    return place


class Inference:
    """Key points and splines in float32, the hourglass and the painting in `dtype`."""

    def __init__(self, checkpoint: Checkpoint, place: torch.device, dtype: torch.dtype) -> None:
        self._place, self._dtype = place, dtype
        self._keypoints = checkpoint.keypoints.to(place)
        self._dense_motion = checkpoint.dense_motion.to(place)
        self._inpainting = checkpoint.inpainting.to(place)
        self._background = None if checkpoint.background is None else checkpoint.background.to(place)
        self._avd = None if checkpoint.avd is None else checkpoint.avd.to(place)

    @torch.inference_mode()
    def keypoints(self, pictures: Rgb) -> Array:
        """(N, 50, 2) of (N, S, S, 3)."""
        return np.asarray(self._keypoints(self._images(pictures)).cpu().numpy(), np.float32)

    @torch.inference_mode()
    def avd(self, source: Array, driving: Array) -> Array:
        """(N, 50, 2) the driving's pose with the source's build."""
        assert self._avd is not None
        return np.asarray(self._avd(self._points(source), self._points(driving)).cpu().numpy(), np.float32)

    @torch.inference_mode()
    def source(self, picture: Rgb) -> Source:
        """What is made of a portrait (S, S, 3) once."""
        image = self._images(picture[None])
        with self._autocast():
            features = self._inpainting.encode(image)
        return Source(image, features, self._keypoints(image))

    @torch.inference_mode()
    def render(self, source: Source, keypoints: Array) -> Rgb:
        """(N, S, S, 3) the portrait with its key points at (N, 50, 2).

        What overflows in half precision is done again in float32, from then on everything.
        """
        with self._autocast():
            painted = self._painted(source, self._points(keypoints))
        if self._dtype != torch.float32 and not bool(painted.isfinite().all()):
            warnings.warn("half precision overflows on this card: computing in fp32 from here", stacklevel=2)
            self._dtype = torch.float32
            source = Source(source.image, self._inpainting.encode(source.image), source.points)
            painted = self._painted(source, self._points(keypoints))
        return _levels(painted)

    @torch.inference_mode()
    def reconstruct(self, source: Source, picture: Rgb) -> Rgb:
        """(S, S, 3) the source with a picture's own key points and background."""
        image = self._images(picture[None])
        background = None if self._background is None else self._background(source.image, image)
        with self._autocast():
            painted = self._painted(source, self._keypoints(image), background)
        return _levels(painted)[0]

    def _painted(self, source: Source, points: Tensor, background: Tensor | None = None) -> Tensor:
        count = len(points)
        image = source.image.expand(count, -1, -1, -1)
        features = [feature.expand(count, -1, -1, -1) for feature in source.features]
        motion = self._dense_motion(image, points, source.points.expand(count, -1, -1), background)
        painted: Tensor = self._inpainting(image, features, motion)
        return painted.float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._place.type, self._dtype, enabled=self._dtype != torch.float32)

    def _images(self, pictures: Rgb) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._place)
        return images.permute(0, 3, 1, 2).float() / 255

    def _points(self, keypoints: Array) -> Tensor:
        return torch.from_numpy(np.array(keypoints, np.float32)).to(self._place)


def _levels(painted: Tensor) -> Rgb:
    levels = (painted.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())

"""The networks at work: where they run, how precisely; pictures and key points as arrays in and out."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from portrayal.engines.tpsmm.checkpoint import Checkpoint, load_checkpoint
from portrayal.engines.tpsmm.folding import for_processor, without_batch_norms
from portrayal.engines.tpsmm.networks import DenseMotion
from portrayal.errors import PortrayalError
from portrayal.neural.device import device_of

if TYPE_CHECKING:
    from portrayal.engines.tpsmm.info import TpsmmOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

Net = TypeVar("Net", bound=nn.Module)

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Source:
    """A portrait, encoded once.

    image: (1, 3, S, S). features: of the inpainting network, which worked in `precision`. points: (1, 50, 2).
    """

    image: Tensor
    features: list[Tensor]
    points: Tensor
    precision: torch.dtype = torch.float32


def load_networks(options: TpsmmOptions) -> Inference:
    """The networks that the options name; PortrayalError where they are missing or cannot do the mode."""
    place = device_of(options.device)
    precision = options.precision
    if precision == "auto":
        precision = "fp16" if place.type == "cuda" else "fp32"
    checkpoint = load_checkpoint(options.weights, options.config, options.activation, options.keypoint_size)
    if options.mode == "avd" and checkpoint.avd is None:
        raise PortrayalError("these weights have no avd_network, so --mode avd cannot be had; use relative")
    return Inference(checkpoint, place, _PRECISIONS[precision], compiled=options.compile)


class Inference:
    """Key points, splines and what is sampled in float32, the hourglass and the painting in `dtype`.

    compiled: by torch.compile, with CUDA graphs where there is CUDA. winograd: see :func:`for_processor`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        place: torch.device,
        dtype: torch.dtype,
        *,
        compiled: bool = False,
        winograd: bool = True,
    ) -> None:
        self._place, self._checkpoint = place, checkpoint
        self._compiled, self._winograd = compiled, winograd
        self._keypoints = without_batch_norms(checkpoint.keypoints).to(place)
        background, avd = checkpoint.background, checkpoint.avd
        self._background = None if background is None else without_batch_norms(background).to(place)
        self._avd = None if avd is None else copy.deepcopy(avd).to(place)
        self._largest = 1
        self._use(dtype)

    def _use(self, dtype: torch.dtype) -> None:
        """Hourglass and painting in that precision from now on."""
        self._dtype = dtype
        dense_motion, inpainting = self._checkpoint.dense_motion, self._checkpoint.inpainting
        if self._place.type == "cpu" and dtype == torch.float32:
            self._dense_motion = for_processor(dense_motion)
            self._inpainting = for_processor(inpainting, self._winograd)
        else:
            self._dense_motion = self._placed(dense_motion)
            self._dense_motion.down.float()
            self._inpainting = self._placed(inpainting)
        self._paint: Callable[[Tensor, list[Tensor], DenseMotion], Tensor] = self._inpainting
        if self._compiled:
            mode = "reduce-overhead" if self._place.type == "cuda" else "default"
            self._paint = torch.compile(self._inpainting, mode=mode, dynamic=False)

    def _placed(self, network: Net) -> Net:
        placed = copy.deepcopy(network).to(self._place, self._dtype)
        return placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def keypoints(self, pictures: Rgb) -> Array:
        """(N, 50, 2) of (N, S, S, 3)."""
        return _array(self.found(self._images(pictures)))

    def found(self, images: Tensor) -> Tensor:
        """(N, 50, 2) key points of images (N, 3, S, S) in [0, 1] on the device."""
        with _mode():
            points: Tensor = self._keypoints(images)
            return points

    def avd(self, source: Array, driving: Array) -> Array:
        """(N, 50, 2) the driving's pose with the source's build."""
        assert self._avd is not None
        with _mode():
            return _array(self._avd(self._points(source), self._points(driving)))

    def source(self, picture: Rgb) -> Source:
        """What is made of a portrait (S, S, 3) once."""
        return self.prepared(self._images(picture[None]))

    def prepared(self, image: Tensor) -> Source:
        """The same of an image (1, 3, S, S) in [0, 1] on the device."""
        with _mode():
            return Source(image, self._encoded(image), self._keypoints(image), self._dtype)

    def render(self, source: Source, keypoints: Array) -> Rgb:
        """(N, S, S, 3) the portrait with its key points at (N, 50, 2).

        What overflows in half precision is done again in float32, from then on everything.
        """
        count = len(keypoints)
        self._largest = max(self._largest, count)
        if self._compiled and count < self._largest:  # one shape is compiled once
            last = np.repeat(keypoints[-1:], self._largest - count, 0)
            return self.render(source, np.concatenate([keypoints, last]))[:count]
        return _levels(self.draw(source, self._points(keypoints)))

    def reconstruct(self, source: Source, picture: Rgb) -> Rgb:
        """(S, S, 3) the source with a picture's own key points and background."""
        with _mode():
            image = self._images(picture[None])
            background = None if self._background is None else self._background(source.image, image)
            points = self._keypoints(image)
        return _levels(self.draw(source, points, background))[0]

    def draw(self, source: Source, points: Tensor, background: Tensor | None = None) -> Tensor:
        """RGB in [0, 1], (N, 3, S, S) float32, for points (N, 50, 2) on the device.

        background: (N, 3, 3), see :class:`.networks.BackgroundPredictor`.
        """
        with _mode():
            drawn = self._drawn(source, points, background)
            if self._dtype != torch.float32 and not bool(drawn.isfinite().all()):
                message = "half precision overflows on this card: computing in fp32 from here"
                warnings.warn(message, stacklevel=3)
                self._use(torch.float32)
                drawn = self._drawn(source, points, background)
            return drawn

    def _drawn(self, source: Source, points: Tensor, background: Tensor | None) -> Tensor:
        if source.precision != self._dtype:  # painted in half precision before that overflowed
            source = replace(source, features=self._encoded(source.image), precision=self._dtype)
        count = len(points)
        image = source.image.expand(count, -1, -1, -1)
        features = [feature.expand(count, -1, -1, -1) for feature in source.features]
        motion = self._dense_motion(image, points, source.points.expand(count, -1, -1), background)
        return self._paint(image, features, motion).float()

    def _encoded(self, image: Tensor) -> list[Tensor]:
        """In float32, which is what they are sampled in."""
        return [feature.float() for feature in self._inpainting.encode(image.to(self._dtype))]

    def _images(self, pictures: Rgb) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._place)
        return images.permute(0, 3, 1, 2).float() / 255

    def _points(self, keypoints: Array) -> Tensor:
        return torch.from_numpy(np.array(keypoints, np.float32)).to(self._place)


def _levels(painted: Tensor) -> Rgb:
    levels = (painted.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def _array(values: Tensor) -> Array:
    return np.asarray(values.cpu().numpy(), np.float32)


@contextmanager
def _mode() -> Iterator[None]:
    # TensorFloat-32 would round the key points as half precision does.
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
    with torch.inference_mode(), flags:
        yield

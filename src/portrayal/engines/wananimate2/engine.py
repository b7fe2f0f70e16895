"""Wan-Animate-2: video generation from a portrait and a raw driving video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from portrayal.engines.engine import Engine
from portrayal.engines.wananimate2.frames import Canvas, letterboxed, segments
from portrayal.engines.wananimate2.info import INFO, WanAnimate2Options
from portrayal.engines.wananimate2.networks import REFERENCE, Networks, load_networks, log_scale_of
from portrayal.engines.wananimate2.sampling import OVERLAP, Sampler, Words
from portrayal.engines.wananimate2.solvers import Euler, Midpoint

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]


class WanAnimate2(Engine):
    """See :data:`portrayal.engines.wananimate2.info.INFO`.

    Its networks are loaded when they are first needed, and kept. Of a portrait that is a video the first
    frame is animated. Frames of the driving are read a segment at a time.
    """

    info = INFO
    Options: ClassVar = WanAnimate2Options

    def __init__(self, networks: Networks | None = None) -> None:
        self._given = networks
        self._loaded: tuple[Any, Networks] | None = None

    def needs_face(self, options: WanAnimate2Options) -> bool:
        return False

    def frame_size(self, portrait: Portrait, options: WanAnimate2Options) -> tuple[int, int]:
        canvas = Canvas.of(*portrait.size, options.pixels)
        return canvas.inner_width, canvas.inner_height

    def render(self, portrait: Portrait, driving: Driving, options: WanAnimate2Options) -> Iterator[Rgb]:
        networks = self.networks(options)
        canvas = Canvas.of(*portrait.size, options.pixels)
        with torch.no_grad():
            sampler = _sampler(networks, letterboxed([portrait.rgb], canvas, "bicubic"), options)
        frames = iter(driving.frames_on(portrait))
        for piece, known, new in segments(frames, options.segment, OVERLAP):
            with torch.no_grad():
                video = sampler.segment(letterboxed(piece, canvas, "bilinear").to(networks.device))
            yield from canvas.cropped(video[:, known : known + new])

    def networks(self, options: WanAnimate2Options) -> Networks:
        """The networks that the options ask for; PortrayalError where their weights are missing."""
        if self._given is not None:
            return self._given
        wanted = ("weights", "transformer", "variant", "device", "offload")
        key = (*(getattr(options, name) for name in wanted), log_scale_of(options))
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # the memory of those before is needed
            self._loaded = (key, load_networks(options))
        return self._loaded[1]


def _sampler(networks: Networks, portrait: torch.Tensor, options: WanAnimate2Options) -> Sampler:
    guidance = options.guidance or (1.0 if options.distilled else 3.0)
    texts = (options.prompt, options.negative if guidance != 1 else options.prompt, REFERENCE)
    return Sampler(
        networks.transformer,
        networks.vae,
        networks.image_encoder,
        Words(*networks.words(*texts)),
        portrait.to(networks.device),
        Euler() if options.distilled else Midpoint(),
        options.steps or (10 if options.distilled else 40),
        guidance,
        torch.Generator(networks.device).manual_seed(options.seed),
        networks.device,
    )

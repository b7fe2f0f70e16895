"""Wan-Animate (arXiv 2509.14055): a video model steered by skeleton, face and mask."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal import weights
from portrayal.engines.engine import Engine
from portrayal.engines.wananimate.framing import letterbox, size_for
from portrayal.engines.wananimate.info import INFO, WanAnimateOptions
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from torch import Tensor

    from portrayal.clip import Clip
    from portrayal.driving import Driving
    from portrayal.engines.options import EngineOptions
    from portrayal.engines.wananimate.assembly import Model
    from portrayal.engines.wananimate.plan import Plan
    from portrayal.engines.wananimate.segments import Prompt
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
log = logging.getLogger(__name__)

#: LoRAs that can be downloaded, by the option that asks for them.
DOWNLOADS = {"fast": "wananimate-4steps", "relight": "wananimate-relight"}


class WanAnimate(Engine):
    """See :data:`portrayal.engines.wananimate.info.INFO`.

    Networks are read for a clip and given back after it: they fill a machine.
    """

    info = INFO
    Options: ClassVar = WanAnimateOptions

    def animate(
        self, portrait: Portrait, driving: Driving, options: EngineOptions | None = None, **overrides: Any
    ) -> Clip:
        clip = super().animate(portrait, driving, options, **overrides)
        chosen = self.options(options, **overrides)
        assert isinstance(chosen, WanAnimateOptions)
        if chosen.mode == "animate":
            return clip
        return replace(clip, size=_driving_size(portrait, driving, chosen.pixels))

    def needs_face(self, options: WanAnimateOptions) -> bool:
        return False

    def frame_size(self, portrait: Portrait, options: WanAnimateOptions) -> tuple[int, int]:
        return size_for(options.pixels, portrait.size)

    def render(self, portrait: Portrait, driving: Driving, options: WanAnimateOptions) -> Iterator[Rgb]:
        from portrayal.engines.wananimate.preprocess import conditions
        from portrayal.engines.wananimate.segments import Segments

        size = (
            self.frame_size(portrait, options)
            if options.mode == "animate"
            else _driving_size(portrait, driving, options.pixels)
        )
        model = _model(options)
        plan = model.plan(_work(size, driving, options))
        log.info("%s", plan.describe())
        prompt = _prompt(model, plan, options)
        steered = conditions(
            portrait.rgb,
            driving.frames_on(portrait),
            size,
            mode=options.mode,
            retarget=options.retarget,
            compat=options.compat,
            smooth=options.smooth,
        )
        with model.networks(plan) as networks:
            segments = Segments(networks, prompt, letterbox(portrait.rgb, size), _settings(plan, options))
            for frames in segments(steered):
                yield from _pictures(frames)


def _model(options: WanAnimateOptions) -> Model:
    from portrayal.engines.wananimate.assembly import Model

    asked = [(options.fast, "fast", 1.0), (options.relight, "relight", 1.0)]
    loras = tuple((_lora(name, option), strength) for name, option, strength in asked if name is not None)
    if options.lora is not None:
        loras += ((Path(options.lora), options.lora_strength),)
    return Model.find(options.weights, options.transformer, loras, options.device, options.gpus)


def _lora(name: str, option: str) -> Path:
    if name != "auto":
        return Path(name)
    download = DOWNLOADS[option]
    if weights.missing(download):
        raise PortrayalError(f"--{option}: it is not here; {weights.advice(download)}")
    return weights.file(download)


def _work(size: tuple[int, int], driving: Driving, options: WanAnimateOptions) -> Any:
    from portrayal.engines.wananimate.plan import Work

    return Work(
        *size,
        frames=driving.count or options.segment,
        segment=options.segment,
        overlap=options.overlap,
        guided=options.guidance > 1,
        steps=options.steps,
        distilled=options.fast is not None,
    )


def _prompt(model: Model, plan: Plan, options: WanAnimateOptions) -> Prompt:
    from portrayal.engines.wananimate.segments import Prompt

    texts = [options.prompt, options.negative_prompt] if options.guidance > 1 else [options.prompt]
    return Prompt(*model.words(plan, *texts))


def _settings(plan: Plan, options: WanAnimateOptions) -> Any:
    from portrayal.engines.wananimate.segments import Settings

    return Settings(
        steps=plan.steps,
        solver=options.solver,
        shift=options.shift,
        guidance=options.guidance,
        length=options.segment,
        overlap=options.overlap,
        replace=options.mode == "replace",
        seed=options.seed,
        steady=options.steady_colour and not options.compat,
        whole=options.compat,
    )


def _driving_size(portrait: Portrait, driving: Driving, area: int) -> tuple[int, int]:
    for rgb in driving.frames_on(portrait):
        return size_for(area, (rgb.shape[1], rgb.shape[0]))
    raise PortrayalError(f"{driving.name}: has no frames")


def _pictures(frames: Tensor) -> Iterable[Rgb]:
    """(H, W, 3) each of (3, T, H, W) in [-1, 1]."""
    levels = ((frames + 1) * 127.5).round().clamp(0, 255).byte().cpu()
    return (np.ascontiguousarray(picture.numpy()) for picture in levels.permute(1, 2, 3, 0))

"""The segments of a video, one after the other, each continuing the one before (Wan-Animate, arXiv
2509.14055, section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from portrayal.engines.wananimate.conditions import Condition
from portrayal.engines.wananimate.networks import Networks
from portrayal.engines.wananimate.sampling import Solver, scheduler
from portrayal.engines.wananimate.windows import Window, windows

Rgb = NDArray[np.uint8]

#: By how much colour is corrected between segments: contrast within these factors, brightness within +-.
GAINS, SHIFT = (0.8, 1.25), 0.15


@dataclass(frozen=True)
class Settings:
    """length: frames of a segment, 4n+1. overlap: how many it shares with the one before. guidance: above 1,
    away from the negative prompt and a face without expression. steady: colours of a segment follow the one
    before. whole: the last segment has full length, as the authors' has."""

    steps: int = 20
    solver: Solver = "unipc"
    shift: float = 5.0
    guidance: float = 1.0
    length: int = 77
    overlap: int = 1
    replace: bool = False
    seed: int = 0
    steady: bool = True
    whole: bool = False


@dataclass(frozen=True)
class Prompt:
    """Encoded, (1, 512, C) each; against: needed where there is guidance."""

    text: Tensor
    against: Tensor | None = None


class Segments:
    """Makes a portrait's video. reference: (H, W, 3) the portrait at the size of the video."""

    def __init__(self, networks: Networks, prompt: Prompt, reference: Rgb, settings: Settings) -> None:
        self._nets, self._prompt, self._set = networks, prompt, settings
        picture = self._video([reference])
        self._image = networks.image_features(picture)
        latents = networks.encode(picture)
        self._reference = torch.cat([torch.ones_like(latents[:, :4]), latents], 1)
        self._noise = torch.Generator().manual_seed(settings.seed)
        self._nothing: dict[int, Tensor] = {}

    def __call__(self, conditions: Iterable[Condition]) -> Iterator[Tensor]:
        """For every segment its new frames, (3, T, H, W) in [-1, 1]; as many in all as conditions."""
        before: Tensor | None = None
        chosen = self._set
        for window in windows(conditions, chosen.length, chosen.overlap, chosen.whole):
            made = self._made(window, before)
            if before is not None and chosen.steady:
                made = recoloured(made, before)
            made = made[:, :, window.given : window.given + window.new]
            before = made[:, :, -chosen.overlap :].clone()
            yield made[0]

    def _made(self, window: Window[Condition], before: Tensor | None) -> Tensor:
        pose = self._nets.encode(self._video([item.pose for item in window.items]))
        motions = self._nets.motions(self._video([item.face for item in window.items]))
        given = self._replaced(window, before) if self._set.replace else self._animated(window, before)
        latents = self._sampled(torch.cat([self._reference, given], 2), pose, motions)
        return self._nets.decode(latents[:, :, 1:])

    def _animated(self, window: Window[Condition], before: Tensor | None) -> Tensor:
        """(1, 20, t, h, w) mask and latents of what is given: nothing, or the end of the segment before."""
        frames = len(window.items)
        if before is None:
            if frames not in self._nothing:
                empty = torch.zeros(1, 3, frames, *window.items[0].pose.shape[:2], device=self._nets.device)
                self._nothing[frames] = self._nets.encode(empty)
            latents = self._nothing[frames]
        else:
            latents = self._nets.encode(F.pad(before, (0, 0, 0, 0, 0, frames - before.shape[2])))
        known = torch.zeros(frames, *latents.shape[3:], device=self._nets.device)
        known[: window.given] = 1
        return torch.cat([in_channels(known), latents], 1)

    def _replaced(self, window: Window[Condition], before: Tensor | None) -> Tensor:
        """The same; given is all that is not the person."""
        video = self._video([_present(item.background) for item in window.items])
        if before is not None:
            video[:, :, : window.given] = before
        latents = self._nets.encode(video)
        person = torch.from_numpy(np.stack([_present(item.mask) for item in window.items]))[:, None]
        known = 1 - F.interpolate(person.float() / 255, latents.shape[3:], mode="nearest")[:, 0]
        known[: window.given] = 1
        return torch.cat([in_channels(known.to(latents.device)), latents], 1)

    def _sampled(self, given: Tensor, pose: Tensor, motions: Tensor) -> Tensor:
        chosen, device = self._set, self._nets.device
        steps = scheduler(chosen.solver, chosen.steps, chosen.shift, device)
        shape = (1, given.shape[1] - 4, *given.shape[2:])
        # From the processor's generator, so that a seed gives the same everywhere.
        noise = torch.randn(shape, generator=self._noise).to(device)
        still = self._still(motions) if chosen.guidance > 1 else motions
        for time in steps.timesteps:
            inputs = torch.cat([noise, given], 1)
            way = self._velocity(inputs, time, self._prompt.text, pose, motions)
            if chosen.guidance > 1:
                assert self._prompt.against is not None
                other = self._velocity(inputs, time, self._prompt.against, pose, still)
                way = other + chosen.guidance * (way - other)
            noise = steps.step(way, time, noise, return_dict=False)[0]
        return noise

    def _velocity(self, inputs: Tensor, time: Tensor, text: Tensor, pose: Tensor, motions: Tensor) -> Tensor:
        return self._nets.velocity(inputs, time, text.to(inputs), self._image, pose, motions)

    def _still(self, motions: Tensor) -> Tensor:
        """The motion of a black face, as often as there are motions."""
        side = self._nets.transformer.config.motion_encoder_size
        face = torch.full((1, 3, 1, side, side), -1.0, device=self._nets.device)
        return self._nets.motions(face).expand_as(motions)

    def _video(self, frames: Sequence[Rgb]) -> Tensor:
        """(1, 3, T, H, W) in [-1, 1]."""
        levels = torch.from_numpy(np.stack(frames)).to(self._nets.device)
        return levels.permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def in_channels(mask: Tensor) -> Tensor:
    """(1, 4, n + 1, h, w) of (4n + 1, h, w): four frames are the four channels of one latent frame, the first
    frame is four times there."""
    filled = torch.cat([mask[:1].expand(4, -1, -1), mask[1:]])
    return filled.unflatten(0, (-1, 4)).transpose(0, 1)[None]


def recoloured(made: Tensor, before: Tensor) -> Tensor:
    """A segment (1, 3, T, H, W) whose first frames are as bright and contrasty, per channel, as the frames
    `before` that they repeat; it stops the drift of colours from segment to segment."""
    again = made[:, :, : before.shape[2]]
    axes = (2, 3, 4)
    mean = again.mean(axes, keepdim=True)
    gain = before.std(axes, keepdim=True) / again.std(axes, keepdim=True).clamp_min(1e-4)
    moved = (before.mean(axes, keepdim=True) - mean).clamp(-SHIFT, SHIFT)
    return ((made - mean) * gain.clamp(*GAINS) + mean + moved).clamp(-1, 1)


def _present(value: Any) -> Any:
    assert value is not None, "to replace a person needs its mask and background"
    return value

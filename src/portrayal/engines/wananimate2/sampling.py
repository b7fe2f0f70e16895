"""A segment of Wan-Animate-2: what it is given, the steps, the frames.

The order of things is that of diffusers' modular pipeline `wan_animate_2`, whose functions are used; here a
segment is made, handed on and forgotten, and its length may differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan_animate_2 import WanAnimate2KVCache
from diffusers.modular_pipelines.wan_animate_2.denoise import decode_vae
from diffusers.modular_pipelines.wan_animate_2.encoders import (
    clip_visual_encode,
    encode_vae,
    get_i2v_mask,
    get_t5_prompt_embeds,
)
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from portrayal.engines.wananimate2.solvers import Solver

#: Frames of the segment before that a segment starts from.
OVERLAP = 1


@dataclass(frozen=True)
class Words:
    """Texts as the text encoder has them, (1, 512, C) each."""

    prompt: Tensor
    negative: Tensor
    reference: Tensor


@dataclass
class Sampler:
    """Makes segments one after the other; knows the last frames of the one before.

    portrait: (1, 3, 1, H, W) in [-1, 1], letterboxed. guidance: 1 for none.
    """

    transformer: Any
    vae: Any
    image_encoder: Any
    words: Words
    portrait: Tensor
    solver: Solver
    steps: int
    guidance: float
    generator: torch.Generator
    device: torch.device

    def __post_init__(self) -> None:
        self._tail: Tensor | None = None
        self._first: Tensor | None = None
        self._face = self._features(self.portrait[:, :, 0])
        self._start = self._conditioned(encode_vae(self.vae, self.portrait), 1)

    def segment(self, driving: Tensor) -> Tensor:
        """Frames (3, T, H, W) in [-1, 1] for a piece of the driving (1, 3, T, H, W), letterboxed alike.

        From the second piece on its first frame is the last of the piece before.
        """
        if self._first is None:
            self._first = self._features(driving[:, :, 0])
        cache = WanAnimate2KVCache(self.transformer.config.num_layers)
        grid = self._extract(driving, cache)
        given = torch.cat([self._start, self._continued(driving)], dim=1)
        latents = randn_tensor(
            (self.vae.config.z_dim, *given.shape[1:]),
            generator=self.generator,
            device=self.device,
            dtype=torch.float32,
        )
        self.solver.start(self.steps, self.device)
        for time in self.solver.times:
            latents = self.solver.step(
                self._velocity(latents, given, time, cache, grid, driving), time, latents
            )
        cache.clear()
        video: Tensor = decode_vae(self.vae, latents[None, :, 1:])[0]
        self._tail = video[:, -OVERLAP:]
        return video

    def _extract(self, driving: Tensor, cache: Any) -> Tensor:
        """What every layer has to say of the driving, kept in `cache`; the grid of its tokens."""
        latents = encode_vae(self.vae, driving)
        given = self._conditioned(latents, driving.shape[2])
        grid = torch.tensor([[latents.shape[2], latents.shape[3] // 2, latents.shape[4] // 2]])
        kind = self.transformer.dtype
        assert self._first is not None
        self.transformer(
            [latents[0].to(kind)],
            timestep=torch.ones(1, device=self.device),
            encoder_hidden_states=[self.words.reference[0].to(kind)],
            encoder_hidden_states_image=self._first.to(kind),
            condition_latents=[given.to(kind)],
            kv_cache=cache,
            kv_cache_mode="extract",
            seq_len=int(grid.prod()),
            offset_grid_sizes=grid,
        )
        return grid

    def _velocity(
        self, latents: Tensor, given: Tensor, time: Tensor, cache: Any, grid: Tensor, driving: Tensor
    ) -> Tensor:
        kind = self.transformer.dtype

        def branch(words: Tensor, negative: bool) -> Tensor:
            made: Tensor = self.transformer(
                [latents.to(kind)],
                timestep=time[None],
                encoder_hidden_states=[words[0].to(kind)],
                encoder_hidden_states_image=self._face.to(kind),
                condition_latents=[given.to(kind)],
                kv_cache=cache,
                kv_cache_mode="cached",
                seq_len=int(grid.prod()) + int(grid[0, 1:].prod()),
                reference_grid_sizes=grid,
                origin_len=driving.shape[2],
                origin_area=list(driving.shape[-2:]),
                is_uncondtion=negative,
            ).sample[0]
            return made

        made = branch(self.words.prompt, False)
        if self.guidance == 1:
            return made
        other = branch(self.words.negative, True)
        return other + self.guidance * (made - other)

    def _continued(self, driving: Tensor) -> Tensor:
        """The last frames of the segment before, then nothing; with the mask that says so."""
        _, _, frames, height, width = driving.shape
        pixels = torch.zeros(1, 3, frames, height, width, device=self.device)
        known = 0
        if self._tail is not None:
            known = OVERLAP
            pixels[0, :, :known] = self._tail
        return self._conditioned(encode_vae(self.vae, pixels), known)

    def _conditioned(self, latents: Tensor, known: int) -> Tensor:
        """Latents (1, 16, t, h, w) under the mask of the `known` first frames: (20, t, h, w)."""
        frames, height, width = latents.shape[2:]
        mask = get_i2v_mask(frames, height, width, known, device=self.device).to(latents.dtype)
        return torch.cat([mask, latents[0]])

    def _features(self, picture: Tensor) -> Tensor:
        """What CLIP sees in (1, 3, H, W), squashed to its square."""
        encoder = self.image_encoder
        features: Tensor = clip_visual_encode(encoder, picture[0], self.device, encoder.dtype)
        return features


def embedded(encoder: Any, tokenizer: Any, text: str, device: torch.device) -> Tensor:
    """A text as (1, 512, C), zeros behind its end."""
    words: Tensor = get_t5_prompt_embeds(encoder, tokenizer, text, 512, device)
    return words

"""Attention of Wan-Animate-2: the frames being made see each other, and each its own frame of the driving.

diffusers computes it by a block mask that has to be compiled, for a whole buffer of fixed length. A frame at
a time, with its keys side by side, it is plain attention: no mask, no compiler, any length, on any device.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: On which frame of those being made `log_scale` acts: the first of the video, behind the portrait's.
SCALED_FRAME = 1


class FrameAttention:
    """Processor of the self-attention layers.

    log_scale: added to the scores of the keys of latent frame 1, which the distilled weights were trained
    with (it weakens the pull of the first frame). keep: where the driving's keys and values wait, None for
    where they are made.
    """

    _attention_backend = None
    _parallel_config = None

    def __init__(self, log_scale: float = 0.0, keep: str | None = None) -> None:
        self.log_scale, self.keep = log_scale, keep

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        rotary_emb: Tensor,
        grid_sizes: Tensor,
        kv_cache: Any,
        kv_cache_mode: str,
        rope_stride: int = 1,
        **_: Any,
    ) -> Tensor:
        """hidden_states: (1, tokens, C). grid_sizes: (1, 3), frames, rows and columns of the tokens.

        In the mode "extract" the tokens are the driving's, and what they have to say is kept; in "cached"
        they are those being made, of the portrait's frame and of one for every frame of the driving.
        """
        from diffusers.models.transformers.transformer_wan_animate_2 import rope_apply

        query, key = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(hidden_states))
        value = attn.to_v(hidden_states).unflatten(2, (attn.heads, -1)).transpose(1, 2)
        query, key = (
            rope_apply(part.unflatten(2, (attn.heads, -1)), grid_sizes, rotary_emb, rope_stride)
            .type_as(value)
            .transpose(1, 2)
            for part in (query, key)
        )
        if kv_cache_mode == "extract":
            # The driving's positions are the same at every step: its keys are kept turned.
            kv_cache.store(self._kept(key), self._kept(value))
            seen = F.scaled_dot_product_attention(query, key, value)
        else:
            old_key, old_value = (part.to(query.device, non_blocking=True) for part in kv_cache.get())
            seen = self._seen(query, key, value, old_key, old_value, int(grid_sizes[0, 0]))
        out = seen.transpose(1, 2).flatten(2, 3)
        return attn.to_out[1](attn.to_out[0](out))

    def _kept(self, part: Tensor) -> Tensor:
        if self.keep is None:
            return part
        there = torch.empty_like(part, device=self.keep, pin_memory=part.is_cuda)  # so that it comes fast
        return there.copy_(part)

    def _seen(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        driving_key: Tensor,
        driving_value: Tensor,
        frames: int,
    ) -> Tensor:
        """Attention (1, heads, tokens, d), the tokens of `frames` frames; the driving has one frame less."""
        own, size = query.shape[2], query.shape[2] // frames
        keys = torch.cat([key, key[:, :, :size]], dim=2)  # with room for one frame of the driving
        values = torch.cat([value, value[:, :, :size]], dim=2)
        bias = None
        if self.log_scale:
            bias = query.new_zeros(1, 1, 1, own + size)
            bias[..., SCALED_FRAME * size : (SCALED_FRAME + 1) * size] = self.log_scale
        seen = torch.empty_like(query)
        for frame in range(frames):
            here = slice(frame * size, (frame + 1) * size)
            visible = own
            if frame:
                before = slice((frame - 1) * size, frame * size)
                keys[:, :, own:], values[:, :, own:] = driving_key[:, :, before], driving_value[:, :, before]
                visible = own + size
            mask = None if bias is None else bias[..., :visible].expand(1, 1, size, -1)
            seen[:, :, here] = F.scaled_dot_product_attention(
                query[:, :, here], keys[:, :, :visible], values[:, :, :visible], attn_mask=mask
            )
        return seen


def set_attention(transformer: Any, log_scale: float, keep: str | None = None) -> None:
    """Give WanAnimate2Transformer3DModel this attention, in place of the compiled one and its mask."""
    for block in transformer.blocks:
        block.self_attn.set_processor(FrameAttention(log_scale, keep))
    transformer.create_mask = lambda *_: None

"""Frames on their way in and out: the size that is worked at, letterboxes and their bars, segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rgb = NDArray[np.uint8]
#: Frame sides are multiples of this; segments have at least this many frames, below which motion suffers.
SIDE, LEAST = 16, 29


@dataclass(frozen=True)
class Canvas:
    """The frame that is worked at, and the part of it that the portrait fills; the rest is bars.

    Sides by the rule of the published pipeline: multiples of 16, about `pixels` in all, the aspect that of
    the portrait with its sides cut to multiples of 16. The part is that of the portrait as it is, so that no
    bar is left.
    """

    width: int
    height: int
    left: int
    top: int
    inner_width: int
    inner_height: int

    @classmethod
    def of(cls, width: int, height: int, pixels: int) -> Canvas:
        """For a portrait of these sides."""
        aspect = max(SIDE, height // SIDE * SIDE) / max(SIDE, width // SIDE * SIDE)
        high = max(SIDE, int(sqrt(pixels * aspect)) // SIDE * SIDE)
        wide = max(SIDE, int(sqrt(pixels / aspect)) // SIDE * SIDE)
        flat = wide / high < width / height
        inner_wide = wide if flat else width * high // height
        inner_high = height * wide // width if flat else high
        return cls(wide, high, (wide - inner_wide) // 2, (high - inner_high) // 2, inner_wide, inner_high)

    def cropped(self, video: Tensor) -> Iterator[Rgb]:
        """The frames of a video (3, T, H, W) in [-1, 1] without the bars, (h, w, 3) uint8."""
        rows = slice(self.top, self.top + self.inner_height)
        columns = slice(self.left, self.left + self.inner_width)
        for frame in video.unbind(1):
            part = frame[:, rows, columns].clamp(-1, 1).add(1).mul(127.5).round()
            yield part.permute(1, 2, 0).to(torch.uint8).cpu().numpy()


def letterboxed(frames: list[Rgb], canvas: Canvas, resample: str) -> Tensor:
    """Frames (H, W, 3), each fitted into the canvas and centred on black: (1, 3, T, H, W) in [-1, 1]."""
    from diffusers.modular_pipelines.wan_animate_2.video_processor import WanAnimate2VideoProcessor
    from PIL import Image

    processor: Any = WanAnimate2VideoProcessor(
        vae_scale_factor=8, spatial_patch_size=(2, 2), resample=resample
    )
    pictures = [Image.fromarray(frame) for frame in frames]
    video: Tensor = processor.preprocess_video(
        pictures, height=canvas.height, width=canvas.width, resize_mode="fill"
    )
    return video.float()


def segments(frames: Iterator[Rgb], length: int, overlap: int) -> Iterator[tuple[list[Rgb], int, int]]:
    """A driving as segments: their frames, how many of these were in the one before, and how many are new.

    The last is as long as it needs, at least 29 and of the form 4n+1; what it lacks is made up by its frames
    backwards.
    """
    kept: list[Rgb] = []
    while True:
        fresh = list(islice(frames, length - len(kept)))
        if not fresh:
            return
        chunk = kept + fresh
        wanted = length
        if len(chunk) < length:
            wanted = min(length, max(LEAST, 4 * ceil((len(chunk) - 1) / 4) + 1))
        yield mirrored(chunk, wanted), len(kept), len(fresh)
        kept = chunk[-overlap:]


def mirrored(frames: list[Rgb], count: int) -> list[Rgb]:
    """The first `count` of the frames forwards, backwards, forwards ..."""
    there_and_back = frames + frames[::-1]
    return [there_and_back[i % len(there_and_back)] for i in range(count)]

"""`Clip`: the result, a lazy sequence of frames with sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.media.audio import Audio

Rgb = NDArray[np.uint8]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, init=False)
class Clip:
    """Frames (H, W, 3) uint8, made when they are read, at `fps`, with sound.

    frames: starts the frames anew each time it is called. size: (width, height). count: how many frames, None
    where that is not known. still: a picture to show beside it where the driving has none (the portrait).
    """

    frames: Callable[[], Iterator[Rgb]]
    fps: Fraction
    size: tuple[int, int]
    audio: Audio | None = None
    count: int | None = None
    name: str = "clip"
    still: Rgb | None = None

    def __init__(
        self,
        frames: Callable[[], Iterator[Rgb]],
        fps: Fraction,
        *,
        size: tuple[int, int],
        audio: Audio | None = None,
        count: int | None = None,
        name: str = "clip",
        still: Rgb | None = None,
    ) -> None:
        values = dict(frames=frames, fps=Fraction(fps), size=size, audio=audio, count=count, name=name, still=still)
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def __iter__(self) -> Iterator[Rgb]:
        return self.frames()

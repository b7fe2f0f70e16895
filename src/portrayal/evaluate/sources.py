"""What can be evaluated: files, clips, tracks; opened and brought to one frame rate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.evaluate.agreement import frame_at
from portrayal.media.files import shown
from portrayal.media.image import read_image
from portrayal.media.sniff import sniff
from portrayal.media.video import VideoReader

Rgb = NDArray[np.uint8]


class Moving(Protocol):
    """Frames (H, W, 3) uint8 at a steady rate: a :class:`VideoReader`, a :class:`portrayal.clip.Clip`."""

    @property
    def fps(self) -> Fraction: ...

    def __iter__(self) -> Iterator[Rgb]: ...


Source = str | os.PathLike[str] | Moving


def opened(source: Source) -> Moving:
    """The frames of a file, or those given. PortrayalError where the file shows nothing that moves."""
    if not isinstance(source, (str, os.PathLike)):
        return source
    kind = sniff(source)
    if kind != "video":
        what = "a still picture" if kind == "image" else "a sound"
        raise PortrayalError(f"{shown(source)}: is {what}; only moving pictures can be tracked again")
    return VideoReader(source)


def name_of(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return shown(source)
    if isinstance(source, VideoReader):
        return shown(source.info.path)
    return str(getattr(source, "name", "frames"))


def same_source(a: Source | None, b: Source | None) -> bool:
    """Whether two sources are one video."""
    if isinstance(a, (str, os.PathLike)) and isinstance(b, (str, os.PathLike)):
        try:
            return Path(a).samefile(b)
        except OSError:
            return False
    return a is b and a is not None


def at_rate(frames: Iterable[Rgb], rate: Fraction, wanted: Fraction) -> Iterator[Rgb]:
    """The frames shown at `wanted` frames a second, by :func:`frame_at`."""
    given = 0
    for number, rgb in enumerate(frames):
        while frame_at(given, wanted, rate) == number:
            yield rgb
            given += 1


def first_frame(source: Source) -> Rgb:
    for rgb in opened(source):
        return rgb
    raise PortrayalError(f"{name_of(source)}: has no frames")


def picture(source: str | os.PathLike[str] | Rgb) -> Rgb:
    """A portrait: a picture file, the first frame of a video file, or pixels."""
    if isinstance(source, np.ndarray):
        return source
    return read_image(source).rgb if sniff(source) == "image" else first_frame(source)

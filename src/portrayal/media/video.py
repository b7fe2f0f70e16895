"""Videos in: anything that moves, as RGB frames at a constant rate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from portrayal.errors import PortrayalError, UsageError
from portrayal.media.files import check_source, is_folder, shown
from portrayal.media.movie import Movie
from portrayal.media.pictures import Animation, Sequence, is_animation, is_pattern
from portrayal.media.rates import RGB, TimedFrame, at_constant_rate, frame_count, tolerance
from portrayal.media.times import checked_span


@dataclass(frozen=True)
class VideoInfo:
    """What a :class:`VideoReader` gives: the part from start to end, at its size and rate.

    width, height in pixels, upright. duration in seconds. frame_count is exact unless the file is damaged or
    its frames are uneven at the very end.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    duration: Fraction
    frame_count: int
    has_audio: bool


class Source(Protocol):
    """Timed frames of one kind of file. Times are seconds from its first frame; shape is (width, height)."""

    has_audio: bool
    rate: Fraction
    duration: Fraction

    @property
    def shape(self) -> tuple[int, int]: ...

    def frames(self, start: Fraction) -> Iterator[TimedFrame]: ...


class VideoReader:
    """A video, animated picture, folder of pictures or pattern (frame_%04d.png) as uint8 RGB (H, W, 3).

    Iterating opens the file anew and decodes lazily. Frames come at a constant rate: uneven ones are shown
    by their timestamps, even ones pass as they are.

    start, end: seconds from the first frame. fps: the rate to give (pictures: the rate they have, 25
    if not told). size: longest side in pixels.
    Raises PortrayalError where the file cannot be read as a video, UsageError for wrong times, rate or size.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
        fps: Fraction | None = None,
        size: int | None = None,
    ) -> None:
        self._start, self._end = checked_span(start, end)
        self._size = size
        if (fps is not None and fps <= 0) or (size is not None and size < 1):
            raise UsageError(f"frames per second and size must be above 0, not {fps} and {size}")
        self._source = _source(path, None if fps is None else Fraction(fps), size)
        rate = self._source.rate if fps is None else Fraction(fps)
        slack = tolerance(self._source.rate, rate)
        left = self._source.duration - self._start
        count = frame_count(left, rate, slack)
        self._count = None
        if self._end is not None:
            self._count = max(1, round((self._end - self._start) * rate))
            count = min(count, self._count)
        if count < 1 and self._start > 0:
            length = float(self._source.duration)
            raise PortrayalError(f"{shown(path)}: is {length:.2f} s long; there is nothing at {start:g} s")
        width, height = self._source.shape
        count = max(count, 1)
        self.info = VideoInfo(Path(path), width, height, rate, count / rate, count, self._source.has_audio)

    @property
    def fps(self) -> Fraction:
        return self.info.fps

    def at(self, fps: Fraction) -> VideoReader:
        """The same pictures at another rate."""
        if fps == self.fps:
            return self
        start, end = (None if t is None else float(t) for t in (self._start, self._end))
        return VideoReader(self.info.path, start=start, end=end, fps=fps, size=self._size)

    def __iter__(self) -> Iterator[RGB]:
        frames = self._source.frames(self._start)
        given = False
        for rgb in at_constant_rate(frames, self.fps, self._start, self._source.rate, self._count):
            given = True
            yield rgb
        if not given:
            raise PortrayalError(
                f"{shown(self.info.path)}: no picture can be read at {float(self._start):g} s"
            )


def _source(path: str | os.PathLike[str], fps: Fraction | None, size: int | None) -> Source:
    if is_folder(path) or is_pattern(path):
        return Sequence(Path(path), fps, size)
    source = check_source(path)
    if is_animation(source):
        return Animation(source, size)
    return Movie(source, size)

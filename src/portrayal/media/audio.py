"""Sound in: any file that FFmpeg decodes, or samples in memory, as float32 blocks in step with the video."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.media.container import (
    decoded,
    only,
    open_container,
    picture_stream,
    sound_stream,
    stream_start,
)
from portrayal.media.files import check_source, shown
from portrayal.media.times import checked_span

Samples = NDArray[np.float32]

_BLOCK = 16384
_PREROLL = Fraction(1)
#: Containers whose sound can be entered at an exact time; the others are decoded from the start.
_SEEKABLE = {"mov", "mp4", "matroska", "webm", "wav", "flac", "avi"}
#: A step in the timestamps below this (seconds) is rounding, not a gap.
_GAP = Fraction(1, 40)


class Audio(Protocol):
    """Sound with a rate in Hz, 1 or 2 channels and a duration in seconds."""

    @property
    def rate(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def duration(self) -> Fraction: ...

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[Samples]:
        """Float32 blocks (n, channels) in [-1, 1], (n, 1) if `mono`, at `rate` or the sound's own."""
        ...

    def samples(self, rate: int = 16000) -> Samples:
        """All of it as one channel, float32 (n,)."""
        ...


@dataclass(frozen=True)
class Waveform:
    """Sound in memory. data: (n,) or (n, channels), float32 in [-1, 1] or int16; rate in Hz."""

    data: Samples | NDArray[np.int16]
    rate: int

    def __post_init__(self) -> None:
        if self.rate < 1 or self.data.ndim not in (1, 2) or self.channels not in (1, 2):
            raise ValueError(f"sound is (n,) or (n, 1 or 2) at a rate above 0, not {self.data.shape}")

    @property
    def channels(self) -> int:
        return 1 if self.data.ndim == 1 else self.data.shape[1]

    @property
    def duration(self) -> Fraction:
        return Fraction(len(self.data), self.rate)

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[Samples]:
        """See :class:`Audio`."""
        data = self.data.reshape(len(self.data), self.channels)
        full = np.float32(32768 if data.dtype == np.int16 else 1)
        blocks = (data[i : i + _BLOCK].astype(np.float32) / full for i in range(0, len(data), _BLOCK))
        return _resampled(_mixed(blocks) if mono else blocks, self.rate, rate or self.rate)

    def samples(self, rate: int = 16000) -> Samples:
        """See :class:`Audio`."""
        return _whole(self.blocks(rate, mono=True))


class AudioTrack:
    """The sound of a file from `start` to `end` (seconds), decoded lazily, anew each time.

    Time 0 is the first frame of the file's video, if it has one: sound that begins later is preceded by
    silence, sound that begins earlier is cut. Gaps in the timestamps are silence. More than two channels are
    mixed to two. Raises PortrayalError where the file cannot be read or has no sound.
    """

    def __init__(
        self, path: str | os.PathLike[str], start: float | None = None, end: float | None = None
    ) -> None:
        self.path = check_source(path)
        self._start, self._end = checked_span(start, end)
        with open_container(self.path) as container:
            stream = _sound(container, self.path)
            first = next(decoded(container, stream), None)
            if first is None or not first.samples:
                raise PortrayalError(f"{shown(path)}: the sound has no samples")
            self.rate: int = first.sample_rate
            self.channels: int = min(2, first.layout.nb_channels)
            begins = _time(first)
            video = picture_stream(container)
            zero = None if video is None else stream_start(video)
            self._zero = begins if zero is None else zero
            self._exact = not _SEEKABLE.isdisjoint(container.format.name.split(","))
            told = Fraction(container.duration or 0, av.time_base) - begins if self._exact else Fraction(0)
            self._near_end = told - 2 * _PREROLL if self._end is None else Fraction(0)
            if "mov" in container.format.name and stream.duration:
                # The decoder pads the last frame of AAC; MP4 says how long it really is.
                until = max(begins - self._zero + stream.duration * stream.time_base, Fraction(0))
                self._end = until if self._end is None else min(until, self._end)

    @cached_property
    def duration(self) -> Fraction:
        """Seconds of sound that :meth:`blocks` gives: counted, because few containers know."""
        first, near_end = round(self._start * self.rate), round(self._near_end * self.rate)
        for at in (max(first, near_end), first):
            count = sum(map(len, self._from(at)))
            if count:
                return Fraction(at - first + count, self.rate)
        return Fraction(0)

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[Samples]:
        """See :class:`Audio`. Exact in length at the sound's own rate: each sample is at its time."""
        blocks = self._from(round(self._start * self.rate))
        return _resampled(_mixed(blocks) if mono else blocks, self.rate, rate or self.rate)

    def samples(self, rate: int = 16000) -> Samples:
        """See :class:`Audio`."""
        return _whole(self.blocks(rate, mono=True))

    def _from(self, first: int) -> Iterator[Samples]:
        """The sound at its own rate from sample number `first` on."""
        last = None if self._end is None else round(self._end * self.rate)
        at = first
        for position, block in self._placed(first):
            end = len(block) if last is None else min(len(block), last - position)
            block = block[max(0, at - position) : max(0, end)]
            silence = max(0, min(position, last if last is not None else position) - at)
            yield from _silence(silence, self.channels)
            if len(block):
                yield block
            at += silence + len(block)
            if last is not None and at >= last:
                return

    def _placed(self, first: int) -> Iterator[tuple[int, Samples]]:
        """(number of its first sample since time 0, block), from `first` or earlier; only real gaps show."""
        with open_container(self.path) as container:
            stream = only(container, _sound(container, self.path))
            self._seek(container, stream, Fraction(first, self.rate) - _PREROLL)
            expected: int | None = None
            for stamp, block in _float_blocks(decoded(container, stream), self.rate, self.channels):
                told = None if stamp is None else round((stamp - self._zero) * self.rate)
                if expected is None:
                    expected = told or 0
                elif told is not None and abs(told - expected) > _GAP * self.rate:
                    expected = told
                yield expected, block
                expected += len(block)

    def _seek(self, container: Any, stream: Any, time: Fraction) -> None:
        if time > 0 and self._exact:
            try:
                container.seek(int((time + self._zero) / stream.time_base), stream=stream)
            except av.FFmpegError:
                container.seek(0)


def _sound(container: Any, path: Path) -> Any:
    stream = sound_stream(container)
    if stream is None:
        raise PortrayalError(f"{shown(path)}: has no sound")
    return stream


def _time(frame: Any) -> Fraction:
    return Fraction(0) if frame.pts is None else Fraction(frame.pts) * frame.time_base


def _float_blocks(
    frames: Iterable[Any], rate: int, channels: int
) -> Iterator[tuple[Fraction | None, Samples]]:
    """(time of the first sample, float32 (n, channels)) for every frame, whatever its own format."""
    layout = "mono" if channels == 1 else "stereo"
    converters: dict[tuple[str, str, int], AudioResampler] = {}
    for frame in frames:
        stamp = None if frame.pts is None else Fraction(frame.pts) * frame.time_base
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        converter = converters.setdefault(key, AudioResampler("flt", layout, rate))
        frame.pts = None
        for out in converter.resample(frame):
            yield stamp, _frame_samples(out, channels)
            stamp = None


def _frame_samples(frame: Any, channels: int) -> Samples:
    return np.asarray(frame.to_ndarray(), np.float32).reshape(-1, channels)


def _mixed(blocks: Iterable[Samples]) -> Iterator[Samples]:
    return (block.mean(axis=1, keepdims=True, dtype=np.float32) for block in blocks)


def _silence(count: int, channels: int) -> Iterator[Samples]:
    for done in range(0, count, _BLOCK):
        yield np.zeros((min(_BLOCK, count - done), channels), np.float32)


def _resampled(blocks: Iterable[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    """The sound at another rate, its length exact to the sample and nothing shifted."""
    if rate == wanted:
        yield from blocks
        return
    resampler: AudioResampler | None = None
    taken = given = 0
    for block in blocks:
        channels = block.shape[1]
        layout = "mono" if channels == 1 else "stereo"
        resampler = resampler or AudioResampler("flt", layout, wanted)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block).reshape(1, -1), "flt", layout)
        frame.sample_rate = rate
        taken += len(block)
        for out in resampler.resample(frame):
            given += out.samples
            yield _frame_samples(out, channels)
    if resampler is None:
        return
    left = round(Fraction(taken * wanted, rate)) - given
    for out in resampler.resample(None):
        tail = _frame_samples(out, channels)[: max(0, left)]
        left -= len(tail)
        if len(tail):
            yield tail
    yield from _silence(left, channels)


def _whole(blocks: Iterable[Samples]) -> Samples:
    parts = [block[:, 0] for block in blocks]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)

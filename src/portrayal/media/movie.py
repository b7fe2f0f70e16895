"""Frames of a video file through FFmpeg: upright, square pixels, RGB."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from portrayal.errors import PortrayalError
from portrayal.media.container import (
    decoded,
    is_still,
    only,
    open_container,
    picture_stream,
    sound_stream,
    stream_start,
)
from portrayal.media.files import shown
from portrayal.media.gamut import Coding, plain
from portrayal.media.rates import RGB, TimedFrame, even_rate, stream_rate

#: Exact conversion: without these, swscale's short cut is off by three levels on average.
EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.FULL_CHR_H_INT
_UNKNOWN_MATRIX = 2
_PREROLL = Fraction(1, 2)


class Movie:
    """A video file as timed frames, opened anew each time. Times count from its first frame.

    size: longest side in pixels, None for the file's own. Turned as the file's display matrix says;
    anamorphic pictures are made square.
    """

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        with open_container(path) as container:
            stream = _video(container, path)
            first = next(decoded(container, stream), None)
            if first is None:
                raise PortrayalError(f"{shown(path)}: no picture in the video can be read")
            if _is_cut_short(container, stream):
                raise PortrayalError(f"{shown(path)}: the video is cut short; its end is missing")
            self._turns, self._mirrored = _orientation(first)
            self._coded = _scaled(first.width, first.height, stream.sample_aspect_ratio, size)
            start = stream_start(stream)
            self._zero = _time(first) or Fraction(0) if start is None else start
            sound = sound_stream(container)
            self.has_audio = sound is not None and sound.duration != 0
            self.rate, self.duration = _timing(path, container, stream, self._zero)

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) of the frames given."""
        width, height = self._coded
        return (height, width) if self._turns % 2 else (width, height)

    def frames(self, start: Fraction) -> Generator[TimedFrame, None, None]:
        """From the frame shown at `start` seconds, or earlier, to the end; seeks where `start` is far in."""
        if start > _PREROLL:
            frames = self._frames(start - _PREROLL)
            first = next(frames, None)
            if first is not None and first.time <= start:
                yield first
                yield from frames
                return
            frames.close()
        yield from self._frames(None)

    def _frames(self, seek: Fraction | None) -> Generator[TimedFrame, None, None]:
        with open_container(self.path) as container:
            stream = only(container, _video(container, self.path))
            stream.thread_type = "AUTO"
            if seek is not None:
                try:
                    container.seek(int((seek + self._zero) / stream.time_base), stream=stream)
                except av.FFmpegError:
                    return
            convert = self._converter()
            last: Fraction | None = None
            for frame in decoded(container, stream):
                stamp = _time(frame)
                time = stamp - self._zero if stamp is not None else self._after(last)
                if last is None or time > last:
                    last = time
                    length = Fraction(frame.duration or 0) * (frame.time_base or 0)
                    yield TimedFrame(time, length, lambda frame=frame: convert(frame))  # type: ignore[misc]

    def _after(self, last: Fraction | None) -> Fraction:
        return Fraction(0) if last is None else last + 1 / self.rate

    def _converter(self) -> Callable[[Any], RGB]:
        scaler = VideoReformatter()
        width, height = self._coded
        turns, mirrored = self._turns, self._mirrored

        def convert(frame: Any) -> RGB:
            coding = Coding.of(frame)
            rgb: Any = scaler.reformat(
                frame,
                width,
                height,
                "rgb24" if coding.is_plain else "gbrp16le",  # into rgb48le swscale loses green
                src_colorspace=_matrix(frame),
                interpolation=_interpolation(frame, width) | EXACT,
                threads=1,
            ).to_ndarray()
            rgb = rgb if coding.is_plain else plain(rgb, coding)
            rgb = np.fliplr(rgb) if mirrored else rgb
            return np.ascontiguousarray(np.rot90(rgb, turns))

        return convert


def _video(container: Any, path: Path) -> Any:
    stream = picture_stream(container)
    if stream is None:
        what = "holds only sound, no pictures" if sound_stream(container) else "holds no video"
        raise PortrayalError(f"{shown(path)}: {what}")
    if is_still(container):
        raise PortrayalError(f"{shown(path)}: is a still picture, not a video")
    return stream


def _time(frame: Any) -> Fraction | None:
    return None if frame.pts is None else Fraction(frame.pts) * frame.time_base


def _orientation(frame: Any) -> tuple[int, bool]:
    """(quarter turns anticlockwise, whether mirrored left to right before), by the display matrix."""
    turns = round(frame.rotation / 90)
    data = frame.side_data.get("DISPLAYMATRIX")
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist() if data is not None else (1, 0, 0, 0, 1)
    mirrored = a * d < b * c
    return (turns + 2 * mirrored) % 4, mirrored


def _scaled(width: int, height: int, aspect: Fraction | None, size: int | None) -> tuple[int, int]:
    """(width, height) with square pixels and `size` as the longest side."""
    wide = width * (aspect or Fraction(1))
    scale = Fraction(size) / max(wide, Fraction(height)) if size else Fraction(1)
    return max(1, round(wide * scale)), max(1, round(height * scale))


def _matrix(frame: Any) -> int | None:
    """YUV matrix for swscale: the frame's own tag, or by size as players do where it has none."""
    if frame.colorspace != _UNKNOWN_MATRIX or frame.format.is_rgb:
        return None
    large = frame.width >= 1280 or frame.height > 576
    return int(Colorspace.ITU709 if large else Colorspace.ITU601)


def _interpolation(frame: Any, width: int) -> Interpolation:
    if frame.width == width:
        return Interpolation.BILINEAR
    return Interpolation.AREA if width < frame.width else Interpolation.BICUBIC


def _timing(path: Path, container: Any, stream: Any, zero: Fraction) -> tuple[Fraction, Fraction]:
    """(rate, duration in seconds) of a video stream, by its index or, where that is no help, its packets."""
    told = stream_rate(stream.average_rate, stream.base_rate, stream.guessed_rate)
    even = stream.average_rate == stream.base_rate
    if even and stream.duration and stream.frames and len(stream.index_entries):
        return told, Fraction(stream.duration) * stream.time_base
    stamps = _stamps(path)
    if any(pts is None for pts, _ in stamps):
        return told, len(stamps) / told
    times = sorted((pts * stream.time_base - zero, length * stream.time_base) for pts, length in stamps)
    last, length = times[-1] if times else (Fraction(0), Fraction(0))
    rate = told if even else even_rate([time for time, _ in times], length, stream.time_base) or told
    return rate, last + (length or 1 / rate)


def _is_cut_short(container: Any, stream: Any) -> bool:
    """Whether the file's index names frames beyond its end."""
    count = len(stream.index_entries)
    if count == 0 or not stream.frames:
        return False
    last = stream.index_entries[count - 1]
    return bool(last.pos + last.size > container.size)


def _stamps(path: Path) -> list[tuple[Any, int]]:
    """(pts, duration) of every packet of the video, in units of its time base."""
    stamps = []
    with open_container(path) as container:
        packets = container.demux(only(container, _video(container, path)))
        with suppress(av.FFmpegError):
            for packet in packets:
                if packet.size and not packet.is_discard:
                    stamps.append((packet.pts, packet.duration or 0))
    return stamps

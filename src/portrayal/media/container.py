"""Opening a file with FFmpeg (PyAV): the file that was named and nothing else.

FFmpeg is given bytes, never a name, so that no name can be taken for a protocol ("http:..."), a pattern or a
playlist; and it may open nothing by itself, so that no playlist can have it read other files.
"""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import av
from av.container import InputContainer
from av.stream import Discard, Disposition

from portrayal.errors import PortrayalError
from portrayal.media.files import check_source, shown

#: Demuxers that name other files, or that make pictures of text.
_REFUSED = {"applehttp", "concat", "concatf", "dash", "hls", "imf", "sdp", "tty", "bin", "adf", "idf", "xbin"}
#: Demuxers of one picture.
_STILL = re.compile(r"image2|_pipe$|^ico$")
_BUFFER = 1 << 18


class _Bytes(io.FileIO):
    """A file whose name tells FFmpeg its suffix only."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        suffix = path.suffix.lower() if re.fullmatch(r"\.\w{1,5}", path.suffix, re.ASCII) else ""
        self.name = f"input{suffix}"


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("media files may not refer to other files")


@contextmanager
def open_container(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """`path` opened for reading; PortrayalError where it is no video, animation or sound."""
    source = check_source(path)
    with _Bytes(source) as file:
        try:
            container = av.open(
                file,
                "r",
                options={"protocol_whitelist": "none", "fflags": "+discardcorrupt"},
                metadata_errors="replace",
                buffer_size=_BUFFER,
                io_open=_open_nothing,
            )
        except PermissionError as error:
            raise PortrayalError(f"{shown(path)}: refers to other files, which is not allowed") from error
        except (av.FFmpegError, ValueError) as error:
            raise PortrayalError(f"{shown(path)}: {_unreadable(source)}") from error
        with container:
            refused = _REFUSED & set(container.format.name.split(","))
            if refused or not len(container.streams):
                raise PortrayalError(f"{shown(path)}: {_unreadable(source)}")
            yield container


def _unreadable(source: Path) -> str:
    with source.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "the video is cut short or damaged (its index is missing)"
    if head[:4] in (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"fLaC"):
        return "the file is cut short or damaged"
    return "not a video, sound or picture that can be read"


def is_still(container: InputContainer) -> bool:
    """Whether what was opened is one picture."""
    return bool(_STILL.search(container.format.name))


def picture_stream(container: InputContainer) -> Any:
    """The main video stream, None where there is none (cover art does not count)."""
    streams = [
        s
        for s in container.streams.video
        if s.codec_context is not None and not s.disposition & Disposition.attached_pic
    ]
    best = container.streams.best("video")
    return best if best in streams else next(iter(streams), None)


def sound_stream(container: InputContainer) -> Any:
    """The main audio stream, None where there is none."""
    best = container.streams.best("audio")
    return best if best is not None and best.codec_context is not None else None


def stream_start(stream: Any) -> Fraction | None:
    """Time of the first frame of a stream in seconds, None where the file does not say."""
    return None if stream.start_time is None else Fraction(stream.start_time) * stream.time_base


def only(container: InputContainer, stream: Any) -> Any:
    """Have every other stream skipped when reading."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return stream


def decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The frames of a stream, without those that are damaged; ends where the file breaks off."""
    untimed = stream.type == "video" and container.format.name == "avi"
    slots: deque[int | None] = deque()
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            break
        if untimed and packet.size:
            slots.append(packet.dts)
        yield from _good_frames(stream, packet, slots)
    yield from _good_frames(stream, None, slots)


def _good_frames(stream: Any, packet: Any, slots: deque[int | None]) -> Iterator[Any]:
    """slots: times for the coming frames, where the file has none: AVI counts packets, not pictures."""
    try:
        frames = stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return
    for frame in frames:
        if slots:
            frame.pts = slots.popleft()
        if not frame.is_corrupt:
            yield frame

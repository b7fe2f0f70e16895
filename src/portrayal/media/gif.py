"""Animated GIF: one palette for the whole clip, made in a second pass over a lossless copy on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from av.filter import Graph

from portrayal.media.rates import RGB
from portrayal.media.tags import synthetic_tags

#: Browsers slow anything faster down to 10 frames a second.
FASTEST = Fraction(50)
_TICKS = 100  # a second


def encode_gif(file: Path, frames: Iterable[RGB], fps: Fraction) -> int:
    """Write frames, all of one size, to `file`; returns how many. What is used on the way lies beside it.

    Times are rounded to hundredths of a second, as GIF holds them, without drifting; frames beyond 50 a
    second are left out.
    """
    with TemporaryDirectory(prefix=".", suffix=".part", dir=file.parent) as scratch:
        copy, bare = Path(scratch, "copy.mkv"), Path(scratch, "bare.gif")
        count, palette = _copy_and_palette(copy, frames, fps)
        if count:
            _paint(bare, copy, palette, max(2, round(_TICKS / fps)))
            _add_comment(bare, file, synthetic_tags()["comment"])
    return count


def _copy_and_palette(copy: Path, frames: Iterable[RGB], fps: Fraction) -> tuple[int, Any]:
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        return 0, None
    height, width = first.shape[:2]
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("bgra"), time_base=Fraction(1, _TICKS)
    )
    graph.link_nodes(source, graph.add("palettegen", "reserve_transparent=0"), graph.add("buffersink"))
    graph.configure()
    count, last = 0, -_TICKS
    with _writing(copy, "matroska") as container:
        stream = container.add_stream("libx264rgb", _TICKS, {"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        for rgb in chain([first], pictures):
            if rgb.shape != first.shape:
                raise ValueError(f"frames must all be {first.shape}, not {rgb.shape}")
            time = round(count / fps * _TICKS)
            count += 1
            if time - last >= _TICKS / FASTEST:
                last = time
                frame = av.VideoFrame.from_ndarray(_seven_bits(rgb))
                frame.pts, frame.time_base = time, Fraction(1, _TICKS)
                graph.vpush(frame.reformat(format="bgra"))
                next(_pulled(graph), None)  # has it count the colours now, and not keep the frame
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    graph.vpush(None)
    return count, graph.vpull()


def _seven_bits(rgb: RGB) -> RGB:
    """The picture with an eighth of the colours, at most a level off.

    FFmpeg's palette filters keep and search a list of every colour of the clip, which would grow with it.
    """
    return np.ascontiguousarray((rgb & 0xFE) | (rgb >> 7))


def _paint(bare: Path, copy: Path, palette: Any, length: int) -> None:
    with av.open(f"file:{copy}") as source, _writing(bare, "gif", final_delay=str(length)) as container:
        video = source.streams.video[0]
        stream = container.add_stream("gif", _TICKS)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "pal8"
        graph = Graph()
        pictures = graph.add_buffer(template=video)
        colours = graph.add_buffer(
            width=palette.width, height=palette.height, format=palette.format, time_base=Fraction(1, _TICKS)
        )
        paint = graph.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
        pictures.link_to(paint, 0, 0)
        colours.link_to(paint, 0, 1)
        paint.link_to(graph.add("buffersink"))
        graph.configure()
        colours.push(palette)
        colours.push(None)
        for frame in chain(source.decode(video), [None]):
            pictures.push(frame)
            for painted in _pulled(graph):
                painted.duration = length
                container.mux(stream.encode(painted))
        container.mux(stream.encode(None))


def _pulled(graph: Graph) -> Iterator[Any]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


@contextmanager
def _writing(file: Path, kind: str, **options: str) -> Iterator[Any]:
    container = av.open(f"file:{file}", "w", format=kind, options=options)
    try:
        yield container
    except BaseException:
        with suppress(Exception):
            container.close()
        raise
    container.close()


def _add_comment(bare: Path, file: Path, comment: str) -> None:
    """Copy a GIF with a comment put before its first picture (GIF89a specification, section 24)."""
    text = comment.encode("ascii", "replace")[:255]
    with bare.open("rb") as source, file.open("wb") as target:
        header = source.read(13)
        table = 3 << ((header[10] & 7) + 1) if header[10] & 0x80 else 0
        target.write(header + source.read(table))
        target.write(b"\x21\xfe" + bytes([len(text)]) + text + b"\x00")
        shutil.copyfileobj(source, target)

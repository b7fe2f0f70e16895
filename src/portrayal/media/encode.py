"""Frames and sound into a container: H.264 and AAC in MP4, VP9 and Opus in WebM."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.filter import Graph
from av.video.reformatter import ColorRange

from portrayal.media.audio import Audio, Samples
from portrayal.media.rates import RGB
from portrayal.media.tags import synthetic_tags

_BT709 = 1  # the code for BT.709 as primaries, as transfer and as matrix (ITU-T H.273)
# H.264 and VP9 mean a colour sample to lie at the left of its two pixels; swscale alone takes their middle.
_SCALE = (
    "flags=bicubic+accurate_rnd+full_chroma_inp+full_chroma_int"
    ":out_color_matrix=bt709:out_range=tv:out_chroma_loc=left"
)
LARGE = 1 << 22
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


@dataclass(frozen=True)
class Codecs:
    """A container and what goes into it. crf: the codec's quality number for x264's (lower is better).
    large_options: further ones for pictures of more than LARGE pixels."""

    container: str
    video: str
    audio: str
    audio_rates: tuple[int, ...]
    crf: Callable[[int], int]
    video_options: dict[str, str]
    large_options: dict[str, str]
    container_options: dict[str, str]


# Superfast one step finer: the PSNR of veryfast in two thirds of its time, for a fifth more bytes. Colours
# finer still: half to a whole dB for a twentieth more. Frames that wait for later ones (B) take 0.5 GB at
# 4096x4096: large pictures do without, for a fifth more bytes.
MP4 = Codecs("mp4", "libx264", "aac", _AAC_RATES, lambda x264: x264 + 1,
             {"preset": "superfast", "x264-params": "chroma-qp-offset=-4"},
             {"bf": "0"}, {"movflags": "+faststart"})  # fmt: skip
WEBM = Codecs("webm", "libvpx-vp9", "libopus", (48000,), lambda x264: round(1.3 * x264 + 5),
              {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"}, {}, {})  # fmt: skip


def encode(
    file: Path,
    frames: Iterable[RGB],
    fps: Fraction,
    codecs: Codecs,
    *,
    audio: Audio | None,
    crf: int,
    threads: int,
) -> int:
    """Write frames, all of one size, and sound to `file`; returns how many frames there were.

    YUV 4:2:0 with the BT.709 matrix, limited range, tagged. An odd width or height is made even by repeating
    the last column or row. Sound is cut where the frames end, and interleaved with them as they come.
    """
    options = codecs.container_options
    if (
        codecs is MP4 and audio is not None
    ):  # sound is cut to the tick of the whole file, a millisecond if not told
        options = options | {"movie_timescale": str(_sound_rate(codecs, audio))}
    container = av.open(f"file:{file}", "w", format=codecs.container, container_options=options)
    try:
        container.metadata.update(synthetic_tags())
        count = _encode_into(container, frames, fps, codecs, audio, crf, threads)
        container.close()
    except BaseException:
        with suppress(Exception):
            container.close()
        raise
    return count


def _encode_into(
    container: OutputContainer,
    frames: Iterable[RGB],
    fps: Fraction,
    codecs: Codecs,
    audio: Audio | None,
    crf: int,
    threads: int,
) -> int:
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        return 0
    video = _video_stream(container, codecs, fps, first.shape, crf, threads)
    sound = None if audio is None else _SoundWriter(container, codecs, audio)
    convert = _converter(first.shape)
    count = 0
    for rgb in _followed_by(first, pictures):
        frame = convert(rgb)
        frame.pts, frame.time_base = count, 1 / fps
        container.mux(video.encode(frame))
        count += 1
        if sound is not None:
            sound.write_until(count / fps)
    container.mux(video.encode(None))
    if sound is not None:
        sound.close()
    return count


def _followed_by(first: RGB, rest: Iterator[RGB]) -> Iterator[RGB]:
    yield first
    yield from rest


def _video_stream(
    container: Any, codecs: Codecs, fps: Fraction, shape: tuple[int, ...], crf: int, threads: int
) -> Any:
    options = codecs.video_options | {"crf": str(codecs.crf(crf)), "chroma_sample_location": "left"}
    if shape[0] * shape[1] > LARGE:
        options |= codecs.large_options
    stream = container.add_stream(codecs.video, rate=fps, options=options)
    stream.height, stream.width = (n + n % 2 for n in shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / fps
    stream.codec_context.color_primaries = _BT709
    stream.codec_context.color_trc = _BT709
    stream.codec_context.colorspace = _BT709
    stream.codec_context.color_range = int(ColorRange.MPEG)
    stream.thread_count = threads
    return stream


def _converter(shape: tuple[int, ...]) -> Callable[[RGB], Any]:
    """RGB pictures of one shape to tagged frames."""
    height, width = (n + n % 2 for n in shape[:2])
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1)
    )
    graph.link_nodes(
        source, graph.add("scale", _SCALE), graph.add("format", "yuv420p"), graph.add("buffersink")
    )
    graph.configure()

    def convert(rgb: RGB) -> Any:
        if rgb.shape != shape or rgb.dtype != np.uint8:
            raise ValueError(f"frames must all be uint8 {shape}, not {rgb.dtype} {rgb.shape}")
        if rgb.shape[:2] != (height, width):
            rgb = np.asarray(
                cv2.copyMakeBorder(rgb, 0, height - shape[0], 0, width - shape[1], cv2.BORDER_REPLICATE),
                np.uint8,
            )
        graph.vpush(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb)))
        frame = graph.vpull()
        frame.color_primaries = frame.color_trc = _BT709
        return frame

    return convert


def _sound_rate(codecs: Codecs, audio: Audio) -> int:
    return audio.rate if audio.rate in codecs.audio_rates else 48000


class _SoundWriter:
    """Writes a sound as far as the pictures have come."""

    def __init__(self, container: Any, codecs: Codecs, audio: Audio) -> None:
        self._rate = _sound_rate(codecs, audio)
        self._container = container
        self._layout = "mono" if audio.channels == 1 else "stereo"
        self._stream = container.add_stream(codecs.audio, rate=self._rate, layout=self._layout)
        self._stream.codec_context.bit_rate = 96_000 * audio.channels
        self._blocks = audio.blocks(self._rate)
        self._waiting: Samples = np.zeros((0, audio.channels), np.float32)
        self._written = 0

    def write_until(self, time: Fraction) -> None:
        """Encode what there is before `time` (seconds)."""
        wanted = math.floor(time * self._rate) - self._written
        while wanted > 0:
            if not len(self._waiting):
                block = next(self._blocks, None)
                if block is None:
                    return
                self._waiting = block
            part, self._waiting = self._waiting[:wanted], self._waiting[wanted:]
            wanted -= len(part)
            self._encode(part)

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))

    def _encode(self, part: Samples) -> None:
        if not len(part):
            return
        planar = np.ascontiguousarray(part.T, np.float32)
        frame = av.AudioFrame.from_ndarray(planar, "fltp", self._layout)
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = self._written, Fraction(1, self._rate)
        self._written += len(part)
        self._container.mux(self._stream.encode(frame))

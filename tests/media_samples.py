"""Media with known contents: frames that carry their number, files made with PyAV directly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Rgb = np.ndarray
MS = Fraction(1, 1000)

#: Names that a shell, a URL parser, a pattern or an option parser might stumble over.
NAMES = (
    "two words", "it's \"quoted\"", "two\nlines", "Grüße 顔 🎭", "-i", "100%", "%d %s", "concat:x", "file:x",
    "pipe:1", "data:text", "$(id);`id`&", "back\\slash", "*?[a]", ".hidden", "a" * 200,
)  # fmt: skip


def numbered(number: int, height: int = 32, width: int = 64) -> Rgb:
    """A picture that shows `number` (0 to 65535) as 16 black or white fields, two rows of eight."""
    bits = (number >> np.arange(16)) & 1
    fields = np.kron(bits.reshape(2, 8), np.ones((height // 2, width // 8)))
    return np.repeat((fields * 255).astype(np.uint8)[..., None], 3, axis=2)


def number_of(rgb: Rgb) -> int:
    """The number that a picture shows, at whatever size."""
    height, width = rgb.shape[:2]
    rows, columns = (np.arange(2) * 2 + 1) * height // 4, (np.arange(8) * 2 + 1) * width // 16
    bits = rgb[rows][:, columns, 1].ravel() > 127
    return int((bits << np.arange(16)).sum())


def numbers(frames: Iterable[Rgb]) -> list[int]:
    return [number_of(rgb) for rgb in frames]


def count_to(end: int, height: int = 32, width: int = 64) -> Iterator[Rgb]:
    return (numbered(i, height, width) for i in range(end))


def patches(height: int = 64, width: int = 96) -> Rgb:
    """Twelve fields of saturated, dark, light and skin colours: 3 rows of 4."""
    colours = [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0),
        (0, 0, 0), (224, 172, 140), (90, 56, 40), (128, 128, 128), (30, 60, 90),
    ]  # fmt: skip
    grid = np.array(colours, np.uint8).reshape(3, 4, 3)
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 4 // width
    return grid[rows][:, columns]


def centres(rgb: Rgb, rows: int = 3, columns: int = 4) -> Rgb:
    """The mean colour in the middle of every field of :func:`patches`."""
    height, width = rgb.shape[0] // rows, rgb.shape[1] // columns
    fields = rgb[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)
    inner = fields[:, height // 4 : height * 3 // 4, :, width // 4 : width * 3 // 4]
    return inner.mean(axis=(1, 3))


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Rgb:
    """A sine at half of full scale, float32 (n,)."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encode(
    path: Path,
    pictures: Iterable[Rgb] = (),
    *,
    times: Sequence[Fraction] | None = None,
    rate: Fraction = Fraction(25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    colorspace: tuple[int, int] | None = None,
    sound: Rgb | None = None,
    sound_codec: str = "aac",
    sound_rate: int = 48000,
    sound_at: Fraction = Fraction(0),
    sound_layout: str = "mono",
) -> Path:
    """A file made with PyAV alone. times: seconds of every frame. sound: float (n,) or (n, channels)."""
    pictures = list(pictures)
    with av.open(f"file:{path}", "w") as container:
        if pictures:
            video: Any = container.add_stream(codec, rate=rate, options=options or {})
            video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], pix_fmt
            video.codec_context.time_base = MS if times else 1 / rate
            if aspect:
                video.codec_context.sample_aspect_ratio = aspect
            if colorspace:
                video.codec_context.colorspace, video.codec_context.color_range = colorspace
        if sound is not None:
            audio = container.add_stream(sound_codec, rate=sound_rate, layout=sound_layout)
        for i, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb)
            if colorspace:
                frame = frame.reformat(
                    format=pix_fmt, dst_colorspace=colorspace[0], dst_color_range=colorspace[1]
                )
            frame.time_base = MS if times else 1 / rate
            frame.pts = round(times[i] / MS) if times else i
            container.mux(video.encode(frame))
        if pictures:
            container.mux(video.encode(None))
        if sound is not None:
            _write_sound(container, audio, sound, sound_rate, sound_layout, sound_at)
    return path


def encode_hdr(path: Path, transfer: int, primaries: int, light: Rgb) -> Path:
    """A 10-bit video of linear BT.709 `light`, 1 a white sheet of paper, in HDR or a wide gamut (H.273)."""
    matrix = {
        9: [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]],
        12: [[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]],
    }[primaries]
    wide = np.clip(light @ np.array(matrix).T, 0, None)
    if transfer == 16:  # PQ, from nits
        power = (wide * 203 / 10000) ** 0.1593017578125
        code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    elif transfer == 18:  # HLG, on a display of 1000 nits
        shown = wide * 203 / 1000
        scene = shown * np.maximum(shown @ [0.2627, 0.678, 0.0593], 1e-9)[..., None] ** (1 / 1.2 - 1)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    else:
        code = np.where(wide <= 0.0031308, 12.92 * wide, 1.055 * wide ** (1 / 2.4) - 0.055)
    deep = np.round(65535 * np.clip(code, 0, 1)).astype(np.uint16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx265", rate=25, options={"crf": "4", "x265-params": "log-level=none"}
        )
        stream.height, stream.width, stream.pix_fmt = *deep.shape[:2], "yuv420p10le"
        context, matrix_code = stream.codec_context, 9 if primaries == 9 else 1
        context.color_trc, context.color_primaries, context.colorspace = transfer, primaries, matrix_code
        context.color_range = 1
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(deep, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=matrix_code, dst_color_range=1)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _write_sound(container: Any, stream: Any, sound: Rgb, rate: int, layout: str, at: Fraction) -> None:
    planar = sound.reshape(len(sound), -1).T
    for first in range(0, len(sound), 1 << 14):
        part = np.ascontiguousarray(planar[:, first : first + (1 << 14)], np.float32)
        frame = av.AudioFrame.from_ndarray(part, "fltp", layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = first + round(at * rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def turn(path: Path, degrees: int, mirrored: bool = False) -> Path:
    """Give an MP4 the display matrix of a video to be mirrored left to right, then turned clockwise."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    side = -1 if mirrored else 1
    matrix = np.array([side * cos, side * sin, 0, -sin, cos, 0, 0, 0, 1 << 14], np.int64) << 16
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(data)
    return path

"""Moving pictures made of stills: folders and patterns of pictures, and animations that Pillow decodes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from portrayal.errors import PortrayalError
from portrayal.media.files import is_file, is_folder, shown
from portrayal.media.image import SUFFIXES, open_header, picture_of, read_image
from portrayal.media.rates import DEFAULT, RGB, TimedFrame, even_rate, stream_rate

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_MILLISECOND = Fraction(1, 1000)
_UNTIMED = 100  # milliseconds; what browsers show a frame that has no duration for


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Whether the last part of `path` is a pattern such as frame_%04d.png (and no file of that name)."""
    path = Path(path)
    return len(_NUMBER.findall(path.name)) == 1 and not is_file(path)


def numbered(pattern: Path) -> list[Path]:
    """The files that a pattern such as out/%05d.png stands for, by number; empty where there are none."""
    before, width, after = _NUMBER.split(pattern.name)
    digits = rf"\d{{{width},}}" if width else r"\d+"
    name = re.compile(rf"{re.escape(before)}({digits}){re.escape(after)}")
    folder = pattern.parent
    found = [(m, f) for f in folder.iterdir() if (m := name.fullmatch(f.name))] if is_folder(folder) else []
    return [file for _, file in sorted(found, key=lambda each: int(each[0][1]))]


def in_folder(folder: Path) -> list[Path]:
    """The pictures in a folder in natural order (2 before 10); hidden files are left out."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda f: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", f.name)])


class Sequence:
    """A folder of pictures, or a pattern, as timed frames at `rate`. All must have the size of the first."""

    has_audio = False

    def __init__(self, path: Path, rate: Fraction | None = None, size: int | None = None) -> None:
        self.path = path
        self._files = in_folder(path) if is_folder(path) else numbered(path)
        if not self._files:
            raise PortrayalError(f"{shown(path)}: no pictures found")
        self.rate = rate or DEFAULT
        self.duration = len(self._files) / self.rate
        height, width = read_image(self._files[0]).rgb.shape[:2]
        self._source = width, height
        self.shape = fitted(width, height, size)

    def frames(self, start: Fraction) -> Iterator[TimedFrame]:
        """From the frame shown at `start` seconds to the end."""
        first = max(0, int(start * self.rate) - 1)
        for number, file in enumerate(self._files[first:], first):
            yield TimedFrame(number / self.rate, 1 / self.rate, lambda file=file: self._read(file))  # type: ignore[misc]

    def _read(self, file: Path) -> RGB:
        rgb = read_image(file).rgb
        if rgb.shape[1::-1] != self._source:
            found, first = "{1}x{0}".format(*rgb.shape), "{}x{}".format(*self._source)
            raise PortrayalError(f"{shown(file)}: is {found}, but the first of its sequence is {first}")
        return resized(rgb, self.shape)


class Animation:
    """An animated picture that FFmpeg cannot decode (WebP) as timed frames."""

    has_audio = False

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        with path.open("rb") as file:
            image = _opened(file, path)
            self.shape = fitted(*image.size, size)
            lengths = [length for length, _ in _stepped(image, path)]
        times = [sum(lengths[:i], Fraction(0)) for i in range(len(lengths))]
        self.duration = times[-1] + lengths[-1]
        average = len(lengths) / self.duration
        self.rate = even_rate(times, lengths[0], _MILLISECOND) or stream_rate(average, None, None)

    def frames(self, start: Fraction) -> Iterator[TimedFrame]:
        """From the first to the last; an animation cannot be entered in the middle."""
        time = Fraction(0)
        with self.path.open("rb") as file:
            for length, image in _stepped(_opened(file, self.path), self.path):
                rgb = resized(picture_of(image).rgb, self.shape)
                yield TimedFrame(time, length, lambda rgb=rgb: rgb)  # type: ignore[misc]
                time += length


def is_animation(path: Path) -> bool:
    """Whether the file is an animated WebP."""
    with path.open("rb") as file:
        image = open_header(file)
        return image is not None and image.format == "WEBP" and getattr(image, "n_frames", 1) > 1


def fitted(width: int, height: int, size: int | None) -> tuple[int, int]:
    """(width, height) with `size` as the longest side."""
    scale = Fraction(size, max(width, height)) if size else Fraction(1)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resized(rgb: RGB, shape: tuple[int, int]) -> RGB:
    """The picture in another (width, height)."""
    if rgb.shape[1::-1] == shape:
        return rgb
    smaller = shape[0] < rgb.shape[1]
    scaled = cv2.resize(rgb, shape, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.asarray(scaled, np.uint8)


def _opened(file: object, path: Path) -> Image.Image:
    image = open_header(file)  # type: ignore[arg-type]
    if image is None:
        raise PortrayalError(f"{shown(path)}: not a picture that can be read")
    return image


def _stepped(image: Image.Image, path: Path) -> Iterator[tuple[Fraction, Image.Image]]:
    """(seconds shown, picture) for every frame; ends where the file is damaged."""
    for number in range(getattr(image, "n_frames", 1)):
        try:
            image.seek(number)
            image.load()
        except (OSError, EOFError, ValueError) as error:
            if number == 0:
                raise PortrayalError(f"{shown(path)}: the animation is cut short or damaged") from error
            return
        yield (image.info.get("duration") or _UNTIMED) * _MILLISECOND, image

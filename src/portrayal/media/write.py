"""Videos out: frames and sound into the file or folder that the target's name asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from portrayal.errors import PortrayalError, UsageError
from portrayal.media import atomic
from portrayal.media.audio import Audio
from portrayal.media.encode import MP4, WEBM, encode
from portrayal.media.files import is_folder, shown
from portrayal.media.gif import encode_gif
from portrayal.media.image import WRITTEN
from portrayal.media.pictures import is_pattern
from portrayal.media.rates import RGB
from portrayal.media.sequence import check_sequence, write_sequence

#: Quality by name; 100 is the best.
QUALITY = {"low": 25, "medium": 60, "high": 90}
_CODECS = {".mp4": MP4, ".webm": WEBM}
Progress = Callable[[int], object]


def check_target(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Whether a video can be written at `path`, before any work is done.

    Raises UsageError where its suffix is none that is written, PortrayalError where it exists and `overwrite`
    is False, its folder is missing or not writable, or it is a folder.
    """
    if _is_sequence(path):
        check_sequence(path, overwrite)
    elif Path(path).suffix.lower() not in (*_CODECS, ".gif"):
        raise UsageError(f"{shown(path)}: videos are written as .mp4, .webm, .gif or a folder of pictures")
    else:
        atomic.check_target(path, overwrite)


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[RGB],
    fps: Fraction,
    *,
    audio: Audio | None = None,
    quality: int | str = "high",
    overwrite: bool = False,
    progress: Progress | None = None,
    threads: int = 2,
) -> None:
    """Write frames (uint8 RGB, all of one size) at `fps`, and sound, to `path`; whole or not at all.

    path: .mp4 (H.264, AAC), .webm (VP9, Opus), .gif, a folder, or a pattern such as out/%05d.png.
    quality: 0 to 100, or low, medium, high. progress: called with the number of frames taken so far.
    threads: how many the encoder may use. Sound is cut where the frames end; GIF and pictures have none.
    Raises PortrayalError where the target cannot be written (before a frame is taken) or the disk is full.
    """
    if fps <= 0:
        raise UsageError(f"frames per second must be above 0, not {fps}")
    crf = _crf(quality)
    check_target(path, overwrite)
    taken = _counted(frames, progress)
    if _is_sequence(path):
        write_sequence(path, taken, overwrite)
        return
    with atomic.new_file(path, overwrite) as temporary:
        if Path(path).suffix.lower() == ".gif":
            count = encode_gif(temporary, taken, Fraction(fps))
        else:
            codecs = _CODECS[Path(path).suffix.lower()]
            count = encode(temporary, taken, Fraction(fps), codecs, audio=audio, crf=crf, threads=threads)
        if not count:
            raise PortrayalError(f"{shown(path)}: there are no frames to write")


def _crf(quality: int | str) -> int:
    """x264's constant rate factor: 17 for "high", which is hard to tell from the frames."""
    number = QUALITY.get(quality) if isinstance(quality, str) else quality
    if number is None or not 0 <= number <= 100:
        raise UsageError(f"quality is 0 to 100, low, medium or high, not {quality}")
    return round(35 - number / 5)


def _is_sequence(path: str | os.PathLike[str]) -> bool:
    """Whether `path` means pictures: a pattern, or a folder (a name without a suffix, or one that exists)."""
    place = Path(path)
    if is_pattern(place) and place.suffix.lower() in WRITTEN:
        return True
    return place.suffix == "" or (is_folder(place) and place.suffix.lower() not in (*_CODECS, ".gif"))


def _counted(frames: Iterable[RGB], progress: Progress | None) -> Iterator[RGB]:
    for number, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(number)

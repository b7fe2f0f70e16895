"""A folder of clips: videos, and folders of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader

Rgb = NDArray[np.uint8]
_VIDEOS = {".mp4", ".mov", ".gif", ".mkv", ".webm", ".avi"}
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def find_clips(folder: Path, split: str) -> list[Path]:
    """The clips of a folder by name; those of its folder `split` where it has one.

    PortrayalError where there are none.
    """
    if not folder.is_dir():
        raise PortrayalError(f"{shown(folder)}: is no folder of clips")
    place = folder / split if (folder / split).is_dir() else folder
    clips = [
        p for p in sorted(place.iterdir()) if p.suffix.lower() in _VIDEOS or (p.is_dir() and pictures(p))
    ]
    if not clips:
        raise PortrayalError(f"{shown(place)}: has no videos and no folders of pictures")
    return clips


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)


def frames_of(clip: Path) -> Iterator[Rgb]:
    """Every frame of a clip."""
    if clip.is_dir():
        return (read_image(path).rgb for path in pictures(clip))
    return iter(VideoReader(clip))

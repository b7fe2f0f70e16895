"""What kind of thing a file is, by its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from portrayal.errors import PortrayalError
from portrayal.media.container import is_still, open_container, picture_stream, sound_stream
from portrayal.media.files import check_source, is_folder, shown
from portrayal.media.image import is_heic, open_header, unsupported
from portrayal.media.pictures import in_folder, is_pattern, numbered

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


def sniff(path: str | os.PathLike[str]) -> Literal["image", "video", "audio"]:
    """Whether a file is a still picture, moving pictures, or sound; its name does not matter.

    An animation is "video" if it has more than one frame; sound with cover art is "audio"; a folder of
    pictures, or a pattern, is "video". Raises PortrayalError where it is none of them.
    """
    place = Path(path)
    if is_folder(place) or is_pattern(place):
        if not (in_folder(place) if is_folder(place) else numbered(place)):
            raise PortrayalError(f"{shown(path)}: no pictures found")
        return "video"
    with check_source(path).open("rb") as file:
        image = open_header(file)
        if image is not None:
            moves = image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1
            return "video" if moves else "image"
        if is_heic(file):
            raise PortrayalError(f"{shown(path)}: {unsupported(file)}")
    with open_container(path) as container:
        if is_still(container):  # by its name only, or of a kind that read_image does not know
            raise PortrayalError(f"{shown(path)}: not a video, sound or picture that can be read")
        if picture_stream(container) is not None:
            return "video"
        if sound_stream(container) is not None:
            return "audio"
    raise PortrayalError(f"{shown(path)}: holds neither pictures nor sound")

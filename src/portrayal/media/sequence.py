"""Folders of pictures out: written beside the target, moved into place when all are there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portrayal.errors import PortrayalError
from portrayal.media.atomic import already, check_folder, disk_errors, finish, new_folder
from portrayal.media.files import reason, shown
from portrayal.media.image import save_image
from portrayal.media.pictures import is_pattern, numbered
from portrayal.media.rates import RGB

_PATTERN = "%05d.png"


def check_sequence(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Whether pictures can be written to the folder or pattern `path`; returns the pattern.

    A folder that exists may hold other things, but no pictures of the pattern unless `overwrite`; the folder
    above it must exist. Raises PortrayalError.
    """
    name = shown(path)
    try:
        place = Path(path)
        pattern = place if is_pattern(place) else place / _PATTERN
        pattern = pattern.parent.resolve() / pattern.name
        folder = pattern.parent
        if folder.exists():
            check_folder(folder, name)
        check_folder(folder.parent, name)
        if numbered(pattern) and not overwrite:
            raise PortrayalError(already(path))
    except (OSError, ValueError) as error:
        raise PortrayalError(f"{name}: {reason(error)}") from error
    return pattern


def write_sequence(path: str | os.PathLike[str], frames: Iterable[RGB], overwrite: bool = False) -> None:
    """Write frames as pictures numbered from 0 into a folder (00000.png ...) or by a pattern.

    A new folder appears whole or not at all. Into one that exists the pictures are moved one by one when all
    are made; then those left of an older sequence are removed. Raises PortrayalError as
    :func:`check_sequence`, and where the disk is full.
    """
    pattern = check_sequence(path, overwrite)
    folder = pattern.parent
    options: dict[str, Any] = {"compress_level": 3} if pattern.suffix.lower() == ".png" else {}
    with disk_errors(path), new_folder(folder) as temporary:
        made: list[Path] = []
        for number, rgb in enumerate(frames):
            made.append(temporary / (pattern.name % number))
            save_image(made[-1], rgb, **options)
        if not made:
            raise PortrayalError(f"{shown(path)}: there are no frames to write")
        try:
            if not folder.exists():
                temporary.rename(folder)
                return
            check_sequence(path, overwrite)
            stale = set(numbered(pattern)) - {folder / file.name for file in made}
            for file in made:
                finish(file, folder / file.name, overwrite=overwrite)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            raise PortrayalError(already(path)) from error
        for file in stale:
            file.unlink(missing_ok=True)

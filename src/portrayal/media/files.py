"""Names of files: how they are shown in a message, and what is wrong with one that is to be read."""

from __future__ import annotations

import os
from pathlib import Path

from portrayal.errors import PortrayalError


def shown(path: str | os.PathLike[str]) -> str:
    """The name on one line: line breaks and other unprintable characters escaped."""
    name = os.fspath(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def check_source(path: str | os.PathLike[str]) -> Path:
    """`path` as a readable, non-empty, regular file, or PortrayalError saying which of these it is not."""
    name, source = shown(path), Path(path)
    try:
        if source.is_dir():
            raise PortrayalError(f"{name}: is a folder, not a file")
        if "\0" in os.fspath(path) or not source.exists():
            raise PortrayalError(f"{name}: no such file")
        if not source.is_file():
            raise PortrayalError(f"{name}: not a regular file")
        with source.open("rb") as file:
            if not file.read(1):
                raise PortrayalError(f"{name}: the file is empty")
    except (OSError, ValueError) as error:
        raise PortrayalError(f"{name}: {reason(error)}") from error
    return source


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a folder; False for names that cannot be (too long, with a null character)."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a regular file; False for names that cannot be."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def reason(error: OSError | ValueError) -> str:
    """What the system said, without the name: "permission denied"."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]

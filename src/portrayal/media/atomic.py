"""Files come to be whole or not at all: a temporary name beside the target, renamed when complete."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portrayal.errors import PortrayalError
from portrayal.media.files import reason, shown

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def check_target(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Whether a file can be written at `path`, before any work is done.

    Returns the file itself where `path` is a symbolic link. Raises PortrayalError where the folder is
    missing or not writable, where `path` is a folder or no regular file, and where it exists and `overwrite`
    is False.
    """
    name = shown(path)
    try:
        target = Path(path).resolve()
        if target.is_dir():
            raise PortrayalError(f"{name}: is a folder; name a file to write")
        if target.exists() and not target.is_file():
            raise PortrayalError(f"{name}: not a regular file")
        if target.exists() and not overwrite:
            raise PortrayalError(already(path))
        check_folder(target.parent, name)
    except (OSError, ValueError, RuntimeError) as error:
        detail = "too many symbolic links" if isinstance(error, RuntimeError) else reason(error)
        raise PortrayalError(f"{name}: {detail}") from error
    return target


def check_folder(folder: Path, name: str) -> None:
    """PortrayalError naming `name` unless something can be written in `folder`."""
    if not folder.exists():
        raise PortrayalError(f"{name}: the folder {shown(folder)} does not exist")
    if not folder.is_dir():
        raise PortrayalError(f"{name}: {shown(folder)} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PortrayalError(f"{name}: the folder {shown(folder)} is not writable")


def already(path: str | os.PathLike[str]) -> str:
    """The message for a target that exists."""
    return f"{shown(path)}: already exists; use --overwrite to replace it"


@contextmanager
def new_file(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives an empty file beside `path` to write into, which becomes `path` when the block ends.

    Whatever is raised in the block (Ctrl-C too) removes the temporary file and leaves the target as it was.
    Raises PortrayalError as :func:`check_target` does, and where the disk is full.
    """
    target = check_target(path, overwrite)
    with disk_errors(path):
        temporary = temporary_name(target)
        _create(temporary, path)
        try:
            yield temporary
            finish(temporary, target, overwrite=overwrite)
        except FileExistsError as error:
            if error.filename2 != os.fspath(target):
                raise
            raise PortrayalError(already(path)) from error
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Gives an empty folder beside `target` to write into; it is gone when the block ends, moved or not."""
    temporary = temporary_name(target)
    _create(temporary, target, folder=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """The last step of every file written: it is complete and closed, and gets its name here.

    Signing (a C2PA manifest) belongs at the top of this function: the bytes will not change afterwards.
    Raises FileExistsError where the target has come to be in the meantime and `overwrite` is False.
    """
    sync(temporary)
    if overwrite:
        temporary.replace(target)
    else:
        _rename_to_new(temporary, target)
    sync(target.parent)


def _rename_to_new(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():  # the file system has no hard links: the best that is left
            raise FileExistsError(
                errno.EEXIST, "File exists", os.fspath(temporary), None, os.fspath(target)
            ) from error
        temporary.rename(target)
    else:
        temporary.unlink()


def _create(temporary: Path, path: str | os.PathLike[str], *, folder: bool = False) -> None:
    try:
        if folder:
            temporary.mkdir()
        else:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise PortrayalError(f"{shown(path)}: {reason(error)}") from error


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk (folders: where the system allows it)."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def temporary_name(target: Path) -> Path:
    """A name in the same folder that nobody else uses: `.name.1a2b3c4d.part.mp4`."""
    stem = target.stem
    while len(os.fsencode(stem)) > 200:  # a name may have 255 bytes
        stem = stem[:-1]
    return target.parent / f".{stem}.{secrets.token_hex(4)}.part{target.suffix[:20]}"


@contextmanager
def disk_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """A full disk as a PortrayalError naming `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise PortrayalError(f"{shown(path)}: no space left on device") from error
        raise

"""Files of strangers: named by the server, looked at by a process of its own before anything decodes them."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Self

from portrayal.app.bounds import environment, module_command
from portrayal.app.errors import NoRoom, NotHere
from portrayal.app.limits import Limits
from portrayal.app.owner import digest
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.weights import megabytes

#: Suffixes that say what a file is, where its content does not; other names are left to their users.
_TELLING = {".npz", ".csv", ".pkl", ".yaml", ".yml", ".json"}
#: Bytes, seconds of processor and of wall clock for one look, and how many at a time.
LOOK_MEMORY, LOOK_CPU, _LOOK_SECONDS = 3 << 30, 20, 30
_CARD = "upload.json"
_looks = threading.BoundedSemaphore(4)


@dataclass(frozen=True)
class Look:
    """What a file says it is. kind: image, video, audio, motion, template or script; pixels: of a frame."""

    kind: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent. name: what they call it; path: what we do."""

    id: str
    name: str
    size: int
    look: Look
    path: Path


class Uploads:
    """Files sent for jobs to come, a folder for each; removed after a day.

    root: made where it is missing. Files of an owner lie in a folder of theirs and are given to nobody else.
    """

    def __init__(self, root: Path, limits: Limits = Limits()) -> None:  # noqa: B008
        self._root, self._limits = root.resolve(), limits
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def coming(self, owner: str, name: str) -> Iterator[Incoming]:
        """Gives a file to write what comes, which the end of the block leaves where it was finished.

        NoRoom where this owner has too many.
        """
        mine = self._root / digest(owner)
        if mine.is_dir() and len(list(mine.iterdir())) >= self._limits.kept:
            raise NoRoom("you have too many uploads here; remove some")
        folder = mine / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        try:
            with Incoming(folder, name, self._limits) as incoming:
                yield incoming
        finally:
            if not (folder / _CARD).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def get(self, owner: str, id: str) -> Upload:
        """One of this owner's; NotHere else."""
        folder = self._root / digest(owner) / id
        if re.fullmatch("[0-9a-f]{32}", id) is None or not (folder / _CARD).is_file():
            raise NotHere("there is no such upload (they are removed after a day)")
        return _kept(folder)

    def remove(self, owner: str, id: str) -> None:
        """Delete one of this owner's."""
        shutil.rmtree(self.get(owner, id).path.parent, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what is older than the limits say."""
        for folder in self._root.glob("*/*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > self._limits.keep:
                    shutil.rmtree(folder, ignore_errors=True)
                    folder.parent.rmdir()


class Incoming:
    """A file on its way. folder: its own. name: what its user calls it."""

    def __init__(self, folder: Path, name: str, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._name = PurePath(name.replace("\\", "/")).name[:200] or "file"
        self._path = folder / f"file{telling_suffix(self._name)}"
        self._size = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("xb")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, block: bytes) -> None:
        """The next of it. PortrayalError where it is too large, NoRoom where the disk is full."""
        self._size += len(block)
        if self._size > self._limits.upload:
            raise PortrayalError(f"{shown(self._name)}: is larger than {megabytes(self._limits.upload)}")
        if shutil.disk_usage(self._folder).free < self._limits.spare + len(block):
            raise NoRoom("the server's disk is full; try again later")
        self._file.write(block)

    def finish(self) -> Upload:
        """That was all. PortrayalError where it is no media, too long or has too many pixels."""
        self._file.close()
        seen = look(self._folder, Path(self._path.name), shown(self._name))
        check(seen, shown(self._name), self._limits)
        card = {"name": self._name, "file": self._path.name, "size": self._size, "look": vars(seen)}
        (self._folder / _CARD).write_text(json.dumps(card))
        return _kept(self._folder)


def _kept(folder: Path) -> Upload:
    card = json.loads((folder / _CARD).read_text())
    return Upload(folder.name, card["name"], card["size"], Look(**card["look"]), folder / card["file"])


def bring(path: Path, folder: Path, place: str, name: str, limits: Limits) -> Path:
    """Copy a file into `folder` as `place` and look at it; the path of the copy, relative to the folder.

    name: what the user calls it, for messages. PortrayalError where it is too large, too long or no media.
    """
    if not path.is_file():
        raise PortrayalError(f"{name}: no such file")
    size = path.stat().st_size
    if size > limits.upload:
        raise PortrayalError(f"{name}: has {megabytes(size)}; the most are {megabytes(limits.upload)}")
    copy = Path(place + telling_suffix(name if "." in name else path.name))
    shutil.copyfile(path, folder / copy)
    check(look(folder, copy, name), name, limits)
    return copy


def telling_suffix(name: str) -> str:
    """The suffix where it says what a file is and its content does not; else nothing."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix in _TELLING else ""


def look(folder: Path, file: Path, name: str) -> Look:
    """What `file` in `folder` is, read by a process whose time and memory are bounded.

    name: what the user calls it. PortrayalError where it is nothing that can be read.
    """
    command = module_command("portrayal.app.look", str(file))
    with _looks:
        try:
            ran = subprocess.run(
                command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=_LOOK_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise PortrayalError(f"{name}: takes too long to read") from error
    try:
        said: dict[str, Any] = json.loads(ran.stdout)
    except ValueError as error:
        raise PortrayalError(f"{name}: cannot be read; reading it crashed the reader") from error
    if "error" in said:
        raise PortrayalError(str(said["error"]).replace(str(file), name))
    return Look(**said)


def check(seen: Look, name: str, limits: Limits) -> None:
    """PortrayalError where a file is larger or longer than the limits allow."""
    if seen.width and seen.height and seen.width * seen.height > limits.pixels:
        most = limits.pixels / 1e6
        raise PortrayalError(
            f"{name}: has {seen.width}x{seen.height} pixels; the most are {most:.4g} million"
        )
    if seen.seconds is not None and seen.seconds > limits.length + 0.5:
        raise PortrayalError(f"{name}: is {seen.seconds:.0f} s long; the most are {limits.length:.0f} s")
    if seen.frames is not None and seen.frames > limits.frames:
        raise PortrayalError(f"{name}: has {seen.frames} frames; the most are {limits.frames}")

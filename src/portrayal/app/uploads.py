"""Files of strangers: named by the server, looked at by a process of its own before anything decodes them."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

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

    def add(self, owner: str, name: str, blocks: Iterable[bytes]) -> Upload:
        """Keep a file; PortrayalError where it is too large or no media, NoRoom where there are too many."""
        mine = self._root / digest(owner)
        if mine.is_dir() and len(list(mine.iterdir())) >= self._limits.kept:
            raise NoRoom("you have too many uploads here; remove some")
        folder = mine / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        name = PurePath(name.replace("\\", "/")).name[:200] or "file"
        try:
            file = Path(f"file{telling_suffix(name)}")
            size = self._receive(folder / file, shown(name), blocks)
            seen = look(folder, file, shown(name))
            check(seen, shown(name), self._limits)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        card = {"name": name, "file": str(file), "size": size, "look": vars(seen)}
        (folder / "upload.json").write_text(json.dumps(card))
        return self.get(owner, folder.name)

    def get(self, owner: str, id: str) -> Upload:
        """One of this owner's; NotHere else."""
        folder = self._root / digest(owner) / id
        if re.fullmatch("[0-9a-f]{32}", id) is None or not (folder / "upload.json").is_file():
            raise NotHere("there is no such upload (they are removed after a day)")
        card = json.loads((folder / "upload.json").read_text())
        return Upload(id, card["name"], card["size"], Look(**card["look"]), folder / card["file"])

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

    def _receive(self, path: Path, name: str, blocks: Iterable[bytes]) -> int:
        size = 0
        with path.open("xb") as file:
            for block in blocks:
                size += len(block)
                if size > self._limits.upload:
                    raise PortrayalError(f"{name}: is larger than {megabytes(self._limits.upload)}")
                if shutil.disk_usage(path.parent).free < self._limits.spare + len(block):
                    raise NoRoom("the server's disk is full; try again later")
                file.write(block)
        return size


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

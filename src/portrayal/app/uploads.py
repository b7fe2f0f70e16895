"""Files of strangers: named by the server, looked at by a process of its own before anything decodes them."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portrayal.app.bounds import environment, module_command
from portrayal.app.limits import Limits
from portrayal.errors import PortrayalError
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

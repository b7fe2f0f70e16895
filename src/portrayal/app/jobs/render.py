"""What a job does: the request rendered into the folder out/, or weights fetched."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.app.jobs.check import Files, parts_of
from portrayal.app.jobs.task import Task
from portrayal.app.limits import Limits
from portrayal.errors import PortrayalError
from portrayal.requests import AnimateRequest, EditRequest, apart, request_of

if TYPE_CHECKING:
    from portrayal.app.jobs.process import Progress
    from portrayal.clip import Clip
    from portrayal.driving import Driving

Rgb = NDArray[np.uint8]
_OUT = Path("out")


def render(task: Task, limits: Limits, progress: Progress) -> dict[str, str]:
    """Do a task to animate or edit; the files made, by name."""
    from portrayal.media.image import write_image
    from portrayal.sheet import ContactSheet

    wanted: Files = request_of(Files, parts_of(task).files)
    clip, driving = _clip(task)
    moving = task.kind == "animate" or driving.count != 1
    _check(clip, limits)
    progress.step(0, clip.count)
    sheet = ContactSheet(clip.fps, count=clip.count)
    watched = replace(clip, frames=lambda: _watched(clip, limits, progress))
    path = _OUT / (f"result.{wanted.format}" if moving else "result.png")
    quality = parts_of(task).request.get("quality", "high")
    watched.tap(sheet.add).save(path, quality=quality)
    results = {"video" if moving else "picture": path}
    if wanted.sheet:
        results["sheet"] = _OUT / "sheet.jpg"
        write_image(results["sheet"], sheet.picture())
    if wanted.compare:
        results["compare"] = _OUT / f"compare.{wanted.format if moving else 'png'}"
        _again(clip, path, moving).compare(driving).save(results["compare"], quality=quality)
    return {name: str(file) for name, file in results.items()}


def download(task: Task, progress: Progress) -> dict[str, str]:
    """Fetch the weights of an engine; one job at a time does."""
    from portrayal.download import fetch
    from portrayal.engines import engine_info
    from portrayal.weights import folder, missing, parts

    names = parts(str(engine_info(task.engine).weights))
    total = sum(sum(missing(name).values()) for name in names)
    here: dict[tuple[str, str], int] = {}
    for name in names:
        place = folder(name)
        place.mkdir(parents=True, exist_ok=True)

        def step(file: str, done: int, _: int, part: str = name) -> None:
            here[part, file] = done
            progress.step(sum(here.values()) // 10**6, total // 10**6, file.rpartition("/")[2])

        with (place / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fetch(name, step)
    return {}


def _clip(task: Task) -> tuple[Clip, Driving]:
    """The clip of a task, and what drives it."""
    from portrayal.engines import load_engine

    parts = parts_of(task)
    actor = load_engine(task.engine)
    options = parts.engine | {
        role: str(path) for role, path in task.files.items() if role not in ("portrait", "driving", "script")
    }
    if task.kind == "animate":
        act: AnimateRequest = request_of(AnimateRequest, parts.request | {"text": task.text})
        return act.clip(task.files["portrait"], task.files.get("driving"), actor, actor.options(**options))
    values, chosen = apart(actor, parts.sliders, options)
    edit: EditRequest = request_of(EditRequest, parts.request | {"values": values})
    return edit.clip(task.files["portrait"], task.files.get("script"), actor, chosen)


def _check(clip: Clip, limits: Limits) -> None:
    width, height = clip.size
    if width * height > limits.pixels:
        raise PortrayalError(f"this makes frames of {width}x{height} pixels; choose a smaller size")
    if clip.count is not None and clip.count > limits.frames:
        raise PortrayalError(f"this makes {clip.count} frames; the most are {limits.frames}")


def _watched(clip: Clip, limits: Limits, progress: Progress) -> Iterator[Rgb]:
    """The frames, told and shown as they are made; PortrayalError where there are too many."""
    for number, rgb in enumerate(clip, 1):
        if number > limits.frames:
            raise PortrayalError(f"this makes more than {limits.frames} frames, which is the most")
        progress.show(rgb)
        progress.step(number, clip.count)
        yield rgb


def _again(clip: Clip, path: Path, moving: bool) -> Clip:
    """A clip that was written, read back: not rendered again."""
    if moving:
        from portrayal.media.video import VideoReader

        return replace(clip, frames=lambda: iter(VideoReader(path)))
    from portrayal.media.image import read_image

    return replace(clip, frames=lambda: iter([read_image(path).rgb]))

"""The contract of every engine: portrait and driving in, a lazy clip out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from portrayal.clip import Clip
from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions
from portrayal.errors import PortrayalError, UsageError
from portrayal.motion import Motion, MotionSource

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]


class Recorded(Protocol):
    """A driving that was measured: a :class:`Motion`, or what an engine has in its place."""

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write it; whole or not at all."""


class Engine(ABC):
    """Turns a portrait and a driving into frames.

    A subclass states its :class:`EngineInfo`, its options, and :meth:`render`.
    """

    info: ClassVar[EngineInfo]
    Options: ClassVar[type[EngineOptions]] = EngineOptions

    def animate(
        self, portrait: Portrait, driving: Driving, options: EngineOptions | None = None, **overrides: Any
    ) -> Clip:
        """The portrait acting out the driving; nothing is rendered before the clip is read.

        overrides: single options by name, in place of those in `options`. Raises UsageError for a bad option,
        PortrayalError where portrait and driving are the same file or the driving lacks the view this engine
        reads.
        """
        chosen = self.options(options, **overrides)
        self._check(portrait, driving)
        if not portrait.faces and self.needs_face(chosen):
            raise PortrayalError(
                f"{portrait.name}: engine {self.info.name} needs a face, and none was looked for"
            )
        return Clip(
            lambda: self.render(portrait, driving, chosen),
            driving.fps,
            size=self.frame_size(portrait, chosen),
            audio=driving.audio,
            count=driving.count,
            name=portrait.name,
            still=portrait.rgb,
        )

    @abstractmethod
    def render(self, portrait: Portrait, driving: Driving, options: Any) -> Iterator[Rgb]:
        """Frames (H, W, 3) uint8, one for every frame of the driving, as soon as each exists.

        options: an instance of :attr:`Options`.
        """

    def track(
        self,
        driving: Driving,
        options: EngineOptions | None = None,
        progress: Callable[[int], object] | None = None,
        **overrides: Any,
    ) -> Recorded:
        """The driving as this engine plays it, to be saved and to drive it again.

        progress: called with the frames done.
        """
        chosen = self.options(options, **overrides)
        frames = []
        for frame in self.motion(driving, chosen):
            frames.append(frame)
            if progress is not None:
                progress(len(frames))
        return Motion.from_frames(driving.fps, frames)

    def motion(self, driving: Driving, options: Any) -> MotionSource:
        """The driving's motion, as far as this engine plays it with these options."""
        return driving.smoothed(options.smooth)

    def needs_face(self, options: Any) -> bool:
        """Whether a portrait must show a face that the detector finds."""
        return True

    def frame_size(self, portrait: Portrait, options: Any) -> tuple[int, int]:
        """(width, height) of the frames: the portrait's own unless an engine says otherwise."""
        return portrait.size

    def options(self, options: EngineOptions | None = None, **overrides: Any) -> EngineOptions:
        """An instance of :attr:`Options`; UsageError in one line where a value is not allowed."""
        given = {} if options is None else options.model_dump(exclude_unset=True)
        try:
            return self.Options(**{**given, **overrides})
        except ValidationError as error:
            raise UsageError(f"{self.info.name}: {one_line(error)}") from error

    def _check(self, portrait: Portrait, driving: Driving) -> None:
        seen = driving.kind in ("video", "image")  # a portrait's own voice may well drive it
        if seen and portrait.path and driving.path and _same_file(portrait.path, driving.path):
            raise PortrayalError(f"{driving.name}: is the portrait itself; name another file to drive it")
        if self.info.reads == "audio" and driving.audio is None:
            raise PortrayalError(f"{driving.name}: has no sound, which engine {self.info.name} is driven by")


def one_line(error: ValidationError) -> str:
    """What pydantic found wrong, as `--option: message; --option: message`."""
    said: dict[str, list[str]] = {}
    for item in error.errors():
        option = "--" + str(item["loc"][0]).replace("_", "-") if item["loc"] else "options"
        message = (
            "no such option"
            if item["type"] == "extra_forbidden"
            else item["msg"].removeprefix("Value error, ")
        )
        said.setdefault(option, []).append(message.replace("Input should be", "should be"))
    return "; ".join(f"{option}: {', or '.join(messages)}" for option, messages in said.items())


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False

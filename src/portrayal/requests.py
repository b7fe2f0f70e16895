"""What one can ask for beside an engine's options: which part, which face, how large, what to write.

One typed model for each verb, from which the interfaces are made. Values may be as people type them (a time
is 75.5 or "1:15.5"); making a model checks them.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from portrayal.errors import UsageError

if TYPE_CHECKING:
    from portrayal.clip import Clip
    from portrayal.driving import Driving
    from portrayal.engines.engine import Engine
    from portrayal.engines.options import EngineOptions
    from portrayal.motion import Motion
    from portrayal.portrait import Portrait

#: Rates that are written 29.97 but mean 30000/1001.
_NTSC = {f"{n * 1000 / 1001:.{digits}f}": Fraction(n * 1000, 1001) for n in (24, 30, 60) for digits in (2, 3)}
_FASTEST = 1000
#: Seconds in which a still moves to where the sliders are when a video of it is asked for, and its length.
_EASE, _LENGTH = 0.6, 2.0


def rate(value: object) -> Fraction:
    """Frames per second: 25, 29.97 (which means 30000/1001), 23.976 or 30000/1001."""
    text = str(value)
    try:
        fps = _NTSC[text] if text in _NTSC else Fraction(text)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if not 0 < fps <= _FASTEST:
        raise UsageError(f"--fps: {text!r} is no frame rate; use for example 25, 29.97 or 30000/1001")
    return fps.limit_denominator(10**6)


def seconds(value: object) -> float:
    """A time: 12.5, 1:02.5 (minutes) or 1:00:00 (hours)."""
    parts = str(value).split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = [math.nan]
    if len(parts) > 3 or not all(0 <= value < math.inf for value in values):
        raise UsageError(f"{str(value)!r} is no time; use for example 12.5 (seconds) or 1:02.5")
    return sum(value * 60**place for place, value in enumerate(reversed(values)))


def one_face(value: object) -> Literal["largest", "left", "right"] | int:
    """largest, left, right, or a number counted from the left, 0 first."""
    text = str(value)
    if text in ("largest", "left", "right"):
        return text  # type: ignore[return-value]
    if text.isascii() and text.isdigit():
        return int(text)
    raise UsageError(
        f"{text!r} is no face; use largest, left, right or a number counted from the left (0 first)"
    )


def faces(value: object) -> Literal["largest", "left", "right", "all"] | int:
    """What :func:`one_face` takes, or all."""
    return "all" if value == "all" else one_face(value)


def quality(value: object) -> int | str:
    """low, medium, high, or 0 to 100."""
    text = str(value)
    if text in ("low", "medium", "high"):
        return text
    if text.isascii() and text.isdigit() and int(text) <= 100:
        return int(text)
    raise UsageError(f"--quality: {text!r} is not low, medium, high or a number from 0 to 100")


def _typed(parse: Any, *examples: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """A type that is parsed, and how a schema shows it."""
    return BeforeValidator(parse), WithJsonSchema({"type": ["string", "number"], "examples": list(examples)})


Time = Annotated[float, *_typed(seconds, "12.5", "1:02.5")]
Rate = Annotated[Fraction, *_typed(rate, "25", "29.97", "30000/1001")]
OneFace = Annotated[int | str, *_typed(one_face, "largest", "left", "right", "0")]
Faces = Annotated[int | str, *_typed(faces, "largest", "left", "right", "all", "0")]
Quality = Annotated[int | str, *_typed(quality, "low", "medium", "high", "75")]

_DRIVING: dict[str, Any] = {"group": "Driving"}
_PORTRAIT: dict[str, Any] = {"group": "Portrait"}
_RESULT: dict[str, Any] = {"group": "Result"}


class Request(BaseModel):
    """What every verb takes. A field's group says with what people would look for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    start: Time | None = Field(
        default=None, description="Begin here: 12.5 or 1:02.5", json_schema_extra=_DRIVING
    )
    end: Time | None = Field(default=None, description="Stop here", json_schema_extra=_DRIVING)
    fps: Rate | None = Field(
        default=None,
        description="Frames per second: 25, 29.97, 30000/1001. Its own unless given",
        json_schema_extra=_DRIVING,
    )
    face: Faces = Field(
        default="largest",
        description="Which face moves: largest, left, right, all, or N from the left (0 first)",
        json_schema_extra=_PORTRAIT,
    )
    size: int | None = Field(
        default=None,
        ge=16,
        description="Longest side. The portrait's own unless given",
        json_schema_extra=_PORTRAIT,
    )
    max_pixels: int | None = Field(
        default=None, ge=1, description="Largest portrait to accept, in pixels", json_schema_extra=_PORTRAIT
    )
    crop: bool = Field(
        default=False, description="A square around the face, or the whole picture", json_schema_extra=_RESULT
    )
    quality: Quality = Field(
        default="high", description="low, medium, high, or 0 to 100", json_schema_extra=_RESULT
    )

    def portrait(
        self, path: str | os.PathLike[str], actor: Engine, options: EngineOptions, **part: Any
    ) -> Portrait:
        """The portrait as this request wants it. part: start and end of a portrait that is a video."""
        from portrayal.portrait import Portrait

        face = self.face if actor.needs_face(options) else "none"
        others = part if self.max_pixels is None else part | {"max_pixels": self.max_pixels}
        return Portrait.open(path, face=face, size=self.size, **others)  # type: ignore[arg-type]

    def act(self, actor: Engine, person: Portrait, driving: Driving, options: EngineOptions) -> Clip:
        """The clip, cropped where that is asked for and the engine has not done it."""
        clip = actor.animate(person, driving, options)
        return clip.crop(person.crop_box()) if self.crop and clip.size == person.size else clip


class AnimateRequest(Request):
    """`animate`: a portrait acts out a driving, which is a file or a text."""

    text: str | None = Field(
        default=None, description="What to say, in place of a driving", json_schema_extra=_DRIVING
    )
    voice: str | None = Field(
        default=None,
        description="Voice that speaks the text: en-us, en-gb, de, fr ...",
        json_schema_extra=_DRIVING,
    )
    transcript: str | None = Field(
        default=None, description="What the voice says, for exact lips", json_schema_extra=_DRIVING
    )
    driving_face: OneFace = Field(
        default="largest",
        description="Which face drives: largest, left, right, or N from the left",
        json_schema_extra=_DRIVING,
    )

    def clip(
        self,
        portrait: str | os.PathLike[str],
        driving: str | os.PathLike[str] | None,
        actor: Engine,
        options: EngineOptions,
    ) -> tuple[Clip, Driving]:
        """The clip, not rendered yet, and what drives it."""
        source = self._spoken(options.seed) if driving is None else self.driving(driving, options.seed)
        return self.act(actor, self.portrait(portrait, actor, options), source, options), source

    def _spoken(self, seed: int) -> Driving:
        from portrayal.driving import Driving

        for name in ("start", "end", "transcript"):
            if getattr(self, name) is not None:
                raise UsageError(f"--{name}: goes with a file, not with --text")
        voice = {} if self.voice is None else {"voice": self.voice}
        return Driving.from_text(self.text or "", fps=self.fps, seed=seed, **voice)

    def driving(self, path: str | os.PathLike[str], seed: int = 0) -> Driving:
        """A file as driving. seed: of the acting to a sound."""
        from portrayal.driving import Driving, described

        if self.voice is not None:
            raise UsageError("--voice: goes with --text")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise UsageError(f"--end: {self.end:g} s is not after --start, {self.start:g} s")
        source = Driving.open(
            path, start=self.start, end=self.end, fps=self.fps, face=self.driving_face,  # type: ignore[arg-type]
            transcript=self.transcript, seed=seed,
        )  # fmt: skip
        if self.transcript is not None and source.kind != "audio":
            raise UsageError(
                f"--transcript: goes with a sound, but {source.name} is {described(source.kind)}"
            )
        return source


@dataclass(frozen=True)
class Slider:
    """A number that changes a portrait. low, high: what is useful; rest: where nothing changes."""

    name: str
    group: str
    description: str
    low: float
    high: float
    rest: float = 0.0


_HEAD_GROUP, _FACE_GROUP = "Head and gaze", "Face (0 neutral, 1 full)"
#: The head and the gaze: what each number means.
HEAD_SLIDERS = (
    Slider("pitch", _HEAD_GROUP, "Degrees; up is negative, down positive", -30, 30),
    Slider("yaw", _HEAD_GROUP, "Degrees; positive turns towards its own left", -40, 40),
    Slider("roll", _HEAD_GROUP, "Degrees; positive tilts towards its own right shoulder", -30, 30),
    Slider("x", _HEAD_GROUP, "Move right, in eye distances", -1, 1),
    Slider("y", _HEAD_GROUP, "Move down, in eye distances", -1, 1),
    Slider("scale", _HEAD_GROUP, "Size; 1 as it is", 0.7, 1.4, 1.0),
    Slider("gaze-x", _HEAD_GROUP, "Look sideways: -1 own right, 1 own left", -1, 1),
    Slider("gaze-y", _HEAD_GROUP, "Look up (-1) or down (1)", -1, 1),
)


def sliders() -> tuple[Slider, ...]:
    """Those that every engine has: head, gaze and the 52 coefficients of a face, in kebab case."""
    from portrayal.motion import SHAPES
    from portrayal.motion_script import kebab

    return (*HEAD_SLIDERS, *(Slider(kebab(name), _FACE_GROUP, "", 0, 1) for name in SHAPES))


class EditRequest(Request):
    """`edit`: a portrait is changed by sliders, or over time by a script.

    values: of sliders, those of the engine too. moving: whether a video comes of it.
    """

    values: dict[str, float] = Field(default={}, description="Sliders and their values")
    moving: bool = Field(
        default=False,
        description="A video in which the portrait moves there, not a picture",
        json_schema_extra=_RESULT,
    )

    def clip(
        self,
        portrait: str | os.PathLike[str],
        script: str | os.PathLike[str] | None,
        actor: Engine,
        options: EngineOptions,
    ) -> tuple[Clip, Driving]:
        """The clip, not rendered yet, and the motion that drives it."""
        if script is not None:
            motion = self._scripted(script)
            person = self.portrait(portrait, actor, options)
        else:
            person = self.portrait(portrait, actor, options, start=self.start, end=self.end)
            motion = self._eased() if self.moving and person.video is None else self._held(person)
        driving = self._driving(motion if self.fps is None else motion.resample(self.fps), person, script)
        return self.act(actor, person, driving, options), driving

    def _scripted(self, script: str | os.PathLike[str]) -> Motion:
        """The script, and what the sliders add to it."""
        from portrayal.motion import Motion

        return Motion.from_script(script).cut(self.start, self.end).edited(self.values, add=True)

    def _held(self, portrait: Portrait) -> Motion:
        """The sliders for as long as the portrait lasts: one frame, or its video."""
        from portrayal.motion import Motion

        if portrait.video is None:
            return Motion.from_sliders(self.values)
        video = portrait.video.at(self.fps or portrait.video.fps)
        return Motion.from_sliders(self.values, video.fps, video.info.frame_count)

    def _eased(self) -> Motion:
        """A still that moves to where the sliders are, and stays."""
        from portrayal.motion import Motion

        return Motion.from_script({"duration": _LENGTH, "keys": [{"at": _EASE, **self.values}]})

    def _driving(self, motion: Motion, portrait: Portrait, script: str | os.PathLike[str] | None) -> Driving:
        """The motion, with the sound of a portrait that is a video and sets the time."""
        from portrayal.driving import Driving

        if script is not None:
            return replace(Driving.from_motion(motion), name=os.fspath(script))
        if portrait.path is None or portrait.video is None or not portrait.video.info.has_audio:
            return replace(Driving.from_motion(motion), name="the sliders")
        own = Driving.open(portrait.path, start=self.start, end=self.end)
        return replace(Driving.from_motion(motion, own.audio), name="the sliders")


def apart(
    actor: Engine, values: dict[str, float], given: dict[str, Any]
) -> tuple[dict[str, float], EngineOptions]:
    """Sliders and options of an edit: sliders that are options of the engine move with the others.

    values: of the sliders that every engine has. given: options of the engine.
    """
    chosen = actor.options(**given)
    own = {name: getattr(chosen, name) for name in chosen.sliders if name in given}
    return values | own, actor.options(**{name: value for name, value in given.items() if name not in own})


def request_of(model: type[Any], values: dict[str, Any]) -> Any:
    """An instance of a request model; UsageError, one line, where a value is not allowed."""
    from portrayal.engines.engine import one_line

    try:
        return model(**values)
    except ValidationError as error:
        raise UsageError(one_line(error)) from error

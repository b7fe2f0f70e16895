"""`Driving`: what drives a portrait, seen as pictures, as motion and as sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError
from portrayal.motion import Motion, MotionFrame, MotionSource, MotionStream
from portrayal.sources import (
    DEFAULT_FPS,
    FrameSource,
    ImageSource,
    Kind,
    PlainMotion,
    SoundSource,
    Source,
    TemplateSource,
    TextSource,
    VideoSource,
)

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.template import Template
    from portrayal.media.audio import Audio
    from portrayal.portrait import Portrait
    from portrayal.track.face import FaceChoice

Rgb = NDArray[np.uint8]
_MOTION_FILES = {".npz", ".csv"}
_SCRIPTS = {".yaml", ".yml", ".json"}
_TEMPLATES = {".pkl"}


@dataclass(frozen=True)
class Driving:
    """What drives a portrait. Its views are made when first asked for; those of videos are streams.

    Make one with :meth:`open`, or from what is not a file: :meth:`from_text`, :meth:`from_motion`,
    :meth:`from_audio`, :meth:`from_frames`.
    """

    source: Source
    name: str
    path: Path | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
        fps: Fraction | None = None,
        face: FaceChoice = "largest",
        transcript: str | None = None,
        seed: int = 0,
    ) -> Driving:
        """A video, sound, motion file, script (.yaml, .json) or picture.

        Motion files are .npz, Live Link Face .csv and LivePortrait's .pkl, of which nothing is run.
        What it is is told by its content. start, end: the part to use, in seconds. fps: frames per second to
        resample to; the source's own unless given, 25 where it has none (sound, picture, text). face: which
        face of a video or picture. transcript: what is said in a sound; seed: of the acting to a sound.
        """
        from portrayal.media.files import shown

        kind, file, name, fps = kind_of(path), Path(path), shown(path), _rate(fps)
        source: Source
        if kind == "video":
            source = VideoSource(file, start, end, fps, face)
        elif kind == "audio":
            source = SoundSource.open(file, start, end, fps, transcript, seed)
        elif kind == "image":
            length = None if end is None else end - (start or 0)
            source = ImageSource(file, fps, face, length)
        elif kind == "template":
            from portrayal.engines.liveportrait.template import Template

            template = Template.load(file).cut(start, end)
            source = TemplateSource(template if fps is None else template.resample(fps))
        else:
            load = Motion.load if kind == "motion" else Motion.from_script
            motion = load(file).cut(start, end)
            source = PlainMotion(motion if fps is None else motion.resample(fps), None, kind)
        return cls(source, name, file)

    @classmethod
    def from_text(
        cls, text: str, *, voice: str = "en-us", fps: Fraction | None = None, seed: int = 0
    ) -> Driving:
        """A sentence to speak. voice: the name of a synthesiser's voice."""
        if not text.strip():
            raise UsageError("there is no text to speak")
        return cls(TextSource(text, voice, _rate(fps) or DEFAULT_FPS, seed), "text")

    @classmethod
    def from_audio(
        cls,
        audio: Audio | str | os.PathLike[str],
        *,
        fps: Fraction | None = None,
        transcript: str | None = None,
        seed: int = 0,
    ) -> Driving:
        """A voice: sound in memory, or the sound alone of any file, a video too."""
        if isinstance(audio, (str, os.PathLike)):
            source = SoundSource.open(Path(audio), None, None, _rate(fps), transcript, seed)
            return cls(source, os.fspath(audio), Path(audio))
        return cls(SoundSource(audio, _rate(fps) or DEFAULT_FPS, transcript, seed), "sound")

    @classmethod
    def from_motion(cls, motion: MotionSource, audio: Audio | None = None) -> Driving:
        """A motion, in memory or as a stream, with the sound that goes with it."""
        return cls(PlainMotion(motion, audio, "motion"), "motion")

    @classmethod
    def from_frames(
        cls,
        frames: Callable[[], Iterator[Rgb]],
        fps: Fraction,
        *,
        count: int | None = None,
        audio: Audio | None = None,
        face: FaceChoice = "largest",
    ) -> Driving:
        """Pictures from anywhere, a camera too. frames: starts them anew each time it is called."""
        return cls(FrameSource(frames, Fraction(fps), count, audio, face), "frames")

    @property
    def kind(self) -> Kind:
        return self.source.kind

    @property
    def fps(self) -> Fraction:
        return self.source.fps

    @property
    def count(self) -> int | None:
        """How many frames; None where that is not known beforehand."""
        return self.source.count

    @cached_property
    def audio(self) -> Audio | None:
        """The sound; None where there is none."""
        return self.source.audio()

    @property
    def frames(self) -> Iterable[Rgb]:
        """Pictures (H, W, 3) uint8, anew each time; PortrayalError if it has none (see :meth:`frames_on`)."""
        frames = self.source.frames()
        if frames is None:
            raise PortrayalError(
                f"{self.name}: is {described(self.kind)}, which has no pictures; "
                "they can be made by having a portrait act it out (frames_on)"
            )
        return frames

    @cached_property
    def motion(self) -> MotionSource:
        """The motion as it was measured or made: what is tracked from pictures still trembles a little, and
        engines smooth it as their options say. Reading the motion of a video without any face raises
        PortrayalError.
        """
        return self.source.motion(self.name)

    @property
    def face(self) -> FaceChoice:
        """Which face of its pictures drives."""
        return getattr(self.source, "face", "largest")

    @property
    def template(self) -> Template | None:
        """The motion template that it is, for LivePortrait to play as it is; None where it is none."""
        return self.source.template if isinstance(self.source, TemplateSource) else None

    def smoothed(self, smooth: float = 0.5, body: bool = False) -> MotionSource:
        """The motion; where it is tracked from pictures smoothed by `smooth`: 0 none, 1 strong.

        body: track that of the body, too, which takes longer than the face.
        """
        own = getattr(self.source, "smoothed", None)  # of one that cannot wait for later frames
        if own is not None:
            return own(smooth, body)
        raw = self.source.motion(self.name, body) if body else self.motion
        if self.kind not in ("video", "frames") or smooth == 0:
            return raw

        def start() -> Iterator[MotionFrame]:
            from portrayal.track.motion import steady

            return steady(raw, smooth)

        return MotionStream(raw.fps, start)

    def frames_on(self, portrait: Portrait) -> Iterable[Rgb]:
        """Pictures for engines that read pictures: its own, or the puppet acting it out on `portrait`.

        For this a face is looked for where none was; PortrayalError where there is none.
        """
        if self.kind in ("video", "frames"):
            return self.frames
        from portrayal.engines import load_engine

        return load_engine("puppet").animate(portrait.with_face(), self)


def _rate(fps: Fraction | None) -> Fraction | None:
    if fps is not None and fps <= 0:
        raise UsageError(f"--fps: {fps} must be above 0")
    return None if fps is None else Fraction(fps)


def kind_of(
    path: str | os.PathLike[str],
) -> Literal["video", "audio", "motion", "template", "image", "script"]:
    """What kind of driving a file is; PortrayalError where it is none."""
    from portrayal.media.files import check_source
    from portrayal.media.sniff import sniff

    suffix = Path(path).suffix.lower()
    if suffix in _MOTION_FILES | _SCRIPTS | _TEMPLATES:
        check_source(path)
        if suffix in _TEMPLATES or (suffix == ".npz" and _holds_template(path)):
            return "template"
        return "motion" if suffix in _MOTION_FILES else "script"
    return sniff(path)


def _holds_template(path: str | os.PathLike[str]) -> bool:
    from portrayal.engines.liveportrait.template import is_template

    return is_template(path)


def described(kind: Kind) -> str:
    """The kind with its article: "a video", "an image"."""
    return {
        "audio": "a sound",
        "image": "an image",
        "frames": "a run of pictures",
        "template": "a motion template",
    }.get(kind, f"a {kind}")

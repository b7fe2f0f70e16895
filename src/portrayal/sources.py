"""The kinds of driving, each giving what it can: pictures, motion, sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError
from portrayal.motion import Motion, MotionFrame, MotionSource, MotionStream

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.template import Template
    from portrayal.media.audio import Audio
    from portrayal.track.face import FaceChoice

Rgb = NDArray[np.uint8]
Kind = Literal["video", "audio", "text", "motion", "template", "image", "script", "frames"]

DEFAULT_FPS = Fraction(25)
#: Longest side at which videos are tracked: the tracker sees no more than this of a face anyway.
TRACK_SIZE = 1280
#: Seconds without any face after which a video is given up.
PATIENCE = 20
#: Seconds over which an image's expression is eased in, and how long the whole lasts unless told.
EASE_IN, HOLD = 0.6, 2.0


class Source(Protocol):
    """One kind of driving. `frames` and `audio` give None where there are none; `motion` is that of the body,
    too, where it is to be tracked in pictures and `body` asks for it."""

    @property
    def kind(self) -> Kind: ...

    @property
    def fps(self) -> Fraction: ...

    @property
    def count(self) -> int | None: ...

    def frames(self) -> Iterable[Rgb] | None: ...

    def audio(self) -> Audio | None: ...

    def motion(self, name: str, body: bool = False) -> MotionSource: ...


class VideoSource:
    """A video file: its pictures, its sound, the motion tracked in it."""

    kind: Kind = "video"

    def __init__(
        self, path: Path, start: float | None, end: float | None, fps: Fraction | None, face: FaceChoice
    ) -> None:
        from portrayal.media.video import VideoReader

        self._start, self._end = start, end
        self._video = VideoReader(path, start=start, end=end, fps=fps)
        self._small = self._video
        if max(self._video.info.width, self._video.info.height) > TRACK_SIZE:
            self._small = VideoReader(path, start=start, end=end, fps=fps, size=TRACK_SIZE)
        self.face = face
        self.fps = self._video.fps
        self.count: int | None = self._video.info.frame_count

    def frames(self) -> Iterable[Rgb]:
        return self._video

    def audio(self) -> Audio | None:
        from portrayal.media.audio import AudioTrack

        if not self._video.info.has_audio:
            return None
        try:
            track = AudioTrack(self._video.info.path, self._start, self._end)
        except PortrayalError:  # a track without samples
            return None
        return track if track.duration > 0 else None

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return tracked(lambda: iter(self._small), self.fps, self.face, name, body)


@dataclass(frozen=True)
class FrameSource:
    """Pictures from a function that starts them anew."""

    factory: Callable[[], Iterator[Rgb]]
    fps: Fraction
    count: int | None
    sound: Audio | None
    face: FaceChoice
    kind: Kind = "frames"

    def frames(self) -> Iterable[Rgb]:
        return Restartable(self.factory)

    def audio(self) -> Audio | None:
        return self.sound

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return tracked(self.factory, self.fps, self.face, name, body)


@dataclass(frozen=True)
class Restartable:
    """Something to iterate that starts anew each time."""

    start: Callable[[], Iterator[Rgb]]

    def __iter__(self) -> Iterator[Rgb]:
        return self.start()


@dataclass(frozen=True)
class PlainMotion:
    """A motion as it is, in memory or a stream."""

    moves: MotionSource
    sound: Audio | None
    kind: Kind

    @property
    def fps(self) -> Fraction:
        return self.moves.fps

    @property
    def count(self) -> int | None:
        return len(self.moves) if isinstance(self.moves, Motion) else None

    def frames(self) -> None:
        return None

    def audio(self) -> Audio | None:
        return self.sound

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return self.moves


@dataclass(frozen=True)
class TemplateSource:
    """A LivePortrait motion template; for other engines what the coefficients can tell of it."""

    template: Template
    kind: Kind = "template"

    @property
    def fps(self) -> Fraction:
        return self.template.fps

    @property
    def count(self) -> int:
        return len(self.template)

    def frames(self) -> None:
        return None

    def audio(self) -> None:
        return None

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return self.template.to_motion()


@dataclass(frozen=True)
class SoundSource:
    """A voice; the motion is what a face does that speaks so."""

    sound: Audio
    fps: Fraction
    transcript: str | None
    seed: int
    kind: Kind = "audio"

    @classmethod
    def open(
        cls,
        path: Path,
        start: float | None,
        end: float | None,
        fps: Fraction | None,
        transcript: str | None,
        seed: int,
    ) -> SoundSource:
        from portrayal.media.audio import AudioTrack
        from portrayal.media.files import shown

        track = AudioTrack(path, start, end)
        if track.duration <= 0:
            raise PortrayalError(f"{shown(path)}: there is no sound in it at that time")
        return cls(track, fps or DEFAULT_FPS, transcript, seed)

    @property
    def count(self) -> int:
        return max(1, ceil(self.sound.duration * self.fps))

    def frames(self) -> None:
        return None

    def audio(self) -> Audio:
        return self.sound

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return self._performed

    @cached_property
    def _performed(self) -> Motion:
        from portrayal.speech import perform

        return fitted(perform(self.sound, self.fps, seed=self.seed, transcript=self.transcript), self.count)


@dataclass(frozen=True)
class TextSource:
    """A text, spoken by a synthesiser that tells when it says what."""

    text: str
    voice: str
    fps: Fraction
    seed: int
    kind: Kind = "text"

    @property
    def count(self) -> int:
        return max(1, ceil(self.audio().duration * self.fps))

    def frames(self) -> None:
        return None

    def audio(self) -> Audio:
        sound: Audio = self._speech.waveform
        return sound

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return self._performed

    @cached_property
    def _speech(self) -> Any:
        from portrayal.speech import say

        return say(self.text, voice=self.voice)

    @cached_property
    def _performed(self) -> Motion:
        from portrayal.speech import perform_phonemes

        return fitted(perform_phonemes(self._speech, self.fps, seed=self.seed), self.count)


class ImageSource:
    """One picture: its expression and gaze, eased in and held; the head stays where it is."""

    kind: Kind = "image"

    def __init__(self, path: Path, fps: Fraction | None, face: FaceChoice, length: float | None) -> None:
        from portrayal.media.image import read_image

        if length is not None and length <= 0:
            raise UsageError(f"there is nothing in {length:g} s")
        self._rgb = read_image(path).rgb
        self.face = face
        self.fps = Fraction(fps or DEFAULT_FPS)
        self.count: int = max(1, round((length or HOLD) * self.fps))

    def frames(self) -> Iterable[Rgb]:
        return Restartable(lambda: (self._rgb for _ in range(self.count)))

    def audio(self) -> None:
        return None

    def motion(self, name: str, body: bool = False) -> MotionSource:
        return self._eased(name)

    def _eased(self, name: str) -> Motion:
        from portrayal.track.expression import beyond_rest, coefficients
        from portrayal.track.face import choose_face
        from portrayal.track.find import find_faces

        faces = find_faces(self._rgb)
        if not faces:
            raise PortrayalError(f"{name}: no face found in the driving picture")
        expression = beyond_rest(coefficients(choose_face(faces, self.face).pose_free_shape))
        t = np.clip(np.arange(self.count) / float(self.fps) / EASE_IN, 0, 1)
        ease = (t * t * (3 - 2 * t)).astype(np.float32)
        return Motion.from_coefficients(self.fps, ease[:, None] * expression)


def tracked(
    frames: Callable[[], Iterator[Rgb]], fps: Fraction, face: FaceChoice, name: str, body: bool = False
) -> MotionStream:
    """Motion tracked in pictures, anew each time it is read; PortrayalError where no face is seen.

    body: that of the body, too.
    """

    def start() -> Iterator[MotionFrame]:
        from portrayal.track.motion import track_motion

        watch = _Watch(frames(), ceil(PATIENCE * fps), name)
        try:
            yield from watch.seen(track_motion(watch.frames(), face, smooth=0, body=body))
        except PortrayalError as error:
            raise error if name in str(error) else PortrayalError(f"{name}: {error}") from error

    return MotionStream(fps, start)


class _Watch:
    """Lets pictures through to the tracker, and gives up where it finds no face in them."""

    def __init__(self, frames: Iterator[Rgb], patience: int, name: str) -> None:
        self._frames, self._patience, self._name = frames, patience, name
        self._found = False

    def frames(self) -> Iterator[Rgb]:
        for number, rgb in enumerate(self._frames):
            if number >= self._patience and not self._found:
                raise PortrayalError(
                    f"{self._name}: no face found in its first {PATIENCE} seconds (--start begins later)"
                )
            yield rgb

    def seen(self, motion: Iterator[MotionFrame]) -> Iterator[MotionFrame]:
        """The motion, unless no frame of it is tracked; none comes before a face was seen or all is read."""
        waiting: list[MotionFrame] = []
        for frame in motion:
            self._found = True
            waiting.append(frame)
            if frame.tracked:
                break
        else:
            raise PortrayalError(f"{self._name}: no face found in any frame of the driving")
        yield from waiting
        yield from motion


def fitted(motion: Motion, count: int) -> Motion:
    """The motion with exactly `count` frames: cut, or its last frame held."""
    index = np.minimum(np.arange(count), len(motion) - 1)
    return motion.take(index)

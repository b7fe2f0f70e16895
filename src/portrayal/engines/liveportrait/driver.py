"""Every driving as LivePortrait's motion, frame by frame.

What shows a face (a video, pictures, one picture) is cropped and looked at by the motion extractor. A
template is played as it is. Everything else (voice, text, sliders, scripts, motion files) is mapped from
its motion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import Square, driving_input, mean_square
from portrayal.engines.liveportrait.driving_crop import as_seen_in, driving_square, followed
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.mapping import MotionMap, neutral_motion
from portrayal.engines.liveportrait.ratios import ratios_mediapipe
from portrayal.engines.liveportrait.reference import Choice, with_reference
from portrayal.engines.liveportrait.regions import parse_regions
from portrayal.engines.liveportrait.transfer import image_reference
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
#: The motion extractor: (N, 256, 256, 3) uint8 RGB to N frames of motion.
Extractor = Callable[[Rgb], FaceMotion]

#: Seconds of a driving that are looked through for its box and its reference frame; of a camera's.
LOOK_AHEAD, LIVE_AHEAD = 5, 1
#: Seconds over which one picture's expression is eased in.
EASE_IN = 0.6


@dataclass(frozen=True, eq=False)
class Driven:
    """One frame of a driving. motion: N = 1; sliders: of a script, by name."""

    motion: FaceMotion
    sliders: Mapping[str, float] = field(default_factory=dict)


def drive(
    driving: Driving, options: LivePortraitOptions, own: FaceMotion, mapping: MotionMap, extract: Extractor
) -> tuple[FaceMotion, Iterator[Driven]]:
    """The reference frame (N = 1) that the motion is relative to, and every frame of the driving.

    own: the portrait (N = 1). mapping: for its face. PortrayalError where a driving that is to be cropped
    shows no face, and where the reference frame asked for does not exist.
    """
    ahead = int(LOOK_AHEAD * driving.fps)
    if driving.template is not None:
        template = driving.template.motion
        motions: Iterator[FaceMotion] = (template[i] for i in range(len(template)))
    elif driving.kind == "image":
        return _one_picture(driving, options, extract)
    elif driving.kind in ("video", "frames"):
        motions = _extracted(driving, options, extract)
        ahead = ahead if driving.kind == "video" else int(LIVE_AHEAD * driving.fps)
    else:
        return _mapped(driving, options, own, mapping, ahead)
    reference, frames = with_reference(motions, _choice(options), own, ahead)
    return reference, (Driven(motion) for motion in frames)


def _mapped(
    driving: Driving, options: LivePortraitOptions, own: FaceMotion, mapping: MotionMap, ahead: int
) -> tuple[FaceMotion, Iterator[Driven]]:
    """A motion; one that was tracked from pictures (it has landmarks) is relative to one of its frames."""
    stream = iter(driving.motion)
    first = next(stream, None)
    if first is None:
        raise PortrayalError(f"{driving.name}: there is no motion in it")
    driven = (Driven(mapping(frame), frame.sliders) for frame in chain([first], stream))
    if first.shape is None:
        return neutral_motion(), driven
    head = list(islice(driven, max(ahead, 1)))
    reference, _ = with_reference((d.motion for d in head), _choice(options), own, ahead)
    return reference, chain(head, driven)


def _choice(options: LivePortraitOptions) -> Choice:
    """The reference frame asked for; as published it is the first."""
    asked = "reference_frame" in options.model_fields_set
    return 0 if options.compat and not asked else options.reference_frame


def _one_picture(
    driving: Driving, options: LivePortraitOptions, extract: Extractor
) -> tuple[FaceMotion, Iterator[Driven]]:
    """A picture's expression, eased in and held; with --absolute at once."""
    motion = next(_extracted(driving, options, extract))
    reference = image_reference(motion, parse_regions(options.region))
    change = motion.expression - reference.expression

    def frames() -> Iterator[Driven]:
        for i in range(driving.count or 1):
            t = min(i / float(driving.fps) / EASE_IN, 1.0) if not options.absolute else 1.0
            eased = np.float32(t * t * (3 - 2 * t))
            yield Driven(replace(motion, expression=reference.expression + eased * change))

    return reference, frames()


def _extracted(driving: Driving, options: LivePortraitOptions, extract: Extractor) -> Iterator[FaceMotion]:
    """What the motion extractor sees in every frame, several at a time."""
    look = _Look(driving, options)
    frames = look.inputs()
    while batch := list(islice(frames, options.batch)):
        motions = extract(np.stack([picture for picture, *_ in batch]))
        for i, (_, square, landmarks) in enumerate(batch):
            motion = motions[i]
            if square is not None and look.base is not None:
                motion = as_seen_in(motion, square, look.base)
            if landmarks is not None:
                eyes, lips = ratios_mediapipe(landmarks)
                motion = motion.with_ratios(eyes, lips)
            yield motion


class _Look:
    """Crops the pictures of a driving. base: the box that its motion is measured in; None for whole
    pictures.
    """

    def __init__(self, driving: Driving, options: LivePortraitOptions) -> None:
        self._driving = driving
        self._crop = options.driving_crop
        if self._crop == "auto":
            height, width = next(iter(driving.frames)).shape[:2]
            self._crop = "none" if height == width else "still"
        self._watch = self._crop != "none" or options.eye_retargeting or options.lip_retargeting
        self._first: Array | None = None
        self.base: Square | None = None
        if self._watch:
            self._first, self.base = self._looked()

    def inputs(self) -> Iterator[tuple[Rgb, Square | None, Array | None]]:
        """Of every frame the picture (256, 256, 3), its box and the landmarks; those last seen where lost."""
        if not self._watch:
            yield from ((driving_input(rgb), None, None) for rgb in self._driving.frames)
            return
        for rgb, square, landmarks in self._boxed():
            picture = driving_input(rgb if square is None else square.cut(rgb))
            yield picture, square, landmarks

    def _boxed(self) -> Iterator[tuple[Rgb, Square | None, Array]]:
        held = self._first
        assert held is not None
        place: Square | None = None
        for rgb, landmarks in _tracked(self._driving.frames, self._driving):
            held = held if landmarks is None else landmarks
            if self._crop == "following":
                wanted = driving_square(held)
                place = wanted if place is None else followed(place, wanted)
            yield rgb, place if self._crop == "following" else self.base, held

    def _looked(self) -> tuple[Array, Square | None]:
        """The first landmarks seen, and the mean box."""
        seconds = LOOK_AHEAD if self._driving.kind == "video" else LIVE_AHEAD
        ahead = islice(self._driving.frames, max(int(seconds * self._driving.fps), 1))
        seen = [landmarks for _, landmarks in _tracked(ahead, self._driving) if landmarks is not None]
        if not seen:
            raise PortrayalError(
                f"{self._driving.name}: no face found in its first {seconds} seconds "
                "(--start begins later, --driving-crop none takes the whole picture)"
            )
        box = mean_square([driving_square(landmarks) for landmarks in seen])
        return seen[0], None if self._crop == "none" else box


def _tracked(frames: Iterable[Rgb], driving: Driving) -> Iterator[tuple[Rgb, Array | None]]:
    """Every frame with the landmarks (478, 3) of the face that drives, None where it is lost."""
    from portrayal.track.tracker import FaceTracker

    tracker = FaceTracker(driving.face)
    try:
        for rgb in frames:
            face = tracker(rgb)
            yield rgb, None if face is None else face.landmarks
    finally:
        tracker.close()

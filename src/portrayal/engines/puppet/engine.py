"""The puppet: a picture moved by landmarks. No weights, any CPU."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.engine import Engine
from portrayal.engines.puppet.calibration import Calibration
from portrayal.engines.puppet.figure import Figure, find_body
from portrayal.engines.puppet.group import Group
from portrayal.engines.puppet.info import INFO, PuppetOptions
from portrayal.engines.puppet.limbs import LimbTransfer, closest
from portrayal.engines.puppet.reference import with_reference
from portrayal.engines.puppet.transfer import Transfer
from portrayal.engines.puppet.video import MovingActor, render_video
from portrayal.motion import MotionFrame, MotionSource
from portrayal.prefetch import prefetch

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
Cast = tuple[Group, list[Calibration]]

#: Seconds of the driving that are looked through for the reference frame.
LOOK_AHEAD = 5
#: Drivings that say how far a mouth is open, not how much more than the portrait's it is: speech.
OF_CLOSED_MOUTHS = ("audio", "text")


class Puppet(Engine):
    """See :data:`portrayal.engines.puppet.info.INFO`."""

    info = INFO
    Options: ClassVar = PuppetOptions

    def __init__(self) -> None:
        self._cast: tuple[Portrait, Cast] | None = None
        self._figure: tuple[Figure | None] | None = None

    def render(self, portrait: Portrait, driving: Driving, options: PuppetOptions) -> Iterator[Rgb]:
        if portrait.video is not None:
            reference, frames = referenced(portrait, driving, options)
            actors = [MovingActor(portrait.rgb, t) for t in _transfers(portrait, driving, reference, options)]
            yield from render_video(portrait.video.at(driving.fps), actors, frames)
            return
        with ThreadPoolExecutor(1) as beside:
            cast = beside.submit(self._roles, portrait, options.body)
            reference, frames = referenced(portrait, driving, options)
            (group, calibrations), figure = cast.result()
        transfers = _transfers(portrait, driving, reference, options)
        corrections = [calibration.against(reference) for calibration in calibrations]
        limbs = None
        if figure is not None:
            limbs, frames = _limbs(figure, driving, options, frames)
        for frame in prefetch(frames):
            targets = [
                actor.eased(corrected(transfer(frame)), corrected.share)
                for actor, transfer, corrected in zip(group.actors, transfers, corrections, strict=True)
            ]
            if figure is not None and limbs is not None:
                yield figure.paint(targets[0], limbs(frame, targets[0]))
                continue
            picture = portrait.rgb.copy()
            group.paint(picture, targets)
            yield picture

    def motion(self, driving: Driving, options: PuppetOptions) -> MotionSource:
        return driving.smoothed(options.smooth, options.body)

    def _roles(self, portrait: Portrait, body: bool) -> tuple[Cast, Figure | None]:
        """Made once for a portrait and kept for its next driving. body: whether it is to move, too; where
        several faces were chosen none does."""
        if self._cast is None or self._cast[0] is not portrait:
            rgb, faces = portrait.rgb, portrait.faces
            group = Group(rgb, faces, portrait.bystanders)
            calibrations = [
                Calibration.of(rgb, face, actor) for face, actor in zip(faces, group.actors, strict=True)
            ]
            self._cast = portrait, (group, calibrations)
            self._figure = None
        cast = self._cast[1]
        if not body or len(portrait.faces) > 1:
            return cast, None
        if self._figure is None:
            (face,) = portrait.faces
            points = find_body(portrait.rgb, face)
            (actor,) = cast[0].actors
            self._figure = (None if points is None else Figure(portrait.rgb, face, points, actor),)
        return cast, self._figure[0]


def referenced(
    portrait: Portrait, driving: Driving, options: PuppetOptions
) -> tuple[MotionFrame | None, Iterator[MotionFrame]]:
    """The driving's reference frame and its frames, from the first on."""
    ahead = int(LOOK_AHEAD * driving.fps)
    motion = driving.smoothed(options.smooth, options.body)
    return with_reference(motion, options.reference_frame, portrait.faces[0], ahead)


def _transfers(
    portrait: Portrait, driving: Driving, reference: MotionFrame | None, options: PuppetOptions
) -> list[Transfer]:
    closed = driving.kind in OF_CLOSED_MOUTHS
    return [Transfer(face, reference, options.strength, options.absolute, closed) for face in portrait.faces]


def _limbs(
    figure: Figure, driving: Driving, options: PuppetOptions, frames: Iterator[MotionFrame]
) -> tuple[LimbTransfer, Iterator[MotionFrame]]:
    """What carries the driving's body over, and the frames, from the first on."""
    choice = options.reference_frame
    ahead = choice + 1 if isinstance(choice, int) else int(LOOK_AHEAD * driving.fps)
    head = list(islice(frames, ahead))
    start = closest(head[choice:] if isinstance(choice, int) else head, figure.skeleton)
    limbs = LimbTransfer(
        figure.skeleton, figure.face, start, float(driving.fps), options.strength, options.absolute
    )
    return limbs, chain(head, frames)

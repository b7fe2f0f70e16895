"""The puppet: a picture moved by landmarks. No weights, any CPU."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.engine import Engine
from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.calibration import Calibration
from portrayal.engines.puppet.info import INFO, PuppetOptions
from portrayal.engines.puppet.reference import with_reference
from portrayal.engines.puppet.transfer import Transfer
from portrayal.engines.puppet.video import MovingActor, render_video
from portrayal.motion import MotionFrame
from portrayal.prefetch import prefetch

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.media.video import VideoReader
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
Role = tuple[Actor, Calibration]

#: Seconds of the driving that are looked through for the reference frame.
LOOK_AHEAD = 5


class Puppet(Engine):
    """See :data:`portrayal.engines.puppet.info.INFO`."""

    info = INFO
    Options: ClassVar = PuppetOptions

    def __init__(self) -> None:
        self._cast: tuple[Portrait, list[Role]] | None = None

    def render(self, portrait: Portrait, driving: Driving, options: PuppetOptions) -> Iterator[Rgb]:
        if portrait.video is not None:
            reference, frames = referenced(portrait, driving, options)
            yield from self._moving(portrait, portrait.video.at(driving.fps), reference, frames, options)
            return
        with ThreadPoolExecutor(1) as beside:
            cast = beside.submit(self._roles, portrait)
            reference, frames = referenced(portrait, driving, options)
            roles = cast.result()
        transfers = [Transfer(face, reference, options.strength, options.absolute) for face in portrait.faces]
        corrections = [calibration.against(reference) for _, calibration in roles]
        for frame in prefetch(frames):
            picture = portrait.rgb.copy()
            for (actor, _), transfer, corrected in zip(roles, transfers, corrections, strict=True):
                actor.paint(picture, corrected(transfer(frame)))
            yield picture

    @staticmethod
    def _moving(
        portrait: Portrait,
        video: VideoReader,
        reference: MotionFrame | None,
        frames: Iterator[MotionFrame],
        options: PuppetOptions,
    ) -> Iterator[Rgb]:
        actors = [
            MovingActor(portrait.rgb, face, reference, options.strength, options.absolute)
            for face in portrait.faces
        ]
        return render_video(video, actors, frames)

    def _roles(self, portrait: Portrait) -> list[Role]:
        """Made once for a portrait and kept for its next driving."""
        if self._cast is None or self._cast[0] is not portrait:
            rgb = portrait.rgb
            self._cast = (
                portrait,
                [(Actor(rgb, face), Calibration.of(rgb, face)) for face in portrait.faces],
            )
        return self._cast[1]


def referenced(
    portrait: Portrait, driving: Driving, options: PuppetOptions
) -> tuple[MotionFrame | None, Iterator[MotionFrame]]:
    """The driving's reference frame and its frames, from the first on."""
    ahead = int(LOOK_AHEAD * driving.fps)
    return with_reference(driving.smoothed(options.smooth), options.reference_frame, portrait.faces[0], ahead)

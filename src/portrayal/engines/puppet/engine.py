"""The puppet: a picture moved by landmarks. No weights, any CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.engine import Engine
from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.info import INFO, PuppetOptions
from portrayal.engines.puppet.reference import with_reference
from portrayal.engines.puppet.transfer import Transfer
from portrayal.motion import MotionFrame
from portrayal.prefetch import prefetch
from portrayal.track.expression import coefficients
from portrayal.track.motion import steady

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]

#: Seconds of the driving that are looked through for the reference frame.
LOOK_AHEAD = 5


class Puppet(Engine):
    """See :data:`portrayal.engines.puppet.info.INFO`."""

    info = INFO
    Options: ClassVar = PuppetOptions

    def __init__(self) -> None:
        self._cast: tuple[Portrait, list[Actor]] | None = None

    def render(self, portrait: Portrait, driving: Driving, options: PuppetOptions) -> Iterator[Rgb]:
        if portrait.video is not None:
            from portrayal.engines.puppet.video import render_video

            yield from render_video(portrait, driving, options)
            return
        actors = self._actors(portrait)
        reference, frames = referenced(portrait, driving, options)
        transfers = [Transfer(face, reference, options.strength, options.absolute) for face in portrait.faces]
        for frame in prefetch(frames):
            picture = portrait.rgb.copy()
            for actor, transfer in zip(actors, transfers, strict=True):
                actor.paint(picture, transfer(frame))
            yield picture

    def _actors(self, portrait: Portrait) -> list[Actor]:
        """Made once for a portrait and kept for its next driving."""
        if self._cast is None or self._cast[0] is not portrait:
            self._cast = (portrait, [Actor(portrait.rgb, face) for face in portrait.faces])
        return self._cast[1]


def referenced(
    portrait: Portrait, driving: Driving, options: PuppetOptions
) -> tuple[MotionFrame | None, Iterator[MotionFrame]]:
    """The driving's reference frame and its frames, steadied where they were tracked."""
    face = portrait.faces[0]
    ahead = int(LOOK_AHEAD * driving.fps)
    frames = _steadied(driving.motion, options.smooth)
    return with_reference(frames, options.reference_frame, coefficients(face.shape), face.pose.angles, ahead)


def _steadied(frames: Iterable[MotionFrame], strength: float) -> Iterator[MotionFrame]:
    """Only what was tracked trembles; a voice's motion keeps its exact timing."""
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        return iter(())
    rest = chain([first], stream)
    return rest if first.shape is None and first.tracked else steady(rest, strength)


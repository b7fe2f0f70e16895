"""The faces of a portrait as LivePortrait has them: where they are cut out, and what is made of each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import Square, portrait_square, source_input
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.paste import Paste
from portrayal.engines.liveportrait.ratios import ratios_mediapipe
from portrayal.engines.liveportrait.retargeting import Retargeting

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions
    from portrayal.portrait import Portrait
    from portrayal.track.face import Face

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]


class Networks(Protocol):
    """What LivePortrait's networks are asked for. Pictures are uint8 RGB, (N, 256, 256, 3) in, (N, 512, 512,
    3) out.
    """

    @property
    def retargeting(self) -> Retargeting:
        """The three small networks."""

    def motion(self, pictures: Rgb) -> FaceMotion:
        """What the motion extractor sees in N pictures."""

    def source(self, picture: Rgb, keypoints: Array) -> Any:
        """What is made of a portrait (256, 256, 3) with keypoints (1, 21, 3) once, for :meth:`render`."""

    def render(self, source: Any, keypoints: Array) -> Rgb:
        """The portrait with its keypoints at (N, 21, 3)."""


@dataclass(frozen=True, eq=False)
class Head:
    """One face of a still picture. motion: N = 1; source: see :meth:`Networks.source`."""

    square: Square
    motion: FaceMotion
    source: Any
    paste: Paste

    @classmethod
    def cut(cls, rgb: Rgb, square: Square, face: Face | None, networks: Networks) -> Head:
        """The face in `square` of a picture (H, W, 3); of a `face` eyes and lips are measured."""
        picture = source_input(square.cut(rgb))
        motion = measured(picture, face, networks)
        source = networks.source(picture, motion.keypoints)
        return cls(square, motion, source, Paste(square, (rgb.shape[1], rgb.shape[0])))


def measured(picture: Rgb, face: Face | None, networks: Networks) -> FaceMotion:
    """What the motion extractor sees in a crop (256, 256, 3), with how open eyes and lips of `face` are."""
    motion = networks.motion(picture[None])
    if face is None:
        return motion
    eyes, lips = ratios_mediapipe(face.landmarks)
    return motion.with_ratios(eyes, [lips])


def heads_of(portrait: Portrait, options: LivePortraitOptions, networks: Networks) -> list[Head]:
    """The portrait's faces; the one that the options place by hand; or its whole picture."""
    placed = options.box is not None or options.points is not None
    faces: list[Face | None] = [None] if placed or not portrait.faces else [*portrait.faces]
    return [
        Head.cut(portrait.rgb, portrait_square(options, face, portrait.size), face, networks)
        for face in faces
    ]

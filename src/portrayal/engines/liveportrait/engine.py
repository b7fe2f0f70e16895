"""LivePortrait: a portrait moved by implicit keypoints (Guo et al. 2024, https://arxiv.org/abs/2407.03168)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.engine import Engine, EngineOptions
from portrayal.engines.liveportrait.acting import Acting
from portrayal.engines.liveportrait.crop import CROP
from portrayal.engines.liveportrait.driver import Driven, drive
from portrayal.engines.liveportrait.heads import Head, Networks, heads_of
from portrayal.engines.liveportrait.info import INFO, LivePortraitOptions
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.mapping import MotionMap, neutral_motion
from portrayal.engines.liveportrait.moving import render_video
from portrayal.engines.liveportrait.template import Template
from portrayal.errors import PortrayalError
from portrayal.prefetch import prefetch

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]


#: Kinds of driving that show faces, for the motion extractor to look at.
SEEN = ("video", "frames", "image")


class LivePortrait(Engine):
    """See :data:`portrayal.engines.liveportrait.info.INFO`.

    Its networks are loaded when they are first needed, and kept; so is what is made of a portrait.
    """

    info = INFO
    Options: ClassVar = LivePortraitOptions

    def __init__(self) -> None:
        self._loaded: tuple[Any, Networks] | None = None
        self._heads: tuple[Portrait, Any, list[Head]] | None = None

    def needs_face(self, options: LivePortraitOptions) -> bool:
        return not (options.animal or options.box or options.points)

    def frame_size(self, portrait: Portrait, options: LivePortraitOptions) -> tuple[int, int]:
        return portrait.size if options.paste_back else (CROP, CROP)

    def render(self, portrait: Portrait, driving: Driving, options: LivePortraitOptions) -> Iterator[Rgb]:
        if portrait.video is not None and not portrait.faces:
            raise PortrayalError(f"{portrait.name}: a portrait that is a video needs a face to follow")
        networks = self.networks(options)
        heads = self._cast(portrait, options, networks)
        mapping = _mapping(portrait, heads[0])
        reference, steps = drive(driving, options, heads[0].motion, mapping, networks.motion)
        acting = Acting(options, networks, reference, seen=driving.kind in (*SEEN, "template"))
        if portrait.video is not None:
            video = portrait.video.at(driving.fps)
            return render_video(portrait, video, acting, heads, steps, options)
        return _stills(portrait.rgb, heads, acting, prefetch(steps), options)

    def track(
        self,
        driving: Driving,
        options: EngineOptions | None = None,
        progress: Callable[[int], object] | None = None,
        **overrides: Any,
    ) -> Template:
        """What the motion extractor sees in the driving, as a motion template."""
        chosen = self.options(options, **overrides)
        assert isinstance(chosen, LivePortraitOptions)
        if driving.template is not None:
            return driving.template
        extract = self.networks(chosen).motion if driving.kind in SEEN else _unseen
        _, steps = drive(driving, chosen, neutral_motion(), MotionMap(), extract)
        motions = []
        for step in steps:
            motions.append(step.motion)
            if progress is not None:
                progress(len(motions))
        return Template(driving.fps, FaceMotion.stack(motions))

    def networks(self, options: LivePortraitOptions) -> Networks:
        """The networks that the options ask for; PortrayalError where their weights are missing."""
        from portrayal.engines.liveportrait.inference import load_networks

        key = (options.weights, options.animal, options.device, options.precision, options.compile)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, load_networks(options))
            self._heads = None
        return self._loaded[1]

    def _cast(self, portrait: Portrait, options: LivePortraitOptions, networks: Networks) -> list[Head]:
        """The portrait's heads, made once for it and kept for its next driving."""
        key = (options.box, options.points, options.source_scale, options.source_x, options.source_y)
        if self._heads is None or self._heads[0] is not portrait or self._heads[1] != key:
            self._heads = (portrait, key, heads_of(portrait, options, networks))
        return self._heads[2]


def _unseen(pictures: Rgb) -> FaceMotion:
    raise AssertionError("a driving without pictures is mapped, not looked at")


def _mapping(portrait: Portrait, head: Head) -> MotionMap:
    return MotionMap.of_face(portrait.faces[0], head.square) if portrait.faces else MotionMap()


def _stills(
    rgb: Rgb, heads: list[Head], acting: Acting, steps: Iterable[Driven], options: LivePortraitOptions
) -> Iterator[Rgb]:
    """Frames of a still portrait: every head rendered for a batch of steps, then pasted into its picture."""
    stream = iter(steps)
    parts = [acting.part(head.motion) for head in heads]
    while batch := list(islice(stream, options.batch)):
        crops = [acting.rendered(head, part, batch) for head, part in zip(heads, parts, strict=True)]
        for faces in zip(*crops, strict=True):
            yield _pasted(rgb, heads, faces) if options.paste_back else faces[0]


def _pasted(rgb: Rgb, heads: list[Head], faces: Iterable[Rgb]) -> Rgb:
    picture = rgb.copy()
    for head, face in zip(heads, faces, strict=True):
        head.paste(picture, face)
    return picture

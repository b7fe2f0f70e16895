"""A portrait that is itself a video: it keeps its own motion, and the driving's comes on top."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.acting import Acting
from portrayal.engines.liveportrait.crop import Square, portrait_square, source_input
from portrayal.engines.liveportrait.driver import Driven
from portrayal.engines.liveportrait.heads import Head, measured
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.paste import Paste
from portrayal.engines.liveportrait.transfer import steadied
from portrayal.prefetch import prefetch
from portrayal.track.face import Face
from portrayal.track.tracker import FaceTracker

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions
    from portrayal.media.video import VideoReader
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pose:
    """Where one face of one frame is, and where its keypoints go."""

    square: Square
    own: FaceMotion
    keypoints: Array


def render_video(
    portrait: Portrait,
    video: VideoReader,
    acting: Acting,
    heads: list[Head],
    steps: Iterator[Driven],
    options: LivePortraitOptions,
) -> Iterator[Rgb]:
    """Each driving frame on the next frame of the portrait's own video, which starts again when it ends.

    The video is read twice side by side, since smoothing looks ahead further than frames can be kept. A face
    that is out of sight is left alone.
    """
    faces = [
        prefetch(_poses(portrait, video, face, head, acting, own_steps, options))
        for face, head, own_steps in zip(portrait.faces, heads, tee(steps, len(heads)), strict=True)
    ]
    for picture, *poses in zip(_repeated(video), *faces, strict=False):
        crops = [None if pose is None else _drawn(picture, pose, acting) for pose in poses]
        if not options.paste_back:
            yield crops[0] if crops[0] is not None else heads[0].square.cut(picture)
            continue
        result = picture.copy()
        for pose, crop in zip(poses, crops, strict=True):
            if pose is not None and crop is not None:
                Paste(pose.square, (picture.shape[1], picture.shape[0]))(result, crop)
        yield result


def _poses(
    portrait: Portrait,
    video: VideoReader,
    face: Face,
    head: Head,
    acting: Acting,
    steps: Iterator[Driven],
    options: LivePortraitOptions,
) -> Iterator[Pose | None]:
    """One face through the video; None where it is out of sight."""
    part = acting.part(head.motion, moving=True)
    waiting: list[tuple[Square, bool, FaceMotion, Driven]] = []

    def moved() -> Iterator[FaceMotion]:
        tracker = FaceTracker(face)
        square, own = head.square, head.motion
        for picture, step in zip(_repeated(video), steps, strict=False):
            seen = tracker(picture)
            if seen is not None:
                square = portrait_square(options, seen, portrait.size)
                own = measured(source_input(square.cut(picture)), seen, acting.networks)
            waiting.append((square, seen is not None, own, step))
            yield part.moved(step.motion, own)

    for smoothed in steadied(moved(), options.smoothing):
        square, visible, own, step = waiting.pop(0)
        yield Pose(square, own, acting.placed(part, smoothed, own, [step])) if visible else None


def _drawn(picture: Rgb, pose: Pose, acting: Acting) -> Rgb:
    """(512, 512, 3) the face of one frame with its keypoints where the pose puts them."""
    source = acting.networks.source(source_input(pose.square.cut(picture)), pose.own.keypoints)
    return acting.networks.render(source, pose.keypoints)[0]


def _repeated(video: VideoReader) -> Iterator[Rgb]:
    while True:
        yield from video

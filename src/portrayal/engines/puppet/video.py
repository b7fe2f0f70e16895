"""A portrait that is itself a video: it keeps its own motion and takes the driving's expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eyes import Eyes
from portrayal.engines.puppet.mesh import HeadMesh
from portrayal.engines.puppet.mouth import Mouth
from portrayal.engines.puppet.transfer import Target, Transfer
from portrayal.engines.puppet.warp import MeshWarp, sample
from portrayal.engines.puppet.windows import extent, tiles, whole
from portrayal.motion import MotionFrame
from portrayal.prefetch import prefetch
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.tracker import FaceTracker

if TYPE_CHECKING:
    from portrayal.media.video import VideoReader

Rgb = NDArray[np.uint8]


class MovingActor:
    """One face of a moving picture.

    rgb: its first frame; transfer: of the face in it. What cannot be seen through closed lips and lids is
    made from that frame once, so that it does not flicker.
    """

    def __init__(self, rgb: Rgb, transfer: Transfer) -> None:
        self._transfer, face = transfer, transfer.face
        self._mouth = Mouth(rgb, face)
        self._eyes = Eyes(rgb, face)
        self._tracker = FaceTracker(face)

    def paint(self, picture: Rgb, frame: MotionFrame) -> None:
        """Give the face in `picture` the expression of `frame`, in place; without a face nothing is drawn."""
        face = self._tracker(picture)
        if face is None:
            return
        self._draw(picture, face, self._expressed(face, frame))

    def _expressed(self, face: Face, frame: MotionFrame) -> Target:
        """The first frame's identity with the driving's expression, in the pose of now."""
        neutral = self._transfer.face.pose_free_shape + self._transfer.moved(frame)
        shape = neutral + face.shape - face.pose_free_shape
        return Target(face.pose, shape, self._transfer.tongue(frame))

    def _draw(self, picture: Rgb, face: Face, target: Target) -> None:
        height, width = picture.shape[:2]
        mesh = HeadMesh.build(face, width, height)
        window, offset = mesh.window(width, height)
        warp = MeshWarp(mesh.triangles, extent(window), mesh.level)
        here = HeadPose(target.pose.rotation, target.pose.scale, target.pose.origin - offset)
        warp.place(mesh.moved(face, target) - offset)
        still, canvas = picture[window].copy(), picture[window]
        where = warp.back_to(mesh.rest - offset)
        for tile in tiles(whole(where.size)):
            canvas[tile] = sample(still, where, tile)
        self._mouth.paint(canvas, replace(target, pose=here))
        self._eyes.paint(canvas, replace(target, pose=here))


def repeated(video: VideoReader) -> Iterator[Rgb]:
    """The frames of a video, from the start again when they end."""
    while True:
        yield from video


def render_video(
    video: VideoReader, actors: list[MovingActor], frames: Iterator[MotionFrame]
) -> Iterator[Rgb]:
    """Each driving frame on the next frame of the portrait's own video, which starts again when it ends."""
    for picture, frame in zip(repeated(video), prefetch(frames), strict=False):
        drawn = picture.copy()
        for actor in actors:
            actor.paint(drawn, frame)
        yield drawn

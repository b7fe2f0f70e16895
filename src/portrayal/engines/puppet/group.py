"""Several faces in one picture: each moves on its own ground, and none is painted over another."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.mesh import own_ground
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.topology import OVAL

Rgb = NDArray[np.uint8]


class Group:
    """The faces of a picture (H, W, 3) that act, and those that do not.

    What an actor paints is shown where its face is nearer than any other, and wherever that face itself
    comes; the larger of two faces that meet is in front.
    """

    def __init__(self, rgb: Rgb, faces: Sequence[Face], bystanders: Sequence[Face] = ()) -> None:
        everybody = [*faces, *bystanders]
        self._alone = len(everybody) == 1
        self._faces, self._bystanders = faces, bystanders
        self.actors = [Actor(rgb, face, _without(everybody, face)) for face in faces]
        self._grounds = [
            _ground(actor, face, _without(everybody, face))
            for actor, face in zip(self.actors, faces, strict=True)
        ]

    def paint(self, picture: Rgb, targets: Sequence[Target]) -> None:
        """Draw every actor at its target into `picture`, in place."""
        if self._alone:
            self.actors[0].paint(picture, targets[0])
            return
        outlines = [_outline(target.points) for target in targets]
        still = [_outline(face.landmarks) for face in self._bystanders]
        for one in sorted(range(len(targets)), key=lambda each: targets[each].pose.scale):
            actor = self.actors[one]
            kept = 1 - self._grounds[one]
            rows, columns = actor.window
            corner = (columns.start, rows.start)
            for outline in [*outlines, *still]:
                cv2.fillPoly(kept, [outline - corner], (1,))
            cv2.fillPoly(kept, [outlines[one] - corner], (0,))
            before = picture[actor.window].copy()
            actor.paint(picture, targets[one])
            cv2.copyTo(before, kept, picture[actor.window])


def _without(faces: Sequence[Face], face: Face) -> list[Face]:
    return [other for other in faces if other is not face]


def _ground(actor: Actor, face: Face, others: Sequence[Face]) -> NDArray[np.uint8]:
    """(h, w) 1 where a pixel of the actor's window is its own."""
    rows, columns = actor.window
    x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
    ground = own_ground(face, others, x.astype(np.float32), y.astype(np.float32))
    return (ground > 0).astype(np.uint8)


def _outline(points: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.rint(points[list(OVAL), :2]).astype(np.int32)

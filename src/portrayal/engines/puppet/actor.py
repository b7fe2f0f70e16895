"""One face of one picture, ready to act: everything that depends on the picture alone is made once."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eyes import Eyes
from portrayal.engines.puppet.hidden import HiddenSide
from portrayal.engines.puppet.mesh import HeadMesh
from portrayal.engines.puppet.mouth import Mouth
from portrayal.engines.puppet.plate import STILL, background_plate, foreground, lay_over, with_fringe
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.warp import MeshWarp, sample
from portrayal.engines.puppet.windows import around, tiles, whole
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.matte import person_matte

Rgb = NDArray[np.uint8]


class Actor:
    """Renders one face of a picture in any pose and expression.

    rgb: (H, W, 3) uint8; face: where the face is in it. Everything happens on a stage, the part of the
    picture around the head that can move; the rest of the picture is never touched.
    """

    def __init__(self, rgb: Rgb, face: Face) -> None:
        height, width = rgb.shape[:2]
        mesh = HeadMesh.build(face, width, height)
        self.window, self.offset = mesh.window(width, height)
        self.face = Face(face.landmarks - self.offset)
        stage = np.ascontiguousarray(rgb[self.window])
        self._mesh = replace(mesh, rest=mesh.rest - self.offset)
        self._warp = MeshWarp(mesh.triangles, (stage.shape[0], stage.shape[1]))
        matte = with_fringe(person_matte(rgb, face)[self.window])
        self._warp.place(self._mesh.rest)
        mobility = self._warp.per_vertex(mesh.mobility)
        self._reach = (mobility > 0).astype(np.uint8)  # leave a neighbour's face alone
        plate = background_plate(stage, matte, mobility)
        self._person, self._plate = foreground(stage, matte * np.clip(mobility / STILL, 0, 1), plate)
        self._present = self._warp.knots_near(self._person[..., 3] > 0)
        self._hidden = HiddenSide(stage, self.face, matte)
        self._mouth = Mouth(stage, self.face)
        self._eyes = Eyes(stage, self.face)
        self._supple = _supple(self.face, self._eyes.frames)

    def paint(self, picture: Rgb, target: Target) -> None:
        """Draw the face at `target` (picture pixels) into `picture`, in place."""
        target = Target(_moved(target.pose, -self.offset), target.shape)
        bent = Target(target.pose, self.face.shape + self._supple * (target.shape - self.face.shape))
        self._warp.place(self._mesh.moved(self.face, bent))
        where = self._warp.back_to(self._mesh.rest)
        canvas, fine = picture[self.window], around(target.points, where.size)
        shown = where.knots_on(self._present)
        for tile in tiles(whole(where.size)):
            moved = self._plate[tile]
            if where.is_set(shown, tile):
                moved = lay_over(moved, sample(self._person, where, tile, fine))
            cv2.copyTo(moved, self._reach[tile], canvas[tile])
        self._hidden.cover(canvas, self._warp, target.points)
        self._mouth.paint(canvas, target)
        self._eyes.paint(canvas, target)


def _supple(face: Face, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """(478, 1) how far each landmark may follow an expression: not at all under the frames of glasses, which
    are rigid."""
    near = cv2.GaussianBlur(frames, (0, 0), 0.05 * face.pose.scale)
    height, width = frames.shape
    x, y = np.clip(np.rint(face.landmarks[:, :2].T).astype(int), 0, [[width - 1], [height - 1]])
    return np.asarray(1 - np.clip(3 * near[y, x], 0, 1), np.float32)[:, None]


def _moved(pose: HeadPose, by: NDArray[np.float32]) -> HeadPose:
    return HeadPose(pose.rotation, pose.scale, pose.origin + by)

"""One face of one picture, ready to act: everything that depends on the picture alone is made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import coarseness, repeated, wide_blur
from portrayal.engines.puppet.eyes import Eyes
from portrayal.engines.puppet.hidden import HiddenSide
from portrayal.engines.puppet.lip_corners import to_line_ends
from portrayal.engines.puppet.mesh import HEADROOM, HeadMesh
from portrayal.engines.puppet.mouth import Mouth
from portrayal.engines.puppet.plate import STILL, background_plate, foreground, lay_over, with_fringe
from portrayal.engines.puppet.rig import excess_over
from portrayal.engines.puppet.stretch import Stretch
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.warp import BackwardMap, MeshWarp, sample
from portrayal.engines.puppet.windows import around, extent, tiles, whole
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.matte import person_matte
from portrayal.track.topology import CHIN

Rgb = NDArray[np.uint8]


#: A head rises by as much as its hair has room and by this share of what is seen of the neck, which more
#: would pull out like rubber; freely by this share of that.
PULLED, EASED = 0.35, 0.5


class Actor:
    """Renders one face of a picture in any pose and expression.

    rgb: (H, W, 3) uint8; face: where the face is in it; others: further faces in it. Everything happens on a
    stage, the part of the picture around the head that can move; the rest of the picture is never touched.
    """

    def __init__(self, rgb: Rgb, face: Face, others: Sequence[Face] = ()) -> None:
        height, width = rgb.shape[:2]
        tracked, face = face, to_line_ends(rgb, face)
        self._beyond_tracked = face.shape - tracked.shape
        mesh = HeadMesh.build(face, width, height, others)
        self.window, self.offset = mesh.window(width, height)
        self.face = Face(face.landmarks - self.offset, _moved(face.pose, -self.offset))
        stage = np.ascontiguousarray(rgb[self.window])
        self._warp = MeshWarp(mesh.triangles, extent(self.window), mesh.level)
        step = coarseness(stage.shape)
        size = -(-stage.shape[0] // step), -(-stage.shape[1] // step)
        strict = _matte(rgb, face, self.offset, size, step)
        headroom = step * _headroom(strict, self.face, step) + float(self.offset[1])
        mesh = HeadMesh.build(face, width, height, others, headroom)
        self._rise = max(PULLED * (height - 1 - float(tracked.landmarks[CHIN, 1])), 1.0)
        free = headroom - HEADROOM * min(width, height)
        if free > 0:
            self._rise = min(self._rise, free)
        self._mesh = replace(mesh, rest=mesh.rest - self.offset)
        mobility, reach = (_spread(self._mesh, v, stage.shape, step) for v in (mesh.mobility, mesh.reach))
        matte = with_fringe(strict)
        self._reach = repeated((reach > 0).astype(np.uint8), step)[: stage.shape[0], : stage.shape[1]]
        plate = background_plate(stage, matte, mobility, step, strict)
        self._person, self._plate = foreground(stage, matte * np.clip(mobility / STILL, 0, 1), plate, step)
        self._present = self._warp.knots_near(self._person[..., 3] > 0)
        self._hidden = HiddenSide(stage, self.face, matte, step)
        self._mouth = Mouth(stage, self.face)
        self._eyes = Eyes(stage, self.face)
        self._supple = _supple(self.face, self._eyes.frames)

    def eased(self, target: Target, share: float) -> Target:
        """The target (picture pixels), eased in by a share, 0 to 1, where the upper border would cut
        hair that has room above it, or where the neck would be pulled out."""
        rise = float(self.face.pose.pivot[1] + self.offset[1] - target.pose.pivot[1])
        back = share * excess_over(rise, 0.0, (EASED * self._rise, self._rise))
        return replace(target, pose=_moved(target.pose, np.array([0, back, 0], np.float32)))

    def paint(self, picture: Rgb, target: Target) -> None:
        """Draw the face at `target` (picture pixels) into `picture`, in place."""
        target, where = self._placed(target)
        canvas, fine = picture[self.window], around(target.points, where.size)
        shown, stretch = where.knots_on(self._present), Stretch(where)
        for tile in tiles(whole(where.size)):
            moved = self._plate[tile]
            if where.is_set(shown, tile):
                moved = lay_over(moved, stretch.sample(self._person, tile, fine))
            cv2.copyTo(moved, self._reach[tile], canvas[tile])
        self._draw(canvas, target)

    def turned(self, layer: Rgb, target: Target) -> Rgb:
        """A layer of the picture, (H, W, 4) premultiplied, with the face in it at `target`."""
        result = layer.copy()
        target, where = self._placed(target)
        still, canvas, fine = layer[self.window], result[self.window], around(target.points, where.size)
        for tile in tiles(whole(where.size)):
            cv2.copyTo(sample(still, where, tile, fine), self._reach[tile], canvas[tile])
        colour = np.ascontiguousarray(canvas[..., :3])
        self._draw(colour, target)
        canvas[..., :3] = np.minimum(colour, canvas[..., 3:])
        return result

    def _placed(self, target: Target) -> tuple[Target, BackwardMap]:
        """The target on the stage, and where each pixel of the stage then comes from."""
        target = replace(
            target, pose=_moved(target.pose, -self.offset), shape=target.shape + self._beyond_tracked
        )
        bent = Target(target.pose, self.face.shape + self._supple * (target.shape - self.face.shape))
        self._warp.place(self._mesh.moved(self.face, bent))
        return target, self._warp.back_to(self._mesh.rest)

    def _draw(self, canvas: Rgb, target: Target) -> None:
        """What a warp cannot show of a face at `target` on the stage, over the warped picture, in place."""
        self._hidden.cover(canvas, self._warp, target.points)
        self._mouth.paint(canvas, target)
        self._eyes.paint(canvas, target)


def _spread(
    mesh: HeadMesh, values: NDArray[np.float32], size: tuple[int, ...], step: int
) -> NDArray[np.float32]:
    """(H, W) / step a value of each vertex, spread over a stage of `size`."""
    warp = MeshWarp(mesh.triangles, (-(-size[0] // step), -(-size[1] // step)))
    rest = (mesh.rest + 0.5) / step - 0.5
    warp.place(rest.astype(np.float32))
    return warp.per_vertex(values)


def _matte(
    rgb: Rgb, face: Face, offset: NDArray[np.float32], size: tuple[int, ...], step: int
) -> NDArray[np.float32]:
    """The matte of the stage at `offset` in the picture, of `size` (height, width), a `step`th of it."""
    left, top = (float(x) for x in offset[:2])
    place = np.array([[1, 0, 0.5 - left], [0, 1, 0.5 - top]]) / step - np.array([[0, 0, 0.5], [0, 0, 0.5]])
    return person_matte(rgb, face, place, (size[0], size[1]))


def _headroom(matte: NDArray[np.float32], face: Face, step: int) -> int:
    """How many rows of a matte are above the hair of a face."""
    left, _, right, _ = (round(edge / step) for edge in face.box)
    person = matte[:, max(left, 0) : right].max(1) > 0.5
    return int(person.argmax())


def _supple(face: Face, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """(478, 1) how far each landmark may follow an expression: not at all under the frames of glasses, which
    are rigid."""
    near = around(face.landmarks, frames.shape)
    blurred = wide_blur(frames[near], 0.05 * face.pose.scale)
    corner = np.array([near[1].start, near[0].start])
    x, y = (
        np.clip(np.rint(face.landmarks[:, :2] - corner), 0, np.array(blurred.shape[::-1]) - 1).astype(int).T
    )
    return np.asarray(1 - np.clip(3 * blurred[y, x], 0, 1), np.float32)[:, None]


def _moved(pose: HeadPose, by: NDArray[np.float32]) -> HeadPose:
    return HeadPose(pose.rotation, pose.scale, pose.origin + by)

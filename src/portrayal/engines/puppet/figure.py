"""A person whose shoulders, torso and arms move: layers that are bent as rigidly as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.arap import Grid, Indices, Shape
from portrayal.engines.puppet.body_parts import ARMS, Arm, girth, take_apart
from portrayal.engines.puppet.limbs import BELIEVED, NECK, Complex, Posture, Skeleton
from portrayal.engines.puppet.plate import lay_over
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.warp import MeshWarp, sample
from portrayal.engines.puppet.windows import around, extent_of, tiles
from portrayal.track.body import BodyTracker
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Squares of the meshes, in shoulder widths.
TORSO_STEP, ARM_STEP = 1 / 9, 1 / 16
#: Border of a layer, pixels: what the picture cuts off goes on a little; the last two are transparent, and
#: what is in no mesh is read there.
BORDER = 10


class Figure:
    """Renders one person of a picture in any pose of head and body.

    rgb: (H, W, 3) uint8; face: theirs; body: (133, 3) pixels and scores; actor: moves the head.
    """

    def __init__(self, rgb: Rgb, face: Face, body: Array, actor: Actor) -> None:
        self.skeleton = Skeleton.of(body, face.pose.pivot)
        self.face, self._actor = face, actor
        parts = take_apart(rgb, face, body)
        self._plate = parts.plate
        wide = girth(self.skeleton, face)
        covered = np.maximum.reduce([parts.torso[..., 3], *(layer[..., 3] for _, layer in parts.arms)]) > 0
        self._torso = _Torso(parts.torso, covered, self.skeleton, wide)
        self._arms = [_ArmLayer(layer, arm, wide, self._torso) for arm, layer in parts.arms]

    def paint(self, target: Target, posture: Posture) -> Rgb:
        """The picture with the person's head as `target` says, on the neck of their `posture`."""
        stays = HeadPose.about_pivot(target.pose.angles, target.pose.scale, self.face.pose.pivot)
        torso = self._actor.turned(self._torso.layer.picture, replace(target, pose=stays))
        picture = self._plate.copy()
        self._torso.over(picture, torso, posture.joints)
        for arm in self._arms:
            arm.over(picture, posture)
        return picture


def find_body(rgb: Rgb, face: Face) -> Array | None:
    """(133, 3) the body, pixels and scores, of the person with this face; None where its shoulders are not
    in the picture."""
    tracker = BodyTracker()
    try:
        body = tracker(rgb)
    finally:
        tracker.close()
    if body is None or np.linalg.norm(body[b.NOSE, :2] - face.centre) > face.pose.scale:
        return None
    for wrist, root in ((b.LEFT_WRIST, b.LEFT_HAND), (b.RIGHT_WRIST, b.RIGHT_HAND)):
        if body[root, 2] > BELIEVED:  # the hand is found more exactly than the wrist of a body
            body[wrist, :2] = body[root, :2]
    shoulders = body[[b.LEFT_SHOULDER, b.RIGHT_SHOULDER]]
    inside = (shoulders[:, :2] > 0) & (shoulders[:, :2] < np.array(rgb.shape[1::-1]) - 1)
    return body if inside.all() and (shoulders[:, 2] > BELIEVED).all() else None


class _Layer:
    """A part of a person, premultiplied (H, W, 4), on a mesh.

    pieces: the triangles, in pieces that may lie over each other, from back to front; what several have is
    drawn by each.
    """

    def __init__(self, picture: Rgb, grid: Grid, pieces: list[Indices], depth: Array) -> None:
        """depth: (V,) where a piece lies over itself, what is less deep is seen."""
        self.picture = picture
        self._warps = [MeshWarp(triangles, extent_of(picture)) for triangles in pieces]
        self._source = grid.points + BORDER
        self._placed = np.column_stack([grid.points, depth]).astype(np.float32)

    def over(self, under: Rgb, picture: Rgb, places: Complex) -> None:
        """`picture`, the layer or what was made of it, with its vertices at `places`, over `under`, there."""
        self._placed[:, 0], self._placed[:, 1] = places.real, places.imag
        framed = cv2.copyMakeBorder(picture, *(BORDER - 2,) * 4, cv2.BORDER_REPLICATE)
        framed = cv2.copyMakeBorder(framed, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        for warp in self._warps:
            warp.place(self._placed)
            where = warp.back_to_part(self._source)
            for tile in tiles(around(self._placed, where.size)):
                layer = sample(np.asarray(framed, np.uint8), where, tile)
                if layer[..., 3].any():
                    under[tile] = lay_over(under[tile], layer)


class _Torso:
    """Torso, head and legs: follow neck, shoulders and hips, and stay at the picture's edges.

    covered: (H, W) where the mesh is: the arms, too, which are carried along as far as they do not move.
    """

    def __init__(self, picture: Rgb, covered: NDArray[np.bool_], skeleton: Skeleton, wide: float) -> None:
        grid = Grid.over(covered, max(4, round(TORSO_STEP * wide)))
        self._rest = skeleton.places
        points = grid.points[:, 0] + 1j * grid.points[:, 1]
        self._owners, handles, weights = self._held(points, skeleton, wide, extent_of(picture))
        self._at = points[handles]
        self._shape = Shape(grid, handles, weights)
        self.layer = _Layer(picture, grid, [grid.triangles], np.zeros(len(points), np.float32))
        self._points = self._placed = points

    def over(self, under: Rgb, picture: Rgb, joints: Complex) -> None:
        """`picture`, made of this layer, over `under`, in place."""
        self._placed = self._shape.moved(self._targets(joints), self._placed)
        self.layer.over(under, picture, self._placed)

    def hold(self, points: Complex) -> Callable[[], Complex]:
        """What tells where the torso has carried some points of the picture."""
        near = np.argsort(np.abs(points[:, None] - self._points), 1)[:, :4]
        share = 1 / (np.abs(points[:, None] - self._points[near]) ** 2 + 1e-3)
        share /= share.sum(1, keepdims=True)
        return lambda: points + (share * (self._placed - self._points)[near]).sum(1)

    @staticmethod
    def _held(
        points: Complex, skeleton: Skeleton, wide: float, size: tuple[int, int]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Which joint, or the edge of the picture (-1), holds each handle; the handles; and how firmly."""
        places, trust = skeleton.places, skeleton.trust
        owner = np.full(len(points), -2)
        for joint, radius in (
            (b.LEFT_HIP, 0.2),
            (b.RIGHT_HIP, 0.2),
            (b.LEFT_SHOULDER, 0.14),
            (b.RIGHT_SHOULDER, 0.14),
        ):
            if trust[joint] > 0.5:
                owner[np.abs(points - places[joint]) < radius * wide] = joint
        for joint in (b.LEFT_KNEE, b.RIGHT_KNEE, b.LEFT_ANKLE, b.RIGHT_ANKLE):
            if trust[joint] > 0.5:
                owner[np.abs(points - places[joint]) < 0.15 * wide] = joint
        owner[points.imag < places[NECK].imag] = NECK
        edge = (points.real < 0) | (points.imag > size[0] - 1) | (points.real > size[1] - 1)
        owner[edge & (points.imag > places[NECK].imag)] = -1
        handles = np.flatnonzero(owner > -2)
        weights = np.where(owner[handles] < 0, 8.0, 1.0).astype(np.float32)
        return owner[handles], handles, weights

    def _targets(self, joints: Complex) -> Complex:
        rest, targets = self._rest, self._at.copy()
        line = (b.RIGHT_SHOULDER, b.LEFT_SHOULDER)
        turn = (joints[line[1]] - joints[line[0]]) / (rest[line[1]] - rest[line[0]])
        turn /= abs(turn)
        for joint in set(self._owners.tolist()) - {-1}:
            mine = self._owners == joint
            factor = turn if joint in line else 1
            targets[mine] = joints[joint] + factor * (self._at[mine] - rest[joint])
        return targets


class _ArmLayer:
    """An arm, which follows its bones, or, as far as these do not move of their own, the torso."""

    def __init__(self, picture: Rgb, arm: Arm, wide: float, torso: _Torso) -> None:
        self._arm, self._picture = arm, picture
        grid = Grid.over(picture[..., 3] > 0, max(3, round(ARM_STEP * wide)))
        points = grid.points[:, 0] + 1j * grid.points[:, 1]
        self._bone, self._along, self._aside = self._attached(points)
        self._torso = torso.hold(points)
        cap = (self._bone == 0) & (self._along < -0.02)
        self._handles = np.flatnonzero(self._held(points) | cap)
        self._free = np.where(cap, 0.0, 1.0)
        self._shape = Shape(grid, self._handles)
        bones = self._bone[grid.triangles]
        elbow = (np.abs(points - arm.line[1]) < 1.2 * arm.girth[1])[grid.triangles].any(1)
        pieces = [grid.triangles[elbow | (bones == 0).any(1)], grid.triangles[elbow | (bones > 0).any(1)]]
        self._layer = _Layer(picture, grid, pieces, self._depth(points))

    def over(self, under: Rgb, posture: Posture) -> None:
        """The arm over `under`, in place."""
        line = posture.joints[list(self._arm.joints)]
        hand = line[3] - line[2]
        line[3] = line[2] + abs(self._arm.line[3] - self._arm.line[2]) * hand / max(abs(hand), 1e-6)
        carried = self._torso()
        raised = posture.raised[0 if self._arm.joints == ARMS[0] else 1]
        start = carried + raised * self._free * (line[self._bone] + self._carried(line) - carried)
        self._layer.over(under, self._picture, self._shape.moved(start[self._handles], start))

    def _carried(self, line: Complex) -> Complex:
        """(V,) from the start of its bone to each vertex, as if the bone took it along rigidly."""
        bones = np.diff(line)
        bone = bones[self._bone]
        return self._along * bone + 1j * self._aside * bone / np.abs(bone)

    def _attached(self, points: Complex) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """(V,) the bone nearest to each vertex, how far along it that is, 0 to 1, how far aside, pixels."""
        line = self._arm.line
        bones = np.diff(line)
        local = (points[None] - line[:-1, None]) / bones[:, None]
        nearest = np.abs(local - np.clip(local.real, 0, 1)) * np.abs(bones)[:, None]
        bone = nearest.argmin(0)
        mine = local[bone, np.arange(len(points))]
        return bone, mine.real, mine.imag * np.abs(bones)[bone]

    def _depth(self, points: Complex) -> Array:
        """(V,) pixels from the nearest bone: the transparent margin of the mesh is behind the arm."""
        line = self._arm.line
        bone, along = np.diff(line)[self._bone], np.clip(self._along, 0, 1)
        return np.abs(points - line[self._bone] - along * bone).astype(np.float32)

    def _held(self, points: Complex) -> NDArray[np.bool_]:
        """Vertices along the bones, but for the joints, where the mesh bends as it will."""
        arm = self._arm
        near = np.abs(self._aside) < 0.7 * arm.girth[self._bone]
        inner = arm.line[1:3]
        free = (np.abs(points[None] - inner[:, None]) < 0.9 * arm.girth[1:3, None]).any(0)
        return near & (self._along > 0.1) & (self._along < 1.2) & ~free

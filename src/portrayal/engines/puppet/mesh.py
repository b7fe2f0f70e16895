"""The mesh that carries the picture: the face's own triangles, closed at eyes and mouth, and rings around
them that take hair, ears, hat and neck along and fade into a body and a background that stand still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    MESH_POINTS,
    OVAL,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    triangles,
)

Array = NDArray[np.float32]
Indices = NDArray[np.int32]

#: Rings at these multiples of the face outline, seen from its centre. Below, the first is the rim of the jaw,
#: which lies a little outside the landmarks and moves as they do, whatever the neck does.
RINGS = np.array([1.06, 1.1, 1.18, 1.28, 1.4, 1.55, 1.75, 2.0, 2.3, 2.7, 3.2], np.float32)
#: Jaws drop to within this multiple of the outline.
DROP = 1.5
#: Depth of the head's silhouette in head space: halfway through the skull.
SILHOUETTE_DEPTH = 0.75
#: Below the ears the head ends at the outline of the face: its depth begins so far outside.
JAW = 0.08
#: Nothing moves nearer to the picture's border than the first (eye distances), from the second on all does.
BORDER = 0.23, 0.8
#: Hair is free where it is further from the upper border than this share of the picture's shorter side.
HEADROOM = 0.045
#: Where the silhouette is further out than the outline of the face by this factor, it hides it: from, wholly.
BEHIND = 1.035, 1.065
#: How far below the eyes (head space) the neck begins to stay, and where the body stands still.
NECK, SHOULDERS = 0.9, 1.8
#: The same for what moves the neck itself: it takes shoulders and chest along.
CHEST, BELLY = 2.2, 4.5


@dataclass(frozen=True)
class HeadMesh:
    """rest: (V, 3) stage pixels at rest; the first 468 are the face's landmarks. triangles: (T, 3).

    ring_head: (R, 3) the ring vertices in head space. weight: (R,) how rigidly each follows the skull as it
    turns, sway: (R,) as it moves from place to place, and the body with it.
    drag: (R,) how much it takes of the expression of the outline point it grew from, outline: (R,) it. below:
    (R,) above 0 where a jaw can drop to.
    """

    rest: Array
    triangles: Indices
    ring_head: Array
    weight: Array
    sway: Array
    drag: Array
    below: Array
    outline: Indices

    @classmethod
    def build(
        cls, face: Face, width: int, height: int, others: Sequence[Face] = (), headroom: float = 0.0
    ) -> HeadMesh:
        """The mesh of a face in a picture of this size. others: faces in it that stay as they are. headroom:
        pixels above the hair."""
        points = face.landmarks[:MESH_POINTS]
        oval = points[list(OVAL)]
        centre = oval.mean(0)
        factor = np.repeat(RINGS, len(OVAL))
        outline = np.tile(np.array(OVAL, np.int32), len(RINGS))
        silhouette, behind = _silhouette(points, centre)
        factor[: len(OVAL)] -= (RINGS[0] - 1) * behind
        edges = np.tile(silhouette, (len(RINGS), 1))
        ring = centre + factor[:, None] * (edges - centre)
        skull = face.pose.to_picture(np.array([[0, 0.2, SILHOUETTE_DEPTH]], np.float32))[0, 2]
        downward = (ring - centre)[:, 1] / np.linalg.norm((ring - centre)[:, :2], axis=1)
        upward, jaw = np.clip(-downward, 0, 1), np.clip(2 * downward, 0, 1)
        back = np.clip((factor - 1 - JAW * jaw) / (0.25 + 0.2 * upward), 0, 1)
        ring[:, 2] = edges[:, 2] * (1 - back) + skull * back
        head = face.pose.to_head(ring.astype(np.float32))
        sides = np.minimum.reduce([ring[:, 0], width - 1 - ring[:, 0], height - 1 - ring[:, 1]])
        edge = np.minimum(sides, ring[:, 1])
        free = BORDER[1]
        if headroom > HEADROOM * min(width, height):
            free = min(free, headroom / face.pose.scale)
        inside = 1 - _fall(sides / face.pose.scale, *BORDER)
        inside *= 1 - _fall(ring[:, 1] / face.pose.scale, BORDER[0] / BORDER[1] * free, free)
        inside *= 1 - _fall(own_ground(face, others, ring[:, 0], ring[:, 1]), 0, 0.35)
        weight = inside * _fall(head[:, 1], NECK, SHOULDERS) * _fall(factor, 1.9, 3.2)
        drag = weight * np.exp(-np.maximum(factor - 1 - (RINGS[0] - 1) * jaw, 0) / 0.22)
        near = 1 - _fall(edge / face.pose.scale, 0.05, 0.3)
        sway = inside * _fall(head[:, 1], CHEST, BELLY) * _fall(factor, 2.3, 3.2)
        rest = np.concatenate([points, ring]).astype(np.float32)
        rest[list(OVAL), :2] = silhouette[:, :2]
        return cls(
            rest,
            _triangles(),
            head,
            weight.astype(np.float32),
            sway.astype(np.float32),
            (drag + (factor == RINGS[0]) * jaw * (near - drag)).astype(np.float32),
            (near * jaw * (factor < DROP)).astype(np.float32),
            outline,
        )

    @property
    def reach(self) -> Array:
        """(V,) above 0 where anything can come to move."""
        return np.maximum(self.mobility, np.concatenate([np.ones(MESH_POINTS, np.float32), self.below]))

    @property
    def level(self) -> Indices:
        """(T,) 0 for the face's triangles, from 1 on for those of the rings, inside out: each covers what is
        further out, as a chin covers the neck."""
        outermost = self.triangles.max(1) - MESH_POINTS
        return np.where(outermost < 0, 0, 1 + outermost // len(OVAL)).astype(np.int32)

    @property
    def mobility(self) -> Array:
        """(V,) how much of the head's motion each vertex takes, 0 to 1."""
        return np.concatenate([np.ones(MESH_POINTS, np.float32), np.maximum(self.weight, self.sway)])

    def window(self, width: int, height: int) -> tuple[tuple[slice, slice], Array]:
        """The part of a picture that can move, (rows, columns), and the (3,) offset of its corner."""
        low = np.maximum(np.floor(self.rest[:, :2].min(0)).astype(int), 0)
        high = np.minimum(np.ceil(self.rest[:, :2].max(0)).astype(int) + 1, (width, height))
        return (slice(low[1], high[1]), slice(low[0], high[0])), np.array([*low, 0], np.float32)

    def moved(self, face: Face, target: Target) -> Array:
        """(V, 3) where the vertices are when the face is at `target`."""
        expression = self.drag[:, None] * (target.shape - face.shape)[self.outline]
        rigid = target.pose.to_picture(self.ring_head)
        rest = self.rest[MESH_POINTS:]
        shift = target.pose.pivot - face.pose.pivot
        ring = rest + self.weight[:, None] * (rigid - shift - rest) + self.sway[:, None] * shift
        ring += target.pose.scale * expression @ target.pose.rotation.T
        return np.concatenate([target.points[:MESH_POINTS], ring]).astype(np.float32)


def own_ground(face: Face, others: Sequence[Face], x: Array, y: Array) -> Array:
    """How far places in the picture lie on a face's own side of the border with the nearest of the others,
    eye distances; below 0 beyond it."""

    def away(other: Face) -> Array:
        (left, top), scale = other.centre, other.pose.scale
        return np.asarray(np.hypot(x - left, y - top) / scale, np.float32)

    own = away(face)
    return np.minimum.reduce([np.full_like(own, np.inf), *((away(other) - own) / 2 for other in others)])


def _silhouette(points: Array, centre: Array) -> tuple[Array, Array]:
    """(36, 3) the face's silhouette in the directions of its outline, and (36,) 1 where the outline lies
    behind it, as that of a turned head lies behind nose and cheek."""
    out = points[list(OVAL)] - centre
    hull = points[cv2.convexHull(np.ascontiguousarray(points[:, :2]), returnPoints=False)[:, 0]] - centre
    after = np.roll(hull, -1, 0)
    normal = (after - hull)[:, 1::-1] * (1, -1)
    normal *= np.sign((normal * hull[:, :2]).sum(1, keepdims=True))
    reach = (normal * hull[:, :2]).sum(1) / np.maximum(out[:, :2] @ normal.T, 1e-6)
    edge, reach = reach.argmin(1), reach.min(1)
    met = out * reach[:, None]
    along, step = (met - hull[edge])[:, :2], (after - hull)[edge]
    share = np.clip((along * step[:, :2]).sum(1) / np.maximum((step[:, :2] ** 2).sum(1), 1e-6), 0, 1)
    met[:, 2] = hull[edge, 2] + share * step[:, 2]
    behind = 1 - _fall(reach, *BEHIND)
    return np.asarray(centre + out + behind[:, None] * (met - out), np.float32), behind


def _fall(value: Array, start: float, end: float) -> Array:
    """1 before start, 0 after end, smooth between."""
    t = np.clip((value - start) / (end - start), 0, 1)
    return np.asarray(1 - t * t * (3 - 2 * t), np.float32)


def _triangles() -> Indices:
    """Face, lids and lips closed, rings."""
    parts = [triangles()]
    for top, bottom in (
        (RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM),
        (LEFT_EYE_TOP, LEFT_EYE_BOTTOM),
        (INNER_LIP_TOP, INNER_LIP_BOTTOM),
    ):
        parts.append(_strip(np.array(top), np.array(bottom)))
    count = len(OVAL)
    rows = [np.array(OVAL)] + [MESH_POINTS + count * r + np.arange(count) for r in range(len(RINGS))]
    for inner, outer in pairwise(rows):
        parts.append(_strip(np.append(inner, inner[0]), np.append(outer, outer[0])))
    return np.concatenate(parts).astype(np.int32)


def _strip(a: NDArray[np.int64], b: NDArray[np.int64]) -> Indices:
    """Triangles between two rows of vertices of equal length; none where they share both."""
    first = np.stack([a[:-1], a[1:], b[:-1]], 1)
    second = np.stack([a[1:], b[1:], b[:-1]], 1)
    both = np.concatenate([first, second])
    distinct = (both[:, 0] != both[:, 1]) & (both[:, 1] != both[:, 2]) & (both[:, 0] != both[:, 2])
    return both[distinct].astype(np.int32)

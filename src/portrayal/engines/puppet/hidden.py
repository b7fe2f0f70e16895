"""The side of the face that a three-quarter portrait hides, completed from the side it shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import wide_blur
from portrayal.engines.puppet.fill import push_pull
from portrayal.engines.puppet.plate import blend
from portrayal.engines.puppet.warp import MeshWarp, sample
from portrayal.engines.puppet.windows import around, extent_of, grown, tiles, whole, within
from portrayal.track.face import Face
from portrayal.track.topology import MESH_POINTS, mean_face, triangles

Array = NDArray[np.float32]

#: Side of the unrolled face, pixels, at most; and the axis it is unrolled about, depth in head space.
SIZE = 640
AXIS = 0.8
#: Half width in pixels over which what a turned head shows begins to be shown.
SOFT = 4


class HiddenSide:
    """A layer that covers what the portrait does not show, as far as a turned head shows it.

    The face is unrolled onto a cylinder about the head's axis, where its mirror image is a plain flip.
    matte: (H, W) / step, who is the person. texture: (N, N, 4) uint8, opaque where only the mirrored side was
    visible; places: (468, 2) where each landmark is in it. None of it is needed when `empty`.
    """

    def __init__(self, rgb: NDArray[np.uint8], face: Face, matte: Array, step: int = 1) -> None:
        size = int(np.clip(2.2 * face.pose.scale, 96, SIZE))
        places = _unrolled() * (size / 2.6) + np.array([size / 2, size * 0.36])
        self.places = places[:MESH_POINTS].astype(np.float32)
        warp = MeshWarp(triangles(), (size, size))
        warp.place(np.column_stack([places, np.zeros(len(places))]).astype(np.float32))
        own = sample(rgb, warp.back_to(face.landmarks), whole((size, size))).astype(np.float32)
        seen = _visible(face, matte, step, warp)
        hidden = (1 - seen) * seen[:, ::-1] * _feathered(warp.per_vertex(np.ones(MESH_POINTS, np.float32)))
        hidden = np.asarray(cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), size / 60), np.float32)
        self._facing = facing(face.landmarks)
        self.empty = bool(hidden.max() < 0.3)
        mirrored = own[:, ::-1] * _light(own, seen, size) / _light(own, seen, size)[:, ::-1]
        colour = np.clip(mirrored, 0, 255)
        self.texture = np.dstack([colour, 255 * hidden]).astype(np.uint8)
        self._filled = _touched(self.texture[..., 3], self.places[triangles()])

    def cover(self, canvas: NDArray[np.uint8], warp: MeshWarp, points: Array) -> None:
        """Lay the completed side over the canvas, in place, where the face at `points`, on which `warp` is
        placed, shows more of it than the portrait does."""
        if self.empty:
            return
        more = np.clip((facing(points) - self._facing - 0.03) / 0.12, 0, 1)
        uncovered = (more > 0) & self._filled
        if not uncovered.any():
            return
        size = extent_of(canvas)
        turned = around(points[triangles()[uncovered]].reshape(-1, 3), size)
        window = warp.on_knots(grown(turned, SOFT, size))
        where = warp.back_to_part(self.places, window)
        for tile in tiles(window):
            layer = sample(self.texture, where, within(tile, window))
            if not layer[..., 3].any():
                continue
            wide = grown(tile, SOFT, size)
            shown = cv2.blur(warp.per_triangle(more, wide), (2 * SOFT + 1,) * 2)[within(tile, wide)]
            layer[..., 3] = (layer[..., 3] * shown).astype(np.uint8)
            blend(canvas[tile], layer)


def _touched(mask: NDArray[np.uint8], corners: Array) -> NDArray[np.bool_]:
    """(T,) whether a mask is set in or near each of (T, 3, 2) triangles."""
    longest = int(np.ceil(np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max()))
    near = cv2.dilate(mask, np.ones((2 * longest + 1,) * 2, np.uint8)) > 0
    x, y = np.clip(np.rint(corners[:, 0].T).astype(int), 0, len(mask) - 1)
    return np.asarray(near[y, x])


def _unrolled() -> Array:
    mean = mean_face()
    radius = AXIS - mean[1, 2] * 0.3
    angle = np.arctan2(mean[:, 0], AXIS - mean[:, 2])
    return np.column_stack([angle * radius, mean[:, 1]]).astype(np.float32)


def facing(points: Array) -> Array:
    """(852,) how much each triangle of a face, (468+, 3), looks at the viewer: 1 straight, 0 edge-on."""
    corners = points[triangles()]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-6), np.float32)


def _visible(face: Face, matte: Array, step: int, warp: MeshWarp) -> Array:
    """How well each pixel of the unrolled face is seen in the portrait: 0 turned away, 1 facing."""
    size = 2 * round(0.04 * face.pose.scale / step) + 1
    sure = cv2.erode(matte, np.ones((size, size), np.uint8))
    centre = (np.round(face.landmarks[triangles(), :2].mean(1)) / step).astype(int)
    height, width = matte.shape
    person = sure[centre[:, 1].clip(0, height - 1), centre[:, 0].clip(0, width - 1)]
    seen = np.clip((facing(face.landmarks) - 0.15) / 0.25, 0, 1) * np.clip(person * 2 - 1, 0, 1)
    return warp.per_triangle(np.asarray(seen, np.float32))


def _feathered(mask: Array) -> Array:
    """A mask that rises softly from its outline inwards."""
    inside = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(inside / (0.02 * len(mask)), 0, 1), np.float32)


def _light(own: Array, seen: Array, size: int) -> Array:
    """The large-scale light on the face, continued from what is seen into what is not."""
    sigma = size / 12
    weight = wide_blur(seen, sigma)
    sums = wide_blur(own * seen[..., None], sigma)
    light = sums / np.maximum(weight, 1e-3)[..., None]
    return np.maximum(push_pull(light.astype(np.float32), np.clip(weight * 4 - 0.4, 0, 1)), 8)

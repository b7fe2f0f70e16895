"""The eyes: eyeballs behind the lids, and the lids' skin as they close."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eye_find import Disc, find_edges, find_iris
from portrayal.engines.puppet.eye_geometry import (
    BOTTOM,
    BRIDGE,
    CREASE,
    LASH_BOTTOM,
    LASH_TOP,
    OUTER_BOTTOM,
    OUTER_TOP,
    RIM,
    TOP,
    Anatomy,
    Array,
    Box,
    Frame,
    Lids,
    Region,
    Side,
    iris_points,
    loops,
    region,
)
from portrayal.engines.puppet.eyeball import Eyeball, lid_shade
from portrayal.engines.puppet.glasses import glasses_mask, without
from portrayal.engines.puppet.lid_skin import LidSkin
from portrayal.engines.puppet.mouth_look import Look
from portrayal.engines.puppet.rigid import rigid_map, sample_layer
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face

Rgb = NDArray[np.uint8]

#: Lid skin stretched by less than the first is the picture's own, by more than the second is made.
STRETCH = (1.15, 1.9)
#: The rows that closing lids do not move much.
RINGS = (OUTER_TOP, CREASE, RIM, OUTER_BOTTOM)
#: Within about this distance of a closed eye's corners the skin is made, too (eye distances).
CORNER = 0.03
#: How dark the line is where the lids meet, and its half thickness in eye distances.
LINE, LINE_REACH = 0.5, 0.008
#: Darkest and tint of that line: skin in shadow is redder.
_LINE_TINT = np.array([0.75, 1.0, 1.05], np.float32)


class Eyes:
    """Paints one portrait's eyes.

    rgb: (H, W, 3) uint8; face: its landmarks in the same pixels. The skin from brow to cheek is taken from
    the picture and drawn anew around lids that slide over an eyeball; what the picture hides is completed.
    frames: (H, W) in [0, 1], where the frames of glasses are.
    """

    def __init__(self, rgb: Rgb, face: Face) -> None:
        blur = Look.of(rgb, face).blur
        found = [find_eye(rgb, face, side) for side in ("right", "left")]
        self.frames = frames = glasses_mask(rgb, face, [anatomy for anatomy, _ in found])
        self._eyes = [_Eye(rgb, face, anatomy, disc, frames, blur) for anatomy, disc in found]
        tint = np.mean([eye.ball.white_tint for eye in self._eyes], axis=0)
        for eye in self._eyes:  # one may lie in shadow: both have the same whites
            eye.ball.tint_white(tint)

    def paint(self, canvas: Rgb, target: Target) -> None:
        """Paint into `canvas` ((H, W, 3) uint8, the warped portrait), in place."""
        for eye in self._eyes:
            eye.paint(canvas, target)


def find_eye(rgb: Rgb, face: Face, side: str) -> tuple[Anatomy, Disc]:
    """Where lids and iris of one eye ("right", "left") are."""
    anatomy = Anatomy(face, "right" if side == "right" else "left")
    disc = find_iris(rgb, face, anatomy)
    anatomy.offsets = find_edges(rgb, anatomy, disc)
    return anatomy, disc


class _Eye:
    def __init__(
        self, rgb: Rgb, face: Face, anatomy: Anatomy, disc: Disc, frames: Array, blur: float
    ) -> None:
        self._face, self._anatomy, self._side, self._blur = face, anatomy, anatomy.side, blur
        self._rest = anatomy.rest
        self._gap = self._rest.curves[BOTTOM - 1, :, 1] - self._rest.curves[TOP - 1, :, 1]
        margin = 3 + int(0.06 * face.pose.scale)
        self._box: Box = _bounds(anatomy.frame, self._rest.curves, margin, rgb.shape) or (0, 0, 1, 1)
        left, top, right, bottom = self._box
        self._corner = np.array([left, top], np.float32)
        own = rgb[top:bottom, left:right]
        self._picture, self._glasses = without(own, frames[top:bottom, left:right])
        self.ball = Eyeball(self._picture, self._box, anatomy, disc)
        self._skin = LidSkin(self._picture, self._box, anatomy)
        self._inset = 0.004 + 1.2 / face.pose.scale
        corners = face.shape[loops(self._side)[TOP - 1, [0, -1]]]
        below = corners.mean(0) + np.array([0, 0.2, 0], np.float32)
        self._plane = np.stack([*corners, below]).astype(np.float32)

    def paint(self, canvas: Rgb, target: Target) -> None:
        frame, lids = self._anatomy.moved(target)
        box = _bounds(frame, lids.curves, 2, canvas.shape)
        if box is None:
            return
        closed = 1 - min(lids.openness, 1.0)
        rows = region(self._rest.curves, lids.curves, closed, self._inset)
        x, y = frame.grid(box)
        column = rows.column(x)
        at = np.take(rows.y, column, axis=1)
        painted = self._lids(rows, lids, column, at, x, y, closed)
        to_source = rigid_map(target.pose, self._face.pose, self._plane)
        opening = _opening(at[TOP], at[BOTTOM], y, max(1.2, 1.4 * self._blur) / frame.scale)
        if opening.any():
            painted += opening[..., None] * (self._eyeball(to_source, target, lids, at, y, box) - painted)
        if self._glasses is not None:
            painted += sample_layer(self._glasses, self._corner, to_source, box)
        weight = _weight(rows, at, x, y) * _not_behind_nose(target, frame, self._side, x, y)
        part = canvas[box[1] : box[3], box[0] : box[2]]
        part[:] = np.clip(part + weight[..., None] * (painted - part) + 0.5, 0, 255)

    def _lids(
        self, rows: Region, lids: Lids, column: NDArray[np.intp], at: Array, x: Array, y: Array, closed: float
    ) -> Array:
        """(h, w, 3) the skin, moved as the rows are; where it would be stretched, smooth skin instead."""
        where = self._trace(rows, x, y, column, at, tuple(range(len(at))))
        own = _remap(self._picture, where)
        if closed < 1e-3:
            return own
        skin = _remap(self._skin.skin, self._trace(rows, x, y, column, at, RINGS))
        lashes = _remap(self._skin.lashes, where)
        lashes, outline = lashes[..., :3], lashes[..., 3]
        corners = _near_corners(lids, x, y, closed)
        made = np.maximum(np.maximum(corners, _smooth(closed / 0.7) * outline), _along_edges(at, y, closed))
        for outer, edge in ((CREASE, TOP), (RIM, BOTTOM)):
            made = np.asarray(np.maximum(made, _made(rows, column, at, y, outer, edge)), np.float32)
        dark = (1 - lashes) * (1 - corners)[..., None]
        closing = (skin * (1 - dark) - own) * made[..., None]
        reach = LINE_REACH + 0.8 * self._blur / self._anatomy.frame.scale
        line = LINE * LINE_REACH / reach * np.exp(-(((y - at[TOP]) / reach) ** 2))
        line *= _smooth((closed - 0.35) / 0.6) * _smooth((at[LASH_BOTTOM] - at[LASH_TOP]) / 0.02)
        return np.asarray((own + closing) * (1 - line[..., None] * _LINE_TINT), np.float32)

    def _trace(
        self, rows: Region, x: Array, y: Array, column: NDArray[np.intp], at: Array, used: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Where pixels come from in the layers."""
        from_x, from_y = self._anatomy.frame.pixels(*rows.trace(x, y, column, at, used))
        return from_x - self._corner[0], from_y - self._corner[1]

    def _eyeball(self, to_source: Array, target: Target, lids: Lids, at: Array, y: Array, box: Box) -> Array:
        """(h, w, 3) the eyeball in the box, in the shade of the upper lid."""
        source = self._face.pose
        iris = iris_points(self._side)[0]
        moved = (target.shape[iris] - self._face.shape[iris]) * np.array([1, 1, 0], np.float32)
        gaze = source.scale * (source.rotation @ moved)[:2]
        gap = lids.curves[BOTTOM - 1, :, 1] - lids.curves[TOP - 1, :, 1]
        change = float(np.abs(gap - self._gap).mean()) / max(float(self._gap.mean()), 0.02)
        aside = float(np.hypot(*gaze)) / (0.15 * self.ball.disc.radius)
        rest = float(np.exp(-(aside**2) - (change / 0.2) ** 2))
        colour = self.ball.render(to_source, gaze.astype(np.float32), box, rest)
        return colour * lid_shade(y - at[TOP], at[BOTTOM] - y)[..., None]


def _near_corners(lids: Lids, x: Array, y: Array, closed: float) -> Array:
    """0-1 about the corners of closing eyes, where what the picture shows would bunch up."""
    ends = lids.curves[TOP - 1][[0, -1]]
    near = [np.exp(-(((x - a) / CORNER) ** 2 + ((y - b) / (0.7 * CORNER)) ** 2)) for a, b in ends]
    return np.asarray(_smooth(closed / 0.7) * np.maximum(*near), np.float32)


def _along_edges(at: Array, y: Array, closed: float) -> Array:
    """0-1 on the strips along the edges of closing lids: there only lashes are kept of the picture, no rests
    of the eye's white that it shows beside the edges."""
    above = (y - at[LASH_TOP]) / np.maximum(at[TOP] - at[LASH_TOP], 1e-3)
    below = (at[LASH_BOTTOM] - y) / np.maximum(at[LASH_BOTTOM] - at[BOTTOM], 1e-3)
    strips = np.where(y < at[TOP], above, below)
    return np.asarray(_smooth((closed - 0.2) / 0.6) * _smooth(strips / 0.4), np.float32)


def _made(rows: Region, column: NDArray[np.intp], at: Array, y: Array, outer: int, edge: int) -> Array:
    """0-1: how much of the skin between two rows, a lid's edge and the ring outside it, cannot be the
    picture's own, because it would be stretched."""
    own = np.abs(rows.source[edge, :, 1] - rows.source[outer, :, 1])
    stretch = np.abs(rows.y[edge] - rows.y[outer]) / np.maximum(own, 1e-3)
    share = _smooth((stretch - STRETCH[0]) / (STRETCH[1] - STRETCH[0]))
    share = cv2.GaussianBlur(share[None], (0, 0), 0.05 * len(share))[0][column]
    depth = (y - at[outer]) / np.where(
        np.abs(at[edge] - at[outer]) < 1e-3, np.copysign(1e-3, edge - outer + 0.0), at[edge] - at[outer]
    )
    return share * _smooth(depth / 0.22) * (depth < 1)


def _remap(picture: NDArray[np.uint8] | Array, where: tuple[Array, Array]) -> Array:
    found = cv2.remap(picture, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _bounds(frame: Frame, curves: Array, margin: int, size: tuple[int, ...]) -> Box | None:
    points = frame.out(curves[[0, -1]]).reshape(-1, 2)
    left, top = np.maximum(np.floor(points.min(0)).astype(int) - margin, 0).tolist()
    right, bottom = (np.ceil(points.max(0)).astype(int) + margin + 1).tolist()
    right, bottom = min(right, size[1]), min(bottom, size[0])
    return (left, top, right, bottom) if left < right - 2 and top < bottom - 2 else None


def _smooth(t: Array | float) -> Array:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _opening(top: Array, bottom: Array, y: Array, soft: float) -> Array:
    """How much of each pixel lies between the lids, whose edges are as wide as `soft`."""
    inner = np.clip(np.minimum(y - top, bottom - y) / soft + 0.5, 0, 1)
    return np.asarray(inner * np.clip((bottom - top) / soft, 0, 1), np.float32)


def _weight(rows: Region, at: Array, x: Array, y: Array) -> Array:
    """1 near the eye, fading into the canvas towards the outermost row."""
    above = _smooth((y - at[OUTER_TOP]) / np.maximum(at[CREASE] - at[OUTER_TOP], 1e-3))
    below = _smooth((at[OUTER_BOTTOM] - y) / np.maximum(at[OUTER_BOTTOM] - at[RIM], 1e-3))
    end = rows.start + rows.step * (rows.y.shape[1] - 1)
    sides = _smooth(np.minimum(x - rows.start, end - x) / 0.04)
    return above * below * sides


def _not_behind_nose(target: Target, frame: Frame, side: Side, x: Array, y: Array) -> Array:
    """0 beyond the bridge of the nose, which hides part of the far eye of a head that is turned away."""
    bridge = frame.into(target.points[list(BRIDGE), :2])
    sign = 1.0 if side == "right" else -1.0
    room = sign * (np.interp(y, bridge[:, 1], bridge[:, 0]) - x) if sign * bridge[:, 0].min() else x
    return _smooth(room / 0.03)

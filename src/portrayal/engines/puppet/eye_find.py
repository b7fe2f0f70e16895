"""Where exactly a portrait's lid edges and irises are: landmarks miss them by a few pixels, most of all in
paintings and cartoons."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eye_geometry import (
    BOTTOM,
    CREASE,
    NO_OFFSETS,
    TOP,
    Anatomy,
    Array,
    iris_points,
)
from portrayal.track.face import Face

Rgb = NDArray[np.uint8]

#: Pixels per eye distance of the picture that is searched, and its half size in eye distances.
_DENSITY = 200
_HALF_WIDTH, _HALF_HEIGHT = 0.3, 0.24
#: How far lid edges may lie from their landmarks (eye distances): in their middle, and more on one side.
_SHIFT, _TILT = np.linspace(-0.045, 0.045, 31), np.linspace(-0.025, 0.025, 11)
_STRAY_COST = 0.12
#: The upper lid's edge lies no nearer to its fold than this share of the landmarks' distance.
_TO_FOLD = 0.5
#: How far their corners may lie outside and below their landmarks.
_OUTWARD, _UPWARD = np.linspace(-0.01, 0.05, 7), np.linspace(-0.02, 0.02, 5)
_CORNER_COST = 25.0
#: Irises: radii and shifts that are tried, in landmark radii.
_RADII = np.linspace(0.76, 1.36, 13)
_SHIFTS = np.linspace(-0.4, 0.4, 11)
_PRIOR = 0.35
#: Mean step around a circle, as a share of the eye's contrast, of none and of what is surely an iris.
_CLEAR = (0.1, 0.18)
#: Distance of colours (CIELAB) up to which an eye is of the stuff of its face, and from which on it is not.
_UNLIKE = (12.0, 20.0)


class Disc(NamedTuple):
    """An iris in pixels, and how surely there is one, 0-1: a statue has none."""

    x: float
    y: float
    radius: float
    seen: float


def find_iris(rgb: Rgb, face: Face, anatomy: Anatomy) -> Disc:
    """The circle near the landmarks with the strongest step from dark inside to bright outside, looked at
    where the lids do not cover it (Daugman 1993, integro-differential operator); where no step is clear, as
    in a small face or a closed eye, the landmarks' own."""
    points = face.landmarks[iris_points(anatomy.side), :2]
    radius = max(float(np.linalg.norm(points[1:] - points[0], axis=1).mean()), 1.0)
    reach = int(4 * radius) + 4
    corner = np.maximum(points[0].astype(int) - reach, 0)
    patch = rgb[corner[1] : corner[1] + 2 * reach, corner[0] : corner[0] + 2 * reach]
    grey = cv2.GaussianBlur(_whiteness(patch, anatomy, corner), (0, 0), max(0.5, 0.06 * radius))
    angles = np.radians(np.concatenate([np.arange(-42, 64, 6), np.arange(117, 223, 6)]))
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    shift = np.stack(np.meshgrid(_SHIFTS, _SHIFTS, _RADII, indexing="ij"), -1).reshape(-1, 3)
    centres = points[0] + radius * shift[:, :2]
    step = 0.14 * radius
    levels, open_here = [], None
    for change in (step, 0.0, -step):
        rings = centres[:, None] + (radius * shift[:, 2] + change)[:, None, None] * circle
        where = rings.astype(np.float32)
        x, y = (np.ascontiguousarray(where[..., k] - np.float32(corner[k])) for k in (0, 1))
        levels.append(cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        if change == 0:
            open_here = _inside(anatomy, where)
    assert open_here is not None
    dark, white = np.percentile(levels[1][open_here > 0], (10, 90)) if open_here.any() else (0.0, 255.0)
    contrast = max(float(white - dark), 12.0)
    bright = np.clip((levels[0] - dark) / contrast, 0.0, 1.0) ** 2
    steps = np.clip((levels[0] - levels[2]) / contrast, -0.3, 0.6) * bright * open_here
    seen = np.maximum(open_here.sum(1), 6)
    stray = shift[:, 0] ** 2 + 3 * shift[:, 1] ** 2 + 2 * (shift[:, 2] - 1.0) ** 2
    clear = steps.sum(1) / seen
    best = int(np.argmax(clear - _PRIOR * stray))
    faint, plain = _CLEAR
    share = np.clip((clear[best] - faint) / (plain - faint), 0, 1)
    x, y = points[0] + share * (centres[best] - points[0])
    seen = max(float(share), _unlike_skin(patch, anatomy, corner, points[0], radius))
    return Disc(float(x), float(y), float(radius * (1 + share * (shift[best, 2] - 1))), seen)


def _unlike_skin(
    patch: Rgb, anatomy: Anatomy, corner: NDArray[np.int_], centre: Array, radius: float
) -> float:
    """0 where what should be iris looks as the skin does, 1 where it does not or the lids hide it."""
    lab = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]].astype(np.float32)
    where = np.stack([columns, rows], -1) + corner.astype(np.float32)
    ring = np.linalg.norm(where - centre, axis=2) / radius
    iris, skin = lab[(ring < 0.8) & (_inside(anatomy, where) > 0)], lab[ring > 2.6]
    if len(iris) < 4 or not len(skin):
        return 1.0
    same, other = _UNLIKE
    distance = float(np.linalg.norm(np.median(iris, axis=0) - np.median(skin, axis=0)))
    return float(np.clip((distance - same) / (other - same), 0, 1))


def _whiteness(patch: Rgb, anatomy: Anatomy, corner: NDArray[np.int_]) -> Array:
    """Lightness less what makes each pixel differ in colour from the eye's white."""
    lab = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]].astype(np.float32)
    inside = _inside(anatomy, np.stack([columns, rows], -1) + corner.astype(np.float32)) > 0
    if inside.sum() < 8:
        return np.asarray(lab[..., 0], np.float32)
    light = lab[inside]
    white = np.median(light[light[:, 0] >= np.percentile(light[:, 0], 75)], axis=0)
    tint = np.linalg.norm(lab[..., 1:] - white[1:], axis=2)
    return np.asarray(np.minimum(lab[..., 0], white[0]) - 1.5 * tint, np.float32)


def _inside(anatomy: Anatomy, where: Array) -> Array:
    """1 where points (..., 2) lie between the lids, with a small margin."""
    eye = anatomy.frame.into(where)
    curves = anatomy.rest.curves
    top, bottom = (np.interp(eye[..., 0], c[:, 0], c[:, 1]) for c in (curves[TOP - 1], curves[BOTTOM - 1]))
    return np.asarray((eye[..., 1] > top + 0.006) & (eye[..., 1] < bottom - 0.002), np.float32)


def find_edges(rgb: Rgb, anatomy: Anatomy, disc: Disc) -> Array:
    """(2, K, 2) how far the lids' true edges lie from the landmarks': where skin turns into white or iris, by
    the best of a family of curves. Nothing where the picture does not tell."""
    x = np.arange(-_HALF_WIDTH, _HALF_WIDTH, 1 / _DENSITY, dtype=np.float32)
    y = np.arange(-_HALF_HEIGHT, _HALF_HEIGHT, 1 / _DENSITY, dtype=np.float32)
    grid = np.stack(np.meshgrid(x, y), -1)
    where = anatomy.frame.out(grid)
    patch = cv2.remap(rgb, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(patch.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    curves = anatomy.rest.curves
    rows = [np.interp(x, c[:, 0], c[:, 1])[None] for c in curves]
    outer_top, crease, top, bottom, rim, outer_bottom = rows
    down = y[:, None]
    ring = np.hypot(where[..., 0] - disc.x, where[..., 1] - disc.y) / disc.radius
    eye = (down > top + 0.012) & (down < bottom - 0.008)
    whites = lab[eye & (ring > 1.15)]
    if len(whites) < 20 or (bottom - top).max() < 0.05:
        return NO_OFFSETS
    white = np.median(whites[whites[:, 0] >= np.median(whites[:, 0])], axis=0)
    iris = np.median(lab[eye & (ring < 0.9)], axis=0) if (eye & (ring < 0.9)).any() else white
    to_eye = np.minimum(_distance(lab, white), np.where(ring < 1.02, _distance(lab, iris), np.inf))
    offsets, likenesses = NO_OFFSETS.copy(), []
    for lid, skin_here, sign in (
        (0, (down > outer_top) & (down < crease), 1),
        (1, (down > rim) & (down < outer_bottom), -1),
    ):
        skin = np.median(lab[skin_here & (np.abs(x) < 0.2)[None]], axis=0)
        to_skin = _distance(lab, skin)
        likenesses.append((to_skin - to_eye) / (to_skin + to_eye + 6))
        edge = curves[TOP - 1 + lid]
        middle = (edge - curves[CREASE])[len(edge) // 4 : -len(edge) // 4, 1]
        room = _TO_FOLD * float(middle.mean()) if lid == 0 else np.inf
        offsets[lid, :, 1] = _trace(likenesses[-1], x, y, edge, sign, room)
    return _with_corners(np.minimum(*likenesses), curves[[TOP - 1, BOTTOM - 1]], offsets)


def _with_corners(likeness: Array, lids: Array, offsets: Array) -> Array:
    """Offsets with the corners moved, each by trying where the edge around it is clearest."""
    along = np.linspace(0, 1, lids.shape[1], dtype=np.float32)[None, :, None]
    for pull, outward in ((1 - along, -1), (along, 1)):
        reach = np.clip((pull - 0.4) / 0.6, 0, 1) ** 2
        shifts = np.stack(np.meshgrid(outward * _OUTWARD, _UPWARD, indexing="ij"), -1).reshape(-1, 2)
        scores = [
            _clarity(likeness, lids + offsets + reach * shift, pull[0, :, 0] > 0.7)
            - _CORNER_COST * float((shift**2).sum())
            for shift in shifts.astype(np.float32)
        ]
        still = scores[int(np.argmin((shifts**2).sum(1)))]
        trust = np.clip((max(scores) - still - 0.03) / 0.08, 0, 1)
        offsets = offsets + trust * reach * shifts[int(np.argmax(scores))].astype(np.float32)
    return np.asarray(offsets, np.float32)


def _clarity(likeness: Array, lids: Array, here: NDArray[np.bool_]) -> float:
    """How much more like an eye it is just inside the lids than just outside, at the points `here`."""
    across = np.gradient(lids, axis=1)
    normal = np.stack([-across[..., 1], across[..., 0]], -1)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    normal[1] *= -1
    levels = []
    for depth in (0.012, -0.02):
        at = ((lids + depth * normal + (_HALF_WIDTH, _HALF_HEIGHT)) * _DENSITY).astype(np.float32)
        levels.append(cv2.remap(likeness, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[:, here])
    return float(np.clip(levels[0] - levels[1], -0.3, 0.8).mean())


def _distance(lab: Any, colour: Array) -> Array:
    return np.asarray(np.linalg.norm((lab - colour) * np.array([0.7, 1, 1], np.float32), axis=2), np.float32)


def _trace(likeness: Array, x: Array, y: Array, curve: Array, sign: int, room: float) -> Array:
    """(K,) offsets along the curve of an edge, upwards by `room` at most; sign 1 where the eye is below."""
    half = 5
    sums = np.cumsum(np.pad(likeness, ((half + 1, half), (0, 0)), mode="edge"), axis=0)
    below = (sums[2 * half + 1 :] - sums[half : -half - 1])[: len(y)] / half
    above = (sums[half : -half - 1] - sums[: -2 * half - 1])[: len(y)] / half
    score = np.clip(sign * (below - above), -0.2, 0.8)
    along = np.linspace(-0.95, 0.95, 41)
    across = (along + 1) / 2 * (curve[-1, 0] - curve[0, 0]) + curve[0, 0]
    columns = np.clip(np.rint((across - x[0]) * _DENSITY), 0, len(x) - 1).astype(int)
    shape = 1 - along**4
    moved = _SHIFT[:, None, None] + _TILT[None, :, None] * along
    level = np.interp(across, curve[:, 0], curve[:, 1]) + shape * moved
    rows = np.clip(np.rint((level - y[0]) * _DENSITY), 0, len(y) - 1).astype(int)
    cost = _STRAY_COST * ((_SHIFT[:, None] / _SHIFT[-1]) ** 2 + 0.5 * (_TILT / _TILT[-1]) ** 2)
    gain = np.where(_SHIFT[:, None] < -room, -np.inf, score[rows, columns].mean(2) - cost)
    best, tilt = np.unravel_index(int(gain.argmax()), gain.shape)
    trust = np.clip((gain[best, tilt] - gain[len(_SHIFT) // 2, len(_TILT) // 2]) / 0.05, 0, 1)
    own = (curve[:, 0] - curve[0, 0]) / (curve[-1, 0] - curve[0, 0]) * 2 - 1
    return np.asarray(trust * (1 - own**4) * (_SHIFT[best] + _TILT[tilt] * own), np.float32)

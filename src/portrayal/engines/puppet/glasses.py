"""Glasses: where a portrait's frames are, so that lids and brows do not bend them.

A frame gives itself away on the bridge of the nose, where skin has no line from side to side. From there its
upper rims are followed outwards. Rimless glasses and those whose rims are too faint to follow are not found.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.eye_geometry import BOTTOM, TOP, Anatomy, Array
from portrayal.track.face import Face
from portrayal.track.topology import LEFT_BROW, RIGHT_BROW

Rgb = NDArray[np.uint8]
Columns = NDArray[np.intp]

_DENSITY = 160
_X = np.arange(-0.8, 0.8, 1 / _DENSITY, dtype=np.float32)
_Y = np.arange(-0.32, 0.3, 1 / _DENSITY, dtype=np.float32)
_CORNER = np.array([_X[0], _Y[0]], np.float32)
#: Half width of the bridge, and how far out rims are followed, in eye distances.
_BRIDGE, _REACH = 0.09, 0.58
#: The weakest point of the strongest line across the bridge (Lab) and the mean clarity of rims from which on
#: they are glasses.
BRIDGE_LEAST, RIM_LEAST = 7.5, 1.7
#: Rims are at most this high above and below the line that is followed (eye distances).
_UP, _DOWN = 0.09, 0.045
#: So close above a lid's edge nothing is a rim (eye distances).
LID_FREE = 0.03
_STEEPEST, _BEND_COST = 4, 0.15


def glasses_mask(rgb: Rgb, face: Face, eyes: list[Anatomy]) -> Array:
    """(H, W) float32, 1 on the bridge and the upper rims of a portrait's glasses, 0 elsewhere and without
    glasses. rgb: (H, W, 3) uint8; eyes: the face's, whose lids are not rims."""
    mask = np.zeros(rgb.shape[:2], np.float32)
    lab = cv2.cvtColor(_front_view(rgb, face), cv2.COLOR_RGB2LAB)
    middle = np.stack([cv2.medianBlur(np.ascontiguousarray(lab[..., k]), 27) for k in range(3)], -1)
    apart = lab.astype(np.float32) - middle
    stands_out = np.linalg.norm(cv2.GaussianBlur(apart, (0, 0), 0.6), axis=2).astype(np.float32)
    across, level, weakest = _bridge(stands_out)
    if weakest < BRIDGE_LEAST:
        return mask
    clarity = _clarity(lab, stands_out, face, eyes)
    rims = [(across, level)]
    for side, start in ((-1, level[0]), (1, level[-1])):
        columns, rows, found = _rim(clarity, side, int(start))
        if found < RIM_LEAST:
            return mask
        rims.append((columns, rows))
    for columns, rows in rims:
        top, bottom = _thickness(stands_out, apart[..., 0], columns, rows)
        _fill(mask, face, columns, top, bottom)
    for eye in eyes:
        top, bottom = eye.rest.curves[[TOP - 1, BOTTOM - 1]] - np.array(
            [[[0, LID_FREE]], [[0, 0]]], np.float32
        )
        outline = eye.frame.out(np.concatenate([top, bottom[::-1]]))
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], (0.0,), cv2.LINE_8, 4)
    return mask


def without(picture: Rgb, mask: Array) -> tuple[Rgb, Array | None]:
    """A part of the picture as if there were no glasses, and what (h, w, 3) to add to put them on again; None
    where the (h, w) mask has none."""
    if not mask.any():
        return picture, None
    thick = cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8))
    bare = cv2.inpaint(np.ascontiguousarray(picture), thick, 3, cv2.INPAINT_TELEA)
    return np.asarray(bare, np.uint8), picture.astype(np.float32) - bare


def _front_view(rgb: Rgb, face: Face) -> Rgb:
    """The picture around the eyes as seen from the front, _DENSITY pixels per eye distance."""
    x, y = np.meshgrid(_X, _Y)
    where = _picture(face, x.ravel(), y.ravel()).reshape(*x.shape, 2)
    seen = cv2.remap(rgb, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)


def _picture(face: Face, x: Array, y: Array) -> Array:
    """(N, 2) pixels of points on the sheet that glasses lie on."""
    return face.pose.to_picture(np.stack([x, y, -0.06 + 0.3 * x**2], 1).astype(np.float32))[:, :2]


def _bridge(stands_out: Array) -> tuple[Columns, Columns, float]:
    """Columns and rows of the clearest line across the nose, and its weakest point."""
    columns = np.nonzero(np.abs(_X) < _BRIDGE)[0]
    rows = np.nonzero((_Y > -0.15) & (_Y < 0.12))[0]
    area = stands_out[np.ix_(rows, columns)].T
    best = [area[0]]
    for column in area[1:]:
        before = np.pad(best[-1], 1)
        best.append(np.minimum(np.maximum.reduce([before[:-2], before[1:-1], before[2:]]), column))
    weakest = float(best[-1].max())
    path = _follow(np.minimum(area, 1.2 * weakest) / max(weakest, 1e-3), 1, 0.03)
    return columns, rows[path], weakest


def _clarity(lab: Any, stands_out: Array, face: Face, eyes: list[Anatomy]) -> Array:
    """How much each pixel looks like a rim: sharp edges and lines across, not lids, less so brows."""
    fine = cv2.GaussianBlur(lab.astype(np.float32), (0, 0), 0.8)
    edges = [np.linalg.norm(cv2.Sobel(fine, cv2.CV_32F, 0, n, scale=0.25), axis=2) for n in (1, 2)]
    edge = np.maximum(*edges)
    edge = np.log1p(2 * np.minimum(edge / max(float(np.percentile(edge, 90)), 1e-3), 4))
    usual = 0.35 * float(stands_out[:, np.abs(_X) < _BRIDGE].max()) + 1
    edge *= np.clip(stands_out / usual, 0.3, 1)
    depth = float(face.landmarks[[133, 362], 2].mean())
    for brow in (RIGHT_BROW, LEFT_BROW):
        part = np.zeros(edge.shape, np.uint8)
        cv2.fillConvexPoly(part, cv2.convexHull(_grid(face.shape[list(brow), :2])), (1.0,))
        edge[part > 0] *= 0.6
    for eye in eyes:
        top, bottom = eye.rest.curves[[TOP - 1, BOTTOM - 1]] * np.array([1.1, 1], np.float32)
        top[2:-2, 1] -= 0.022
        bottom[2:-2, 1] += 0.03
        outline = eye.frame.out(np.concatenate([top, bottom[::-1]]))
        head = face.pose.to_head(np.column_stack([outline, np.full(len(outline), depth)]).astype(np.float32))
        part = np.zeros(edge.shape, np.uint8)
        cv2.fillPoly(part, [_grid(head[:, :2])], (1.0,))
        edge[part > 0] = -0.5
    return np.asarray(edge, np.float32)


def _grid(points: Array) -> NDArray[np.int32]:
    return np.rint((points - _CORNER) * _DENSITY).astype(np.int32)


def _rim(clarity: Array, side: int, start: int) -> tuple[Columns, Columns, float]:
    """Columns and rows of an upper rim from the bridge outwards, and how clear it is; glasses are symmetric,
    so the other side has its say."""
    columns = np.nonzero((side * _X > _BRIDGE) & (side * _X < _REACH))[0][::side][::2]
    rows = np.nonzero(_Y < 0.2)[0]
    other = np.clip(len(_X) - 1 - columns, 0, len(_X) - 1)
    mirrored = cv2.dilate(np.ascontiguousarray(clarity[np.ix_(rows, other)].T), np.ones((1, 9), np.uint8))
    gain = clarity[np.ix_(rows, columns)].T + 0.6 * mirrored
    found = gain.copy()
    gain[0, np.abs(rows - start) > 3] -= 1e3
    path = _follow(gain, _STEEPEST, _BEND_COST)
    return columns, rows[path], float(found[np.arange(len(path)), path].mean())


def _follow(gain: Array, steepest: int, bend_cost: float) -> Columns:
    """The row in each column of the smoothest clear line: dynamic programming over rows and slopes."""
    slopes = np.arange(-steepest, steepest + 1)
    bend = bend_cost * (slopes[:, None] - slopes[None, :]) ** 2
    count = gain.shape[1]
    total = np.repeat(gain[0][:, None], len(slopes), 1)
    choices = []
    for column in gain[1:]:
        options = total[:, None, :] - bend[None]
        best = options.argmax(2)
        value = np.take_along_axis(options, best[..., None], 2)[..., 0]
        total = np.full_like(total, -1e9)
        choice = np.zeros_like(best)
        for k, slope in enumerate(slopes):
            low, high = max(0, slope), min(count, count + slope)
            total[low:high, k] = value[low - slope : high - slope, k] + column[low:high]
            choice[low:high, k] = best[low - slope : high - slope, k]
        choices.append(choice)
    row, slope = np.unravel_index(int(total.argmax()), total.shape)
    path = [int(row)]
    for choice in reversed(choices):
        before = choice[row, slope]
        row, slope = row - slopes[slope], before
        path.append(int(row))
    return np.array(path[::-1], np.intp)


def _thickness(stands_out: Array, lightness: Array, columns: Columns, rows: Columns) -> tuple[Array, Array]:
    """Rows at which the rim begins and ends: up over what stands out like it, down over reflections on it."""
    top, bottom = [], []
    for column, row in zip(columns, rows, strict=True):
        line = stands_out[:, column]
        near = slice(max(row - 2, 0), row + 3)
        level = 0.5 * float(line[near].max())
        first = last = int(near.start + np.argmax(line[near]))
        while first > 0 and row - first < _UP * _DENSITY and line[first - 1] > level:
            first -= 1
        while (
            last < len(line) - 1
            and last - row < _DOWN * _DENSITY
            and (line[last + 1] > level and (last - row < 2 or lightness[last + 1, column] > 12))
        ):
            last += 1
        top.append(first - 1.5)
        bottom.append(last + 1.5)
    return _arc(np.array(top, np.float32)), _arc(np.array(bottom, np.float32))


def _arc(edge: Array) -> Array:
    """The edge of a rim, where it leaves a smooth arc pulled back to it."""
    x = np.linspace(-1, 1, len(edge))
    weight = np.ones(len(edge))
    for _ in range(6):
        arc = np.polyval(np.polyfit(x, edge, 4, w=weight), x)
        weight = 1 / (1 + ((edge - arc) / 1.5) ** 2)
    return np.asarray(np.clip(edge, arc - 1.2, arc + 1.2), np.float32)


def _fill(mask: Array, face: Face, columns: Columns, top: Array, bottom: Array) -> None:
    x = _X[columns]
    edges = [_picture(face, x, row / _DENSITY + _Y[0]) for row in (top, bottom)]
    outline = np.concatenate([edges[0], edges[1][::-1]])
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_8, 4)

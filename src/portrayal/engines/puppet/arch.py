"""Curved surfaces inside the mouth and how they appear in the picture: dental arches, the tongue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.geometry import HeadPose

Array = NDArray[np.float32]

#: Millimetres in one eye distance (outer corner to outer corner) of an adult.
MILLIMETRES = 90.0
#: The upper arch seen from below is half an ellipse this wide and deep (Ferrario et al. 1994).
ARCH_HALF_WIDTH, ARCH_DEPTH = 27.0 / MILLIMETRES, 38.0 / MILLIMETRES


@dataclass(frozen=True)
class Surface:
    """A sheet that is upright in head space and curved in x and z alone: points (x(u), y, z(u)).

    u: (K,) increasing, distance along the sheet from its middle; x, z: (K,); all in head space units.
    """

    u: Array
    x: Array
    z: Array

    @classmethod
    def arch(cls, middle: float, front: float, size: float) -> Surface:
        """A dental arch whose front is at x = `middle`, z = `front`; `size` 1 is an adult's upper one."""
        angle = np.linspace(-1.45, 1.45, 181)
        x = size * ARCH_HALF_WIDTH * np.sin(angle)
        z = size * ARCH_DEPTH * (1 - np.cos(angle))
        steps = np.hypot(np.diff(x), np.diff(z))
        u = np.concatenate([[0.0], np.cumsum(steps)])
        u -= u[len(u) // 2]
        return cls(*(a.astype(np.float32) for a in (u, x + middle, z + front)))

    @classmethod
    def plane(cls, middle: float, depth: float) -> Surface:
        u = np.array([-1.0, 1.0], np.float32)
        return cls(u, u + np.float32(middle), np.full(2, depth, np.float32))

    def depth_at(self, u: Array) -> Array:
        """How far behind its front the sheet is at u."""
        return np.interp(u, self.u, self.z - self.z.min()).astype(np.float32)

    def turn_at(self, u: Array) -> Array:
        """Cosine of the angle between the sheet's normal and straight ahead at u."""
        facing = np.gradient(self.x, self.u)
        return np.interp(u, self.u, facing).astype(np.float32)

    def locate(self, pose: HeadPose, x: Array, y: Array) -> tuple[Array, Array]:
        """Where pixels (x (1, W), y (H, 1)) lie on the sheet: two (H, W) arrays u, y (head space).

        Exact for weak perspective: across the picture's image of the y axis, only u counts.
        """
        rotation = pose.rotation
        tall = float(np.hypot(rotation[0, 1], rotation[1, 1]))
        down = rotation[:2, 1] / tall
        across = np.array([down[1], -down[0]], np.float32)
        sheet = np.stack([self.x, self.z]).T @ rotation[:2, (0, 2)].T  # (K, 2), y = 0
        px, py = (x - pose.origin[0]) / pose.scale, (y - pose.origin[1]) / pose.scale
        u = _invert(sheet @ across, self.u, px * across[0] + py * across[1])
        along = px * down[0] + py * down[1]
        base = np.interp(u, self.u, sheet @ down).astype(np.float32)
        return u, np.asarray((along - base) / tall, np.float32)


def _invert(q: Array, u: Array, wanted: Array) -> Array:
    """u where the increasing middle part of q(u) has the wanted values.

    It goes on straight beyond that part, so that what turns out of sight runs off the texture.
    """
    slope = np.diff(q) / np.diff(u)
    middle = len(slope) // 2
    hidden = np.flatnonzero(slope < 0.1)
    low = int(max(hidden[hidden < middle], default=-1)) + 1
    high = int(min(hidden[hidden >= middle], default=len(slope)))
    if high <= low:
        low, high = middle, middle + 1
    q, u, slope = q[low : high + 1], u[low : high + 1], np.maximum(slope[low:high], 0.1)
    inside = np.interp(wanted, q, u)
    beyond = np.maximum(wanted - q[-1], 0) / slope[-1] - np.maximum(q[0] - wanted, 0) / slope[0]
    return np.asarray(inside + beyond, np.float32)


@dataclass(frozen=True)
class Layer:
    """A texture on a sheet. rgba: uint8 (h, w, 4), straight alpha; its pixel (column, row) is at
    u = left + column / density, y = top + row / density."""

    rgba: NDArray[np.uint8]
    surface: Surface
    left: float
    top: float
    density: float

    @classmethod
    def grid(cls, surface: Surface, half: float, top: float, bottom: float, density: float) -> Layer:
        """An empty texture from u = -half to half and y = top to bottom."""
        size = (int((bottom - top) * density) + 2, int(2 * half * density) + 2, 4)
        return cls(np.zeros(size, np.uint8), surface, -half, top, density)

    @property
    def axes(self) -> tuple[Array, Array]:
        """u (1, w) and y (h, 1) of the texture's pixels."""
        height, width = self.rgba.shape[:2]
        u = self.left + np.arange(width, dtype=np.float32)[None, :] / self.density
        y = self.top + np.arange(height, dtype=np.float32)[:, None] / self.density
        return u.astype(np.float32), y.astype(np.float32)

    def with_texture(self, rgb: Array, alpha: Array) -> Layer:
        rgba = np.dstack([rgb, 255 * alpha])
        return replace(self, rgba=np.clip(rgba + 0.5, 0, 255).astype(np.uint8))

    def render(self, pose: HeadPose, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """What the picture's pixels in box (left, top, right, bottom) show of it: uint8 (h, w, 4)."""
        left, top, right, bottom = box
        step = max(1, round(pose.scale / 50))
        x, y = (_knots(a, b, step) for a, b in ((left, right), (top, bottom)))
        u, v = self.surface.locate(pose, x[None, :], y[:, None])
        columns = _full((u - self.left) * self.density, step, (bottom - top, right - left))
        rows = _full((v - self.top) * self.density, step, (bottom - top, right - left))
        seen = cv2.remap(self.rgba, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(seen, np.uint8)

    def sample(self, picture: Array, pose: HeadPose) -> Array:
        """The picture (H, W, C) float32, seen through the texture: (h, w, C); the inverse of `render`."""
        u, y = np.broadcast_arrays(*self.axes)
        x = np.interp(u, self.surface.u, self.surface.x)
        z = np.interp(u, self.surface.u, self.surface.z)
        points = pose.to_picture(np.stack([x, y, z], 2).reshape(-1, 3).astype(np.float32))
        at = points[:, :2].reshape(*u.shape, 2)
        seen = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(seen, np.float32).reshape(*u.shape, -1)


def _knots(start: int, end: int, step: int) -> Array:
    count = -(-(end - start) // step)
    return (start + np.arange(count) * step + (step - 1) / 2).astype(np.float32)


def _full(values: Array, step: int, size: tuple[int, int]) -> Array:
    if step == 1:
        return np.asarray(values, np.float32)
    rows, columns = (n * step for n in values.shape)
    wide = cv2.resize(values.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wide[: size[0], : size[1]])

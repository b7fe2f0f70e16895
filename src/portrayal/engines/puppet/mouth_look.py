"""What a portrait tells about how the inside of its mouth has to look: colours, light, sharpness, grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import wide_blur
from portrayal.engines.puppet.rig import smooth_step
from portrayal.track.face import Face
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    OUTER_LIP_BOTTOM,
    OUTER_LIP_TOP,
    OVAL,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
)

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: How much of the gums' tint light has that they send on.
BOUNCE = 0.8
#: How much redder than skin a tongue is at most.
REDDEST = 1.5
#: Skin beside the mouth: the head's right, its left.
_SKIN_RIGHT, _SKIN_LEFT = (205, 50, 206, 216, 212, 202), (425, 280, 426, 436, 432, 422)
_SKIN_MIDDLE = (164, 200, 199)


@dataclass(frozen=True)
class Look:
    """Colours are (3,) float RGB, 0-255.

    light: brightness of the head's left side over its right, beside the mouth. blur: standard deviation in
    pixels of the picture's sharpest edges. grain: standard deviation of the skin's finest texture. low, high:
    the face's darkest and brightest luminance.
    """

    tooth: Array
    gum: Array
    tongue: Array
    cavity: Array
    light: float
    blur: float
    grain: float
    low: float
    high: float

    @classmethod
    def of(cls, rgb: Rgb, face: Face) -> Look:
        """Measure a portrait (picture uint8 RGB, its face)."""
        points = face.landmarks[:, :2]
        box = _box(points[list(OVAL)], rgb.shape)
        crop = rgb[box].astype(np.float32)
        points = points - np.array([box[1].start, box[0].start], np.float32)
        grey = crop @ LUMA
        smooth = wide_blur(crop, max(0.7, 0.02 * face.pose.scale))
        right, left, middle = (_at(smooth, points[list(i)]) for i in (_SKIN_RIGHT, _SKIN_LEFT, _SKIN_MIDDLE))
        skin = np.median(np.concatenate([right, left, middle]), axis=0).astype(np.float32)
        lip = _lip_colour(smooth, points)
        low = min(float(np.percentile(grey, 0.5)), 0.3 * luma(skin))
        high = float(np.percentile(grey[_inside(points[list(OVAL)], grey.shape)], 97))
        sides = (float(np.median(a @ LUMA)) + 8 for a in (left, right))
        return cls(
            tooth=_tooth_colour(skin, _eye_white(grey, points), high),
            gum=0.85 * (0.6 * lip + 0.4 * skin),
            tongue=_tongue_colour(lip, skin),
            cavity=_with_luma(lip, float(np.clip(0.11 * luma(skin), low, 0.5 * luma(lip) + 1))),
            light=float(np.clip(next(sides) / next(sides), 0.45, 2.2)),
            blur=_edge_blur(grey, face.pose.scale),
            grain=_grain(grey, points),
            low=low,
            high=high,
        )

    def shaded(self, light: Array) -> Array:
        """(h, w, 3) the share of each colour that there is where `light` (h, w), 0-1, is. Into a mouth it
        comes by way of lips and gums."""
        redder = 1 - BOUNCE * (self.gum / max(luma(self.gum), 1) - 1)
        return np.asarray(light[..., None] ** redder, np.float32)


def luma(colour: Array) -> float:
    return float(colour @ LUMA)


def _with_luma(colour: Array, value: float) -> Array:
    return np.asarray(np.clip(colour * (value / max(luma(colour), 1.0)), 0, 255), np.float32)


def _tooth_colour(skin: Array, eye_white: float, high: float) -> Array:
    """Enamel in this light: before the lips shade it brighter than skin, as bright as
    the eye's white; half the skin's tint."""
    bright = float(np.clip(max(1.22 * luma(skin), eye_white), 0, min(1.5 * luma(skin), high, 232)))
    tint = skin / max(luma(skin), 1.0)
    return _with_luma(1 + 0.5 * (tint - 1), bright)


def _tongue_colour(lip: Array, skin: Array) -> Array:
    """As red as lips, but not more yellow than skin; dark, since it lies in the mouth's shade, unless lips
    are hardly redder than skin: there it is told from them by its lightness alone."""
    bluest = skin[2] / max(float(skin[1]), 1)
    red, green, blue = lip
    green = max(green, red / (REDDEST * skin[0] / max(float(skin[1]), 1)))
    redder = red / green * skin[1] / max(float(skin[0]), 1) - 1
    shade = 0.95 - 0.45 * smooth_step(float(redder), 0.1, 0.3)
    return _with_luma(np.array([red, green, max(blue, green * bluest)], np.float32), shade * luma(lip))


def _lip_colour(smooth: Array, points: Array) -> Array:
    inner = points[[*INNER_LIP_TOP[2:-2], *INNER_LIP_BOTTOM[2:-2]]]
    outer = points[[*OUTER_LIP_TOP[2:-2], *OUTER_LIP_BOTTOM[2:-2]]]
    return np.median(_at(smooth, (inner + outer) / 2), axis=0).astype(np.float32)


def _eye_white(grey: Array, points: Array) -> float:
    """Luminance of the brighter part of the eyes' whites; 0 where none is seen."""
    found = []
    for top, bottom, iris in (
        (RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM, RIGHT_IRIS),
        (LEFT_EYE_TOP, LEFT_EYE_BOTTOM, LEFT_IRIS),
    ):
        eye = _inside(points[[*top, *bottom[::-1]]], grey.shape)
        radius = 1.15 * np.linalg.norm(points[iris[1]] - points[iris[3]]) / 2
        rows, columns = np.nonzero(eye)
        outside = np.hypot(columns - points[iris[0], 0], rows - points[iris[0], 1]) > radius
        found.append(grey[rows[outside], columns[outside]])
    values = np.concatenate(found)
    return float(np.percentile(values, 70)) if len(values) > 12 else 0.0


def _edge_blur(grey: Array, scale: float) -> float:
    """Blur of the sharpest edges by blurring them once more (Zhuo and Sim 2011, section 3)."""
    extra = max(1.0, scale / 120)
    base = cv2.GaussianBlur(grey, (0, 0), 0.6)
    again = cv2.GaussianBlur(base, (0, 0), extra)
    once, twice = (_gradient(np.asarray(a, np.float32)) for a in (base, again))
    edges = once >= np.percentile(once, 97)
    ratio = np.maximum(once[edges] / np.maximum(twice[edges], 1e-3), 1.005)
    spread = np.sqrt(np.maximum(np.percentile(extra / np.sqrt(ratio**2 - 1), 30) ** 2 - 0.36, 0.16))
    return float(np.clip(spread, 0.4, 0.03 * scale + 0.4))


def _gradient(grey: Array) -> Array:
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _grain(grey: Array, points: Array) -> float:
    """Deviation of the finest texture on the cheeks, by its median (robust against hair and lines)."""
    rest = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.2))
    radius = max(2, round(0.06 * float(np.linalg.norm(points[33] - points[263]))))
    patches = [
        rest[max(0, int(y) - radius) : int(y) + radius, max(0, int(x) - radius) : int(x) + radius].ravel()
        for x, y in points[[205, 425, 50, 280]]
    ]
    values = np.concatenate(patches)
    return float(1.4826 * np.median(values)) if len(values) else 0.0


def _at(picture: Array, points: Array) -> Array:
    """(N, C) nearest pixels."""
    height, width = picture.shape[:2]
    x = np.clip(np.rint(points[:, 0]).astype(int), 0, width - 1)
    y = np.clip(np.rint(points[:, 1]).astype(int), 0, height - 1)
    return np.asarray(picture[y, x], np.float32)


def _inside(polygon: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon).astype(np.int32)], (1,))
    return mask > 0


def _box(points: Array, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of a picture that holds the points, at least one pixel."""
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    left, top = (int(np.clip(v, 0, n - 1)) for v, n in ((left, shape[1]), (top, shape[0])))
    return slice(top, max(top + 1, min(int(bottom), shape[0]))), slice(
        left, max(left + 1, min(int(right), shape[1]))
    )

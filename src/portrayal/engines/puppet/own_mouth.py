"""What an open mouth shows in the portrait itself: teeth, tongue and dark, told apart and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.arch import Layer, Surface
from portrayal.engines.puppet.mouth_look import LUMA, Look, luma
from portrayal.engines.puppet.opening import Box, Opening, bounds, coverage, lip_shade
from portrayal.engines.puppet.teeth import edge_height
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Teeth fill at least this part of an open mouth that shows any.
SHOWN = 0.08


@dataclass(frozen=True)
class OwnMouth:
    """The inside of the portrait's mouth, in the part of the picture that holds it.

    pose: of the head in that part. colour: (h, w, 3) freed from the lips' shade; inside, tooth: (h, w) 0-1.
    upper: (h, w) 1 where teeth are those of the upper row. upper_edge, lower_edge: y (head space) of the edges in
    the middle, None where no teeth are seen. enamel, dark: (3,) colours, None where not seen.
    """

    pose: HeadPose
    colour: Array
    inside: Array
    tooth: Array
    upper: Array
    upper_edge: float | None
    lower_edge: float | None
    enamel: Array | None
    dark: Array

    @classmethod
    def find(cls, rgb: Rgb, face: Face, opening: Opening, surface: Surface, look: Look) -> OwnMouth | None:
        """What is seen behind the lips; None where they are closed or the gap is too small to tell."""
        contour, seen = opening.contour(Target(face.pose, face.shape))
        box = bounds(contour, 4 + int(0.08 * face.pose.scale), rgb.shape)
        if seen < 1 or box is None or opening.gap * face.pose.scale < 4 or opening.gap < 0.04:
            return None
        pose = HeadPose(face.pose.rotation, face.pose.scale, face.pose.origin - (box[0], box[1], 0))
        covered = coverage(contour, box, 0.5)
        inside = _inner(covered, max(look.blur, 0.016 * pose.scale))
        picture = rgb[box[1] : box[3], box[0] : box[2]].astype(np.float32)
        if inside.sum() < 12:
            return None
        colour = picture / np.maximum(lip_shade(covered, pose), 0.4)[..., None]
        tooth = _tooth_likeness(picture, inside, look)
        dark = _darkest(picture, inside)
        if float((tooth * inside).sum() / inside.sum()) < SHOWN:
            nothing = np.zeros_like(tooth)
            return cls(pose, colour, inside, nothing, nothing, None, None, None, dark)
        u, y = _places(surface, pose, box)
        y = y + edge_height(surface, u)
        upper, lower = _edges(picture @ LUMA, tooth * inside, inside, u, y)
        above = _above_bite(tooth + picture @ LUMA / 255, inside, (y - _between(upper, lower)) * pose.scale)
        enamel = np.average(colour.reshape(-1, 3), axis=0, weights=(tooth**3 * inside).ravel() + 1e-6)
        size = 2 * max(1, round(0.012 * pose.scale)) + 1
        tooth = cv2.morphologyEx(tooth, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
        inside, colour, tooth, above = _carried_on(inside, colour, tooth, above, 0.03 * pose.scale)
        return cls(pose, colour, inside, tooth, above, upper, lower, enamel.astype(np.float32), dark)

    @cached_property
    def _empty(self) -> Array:
        """(h, w) 1 where no tooth is near, and, fading, behind the teeth's edges."""
        reach = max(1.0, 0.012 * self.pose.scale)
        kernel = np.ones((3, 3), np.uint8)
        clear = 1 - cv2.dilate(np.clip(2 * self.tooth, 0, 1), kernel)
        near = cv2.GaussianBlur(clear * self.inside, (0, 0), reach)
        return np.asarray(np.maximum(clear, np.clip(2 * near, 0, 1)), np.float32)

    @cached_property
    def _behind(self) -> Array:
        """(h, w, 3) the colours between the teeth, carried on behind them."""
        reach = max(1.0, 0.02 * self.pose.scale)
        clear = (1 - cv2.dilate(np.clip(2 * self.tooth, 0, 1), np.ones((3, 3), np.uint8))) * self.inside
        mass = cv2.GaussianBlur(clear, (0, 0), reach)[..., None]
        carried = cv2.GaussianBlur(self.colour * clear[..., None], (0, 0), reach) / np.maximum(mass, 1e-3)
        return np.asarray(carried + clear[..., None] * (self.colour - carried), np.float32)

    def into(self, layer: Layer, kind: str) -> Layer:
        """The layer ("upper", "lower" or "back") with what the portrait shows of it; around that, its own
        drawing shaded like it."""
        belongs = {
            "upper": self.tooth * self.upper,
            "lower": self.tooth * (1 - self.upper),
            "back": self._empty,
        }[kind]
        picture = self._behind if kind == "back" else self.colour
        sampled = layer.sample(np.dstack([picture, self.inside, belongs]), self.pose)
        own, inside, belongs = sampled[..., :3], sampled[..., 3], sampled[..., 4]
        drawn = layer.rgba[..., :3].astype(np.float32)
        alpha = layer.rgba[..., 3].astype(np.float32) / 255
        kept = inside * belongs if kind == "back" else inside * np.clip(2 * belongs, 0, 1)
        drawn = _shaded_like(drawn, own, inside * belongs, 0.05 * layer.density)
        colour = drawn + kept[..., None] * (own - drawn)
        return layer.with_texture(colour, alpha if kind == "back" else inside * belongs + (1 - inside) * alpha)


def _inner(covered: Array, margin: float) -> Array:
    """The opening without the edge that the lips' colour reaches, fading."""
    size = 2 * max(1, round(margin)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.GaussianBlur(cv2.erode(covered, kernel), (0, 0), 0.8), np.float32)


def _carried_on(inside: Array, colour: Array, tooth: Array, above: Array, reach: float) -> tuple[Array, ...]:
    """All of them a little further behind the lips, as they are at the nearest place that is seen."""
    hidden = (inside < 0.9).astype(np.uint8)
    distance, label = cv2.distanceTransformWithLabels(
        hidden, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(hidden == 0)
    order = np.zeros(label.max() + 1, np.int64)
    order[label[rows, columns]] = np.arange(len(rows))
    nearest = order[label]
    rows, columns = rows[nearest], columns[nearest]
    seen = np.clip(2 - distance / reach, 0, 1).astype(np.float32)
    weight = (tooth * inside)[..., None]
    mass = cv2.GaussianBlur(weight, (0, 0), reach)[..., None]
    enamel = cv2.GaussianBlur(colour * weight, (0, 0), reach) / np.maximum(mass, 1e-3)
    plain = (np.clip(2 * distance / reach, 0, 1) * tooth[rows, columns])[..., None]
    carried = colour[rows, columns] + plain * (enamel[rows, columns] - colour[rows, columns])
    return seen, carried.astype(np.float32), tooth[rows, columns], above[rows, columns]


def _tooth_likeness(picture: Array, inside: Array, look: Look) -> Array:
    """(h, w) 0-1: bright for this mouth, not dark for this face, and less red than tongue and lips."""
    bright = picture @ LUMA
    values = bright[inside > 0.5]
    if not len(values):
        return np.zeros_like(bright)
    dark, light = np.percentile(values, (4, 95))
    floor = 0.45 * luma(look.tooth)
    threshold = max(dark + 0.36 * (light - dark), floor)
    spread = max(0.14 * (light - dark), 3.0)
    score = _ramp(bright, threshold - spread, threshold + spread)
    red_lip, red_tooth = (_redness(c) for c in (look.tongue, look.tooth))
    if red_lip - red_tooth > 0.06:
        middle, width = red_tooth + 0.6 * (red_lip - red_tooth), 0.2 * (red_lip - red_tooth)
        smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
        score = score * (1 - _ramp(_redness(smooth), middle - width, middle + width))
    return np.asarray(score, np.float32)


def _redness(colour: Array) -> Array:
    return np.asarray(1 - colour[..., 1] / np.maximum(colour[..., 0], 8), np.float32)


def _ramp(value: Array, start: float, end: float) -> Array:
    t = np.clip((value - start) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _darkest(picture: Array, inside: Array) -> Array:
    values = picture[inside > 0.5] if (inside > 0.5).any() else picture.reshape(-1, 3)
    bright = values @ LUMA
    return values[bright <= np.percentile(bright, 15)].mean(0).astype(np.float32)


def _places(surface: Surface, pose: HeadPose, box: Box) -> tuple[Array, Array]:
    x = np.arange(box[2] - box[0], dtype=np.float32)[None, :]
    y = np.arange(box[3] - box[1], dtype=np.float32)[:, None]
    return surface.locate(pose, x, y)


def _edges(bright: Array, tooth: Array, inside: Array, u: Array, y: Array) -> tuple[float | None, float | None]:
    """y of the upper and the lower biting edge in the middle of the mouth, from how tooth-like its rows are."""
    middle = (np.abs(u) < 0.13) & (inside > 0.5)
    if middle.sum() < 8:
        return None, None
    low, high = float(y[middle].min()), float(y[middle].max())
    count = max(4, int((high - low) / 0.006))
    row = np.clip(((y[middle] - low) / (high - low + 1e-6) * count).astype(int), 0, count - 1)
    area = np.bincount(row, minlength=count) + 1e-6
    likeness = np.bincount(row, tooth[middle], count) / area
    level = np.bincount(row, bright[middle], count) / area
    at = low + (np.arange(count) + 0.5) * (high - low) / count
    rows = np.flatnonzero(likeness > 0.5 * likeness.max())
    gaps = np.flatnonzero(np.diff(rows) > max(1, count // 14))
    if len(gaps):  # two rows of teeth with a dark gap between them
        return float(at[rows[gaps[0]]]), float(at[rows[gaps[-1] + 1]])
    if rows[-1] - rows[0] > 0.6 * count and high - low > 0.1:  # teeth from lip to lip: clenched
        inner = slice(int(0.4 * count), max(int(0.85 * count), int(0.4 * count) + 1))
        border = float(at[inner][np.argmin(level[inner])])
        return border, border
    if rows.mean() < 0.55 * count:
        return float(at[rows[-1]]), None
    return None, float(at[rows[0]])


def _between(upper: float | None, lower: float | None) -> float:
    """y between the rows of teeth; of a single row, beyond its edge."""
    if upper is None or lower is None:
        return lower - 0.02 if lower is not None else (upper or 0.0) + 0.02
    return (upper + lower) / 2


def _above_bite(bright: Array, inside: Array, away: Array) -> Array:
    """(h, w) 1 above the darkest path from corner to corner that stays near where the rows should meet.

    away: (h, w) pixels below that place. Dynamic programming, as for seams (Avidan and Shamir 2007).
    """
    reach = max(3.0, 0.25 * float(np.ptp(away[inside > 0.5])))
    cost = np.where(inside > 0.5, cv2.GaussianBlur(bright, (0, 0), 0.8), 2.0) + 0.25 * (away / reach) ** 2
    height, width = cost.shape
    total, came = cost[:, 0].copy(), np.zeros((height, width), np.int64)
    for column in range(1, width):
        steps = np.stack([np.append(np.inf, total[:-1]), total - 0.0, np.append(total[1:], np.inf)])
        steps[[0, 2]] += 0.05
        best = steps.argmin(0)
        came[:, column] = best - 1
        total = cost[:, column] + steps[best, np.arange(height)]
    path = np.empty(width)
    row = int(total.argmin())
    for column in range(width - 1, -1, -1):
        path[column] = row
        row += int(came[row, column])
    rows = np.arange(height)[:, None]
    return np.clip(path[None, :] - rows + 0.5, 0, 1).astype(np.float32)


def _shaded_like(drawn: Array, own: Array, weight: Array, reach: float) -> Array:
    """The drawing with the own picture's large-scale light and colour, fading away from it."""
    blur = {"ksize": (0, 0), "sigmaX": max(reach, 1.0)}
    mass = cv2.GaussianBlur(weight, **blur)
    wanted = cv2.GaussianBlur(own * weight[..., None], **blur) / np.maximum(mass, 1e-3)[..., None]
    present = cv2.GaussianBlur(drawn * weight[..., None], **blur) / np.maximum(mass, 1e-3)[..., None]
    ratio = np.clip(wanted / np.maximum(present, 4), 0.5, 1.7)
    trust = np.clip(4 * mass, 0, 1)[..., None]
    return np.asarray(drawn * (1 + trust * (ratio - 1)), np.float32)

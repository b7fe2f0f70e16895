"""What an open mouth shows in the portrait itself: teeth, tongue and dark, told apart and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.arch import Layer, Surface
from portrayal.engines.puppet.mouth_look import LUMA, Look, luma
from portrayal.engines.puppet.opening import Box, Opening, bounds, coverage, lip_shade
from portrayal.engines.puppet.teeth import edge_height
from portrayal.engines.puppet.tooth_rows import (
    above_bite,
    between,
    biting_edges,
    brightness,
    darkest,
    whiteness,
)
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Teeth fill at least this part of an open mouth that shows any.
SHOWN = 0.15
#: How far behind the lips the own mouth goes on as it is seen, head space.
CARRIED = 0.02
#: What is darker than this share of the teeth's lightness, beyond the last of them, is the dark of the cheek.
DARK = 0.5
#: How far beyond that last tooth the row fades, head space.
FADE = 0.02
Kind = Literal["upper", "lower", "back"]


@dataclass(frozen=True)
class OwnMouth:
    """The inside of the portrait's mouth, in the part of the picture that holds it.

    pose: of the head in that part. inside: (h, w) 1 between the lips; seen: a little wider, as far as
    the rest is known. colour: (h, w, 3), freed from the lips' shade. tooth: (h, w) 1 where teeth are,
    upper: where they are the upper ones. upper_edge, lower_edge: y (head space) of the biting edges in
    the middle, None where no teeth are seen. enamel: (3,) colour of the teeth, None where not seen.
    dark: (3,) the darkest. ends: between which u (see `Layer`) the teeth are, as far as they are seen to end.
    """

    pose: HeadPose
    inside: Array
    seen: Array
    colour: Array
    tooth: Array
    upper: Array
    upper_edge: float | None
    lower_edge: float | None
    enamel: Array | None
    dark: Array
    ends: tuple[float, float]

    @classmethod
    def find(
        cls, rgb: Rgb, face: Face, opening: Opening, surface: Surface, look: Look, expected: float
    ) -> OwnMouth | None:
        """What is seen behind the lips; None where they are closed or the gap is too small to tell.

        surface: of the upper teeth. expected: y of their biting edge, for when the lower lip hides it.
        """
        contour, seen = opening.contour(Target(face.pose, face.shape))
        box = bounds(contour, 4 + int(0.08 * face.pose.scale), rgb.shape)
        if seen < 1 or box is None or opening.gap * face.pose.scale < 4 or opening.gap < 0.04:
            return None
        pose = HeadPose(face.pose.rotation, face.pose.scale, face.pose.origin - (box[0], box[1], 0))
        covered = coverage(contour, box, 0.5)
        inside = _inner(covered, max(look.blur, 0.016 * pose.scale))
        sure = inside > 0.5
        if sure.sum() < 12 or inside.max() < 0.9:
            return None
        picture = rgb[box[1] : box[3], box[0] : box[2]].astype(np.float32)
        colour = picture / np.maximum(lip_shade(covered, pose), 0.4)[..., None]
        bright, dark = brightness(picture, inside, look), darkest(picture, inside)
        strict = bright * whiteness(picture, look)
        if float(strict[sure].mean()) < SHOWN:
            nothing = np.zeros_like(strict)
            carried = _carried_on(inside, colour, nothing, nothing, nothing, CARRIED * pose.scale)
            return cls(pose, *carried, None, None, None, dark, (-np.inf, np.inf))
        u, y = _places(surface, pose, box)
        y = y + edge_height(surface, u)
        grey = picture @ LUMA
        upper, lower = biting_edges(grey[sure], strict[sure], u[sure], y[sure], expected)
        above = above_bite(strict + grey / 255, inside, (y - between(upper, lower)) * pose.scale)
        enamel = np.average(colour[sure], axis=0, weights=strict[sure] ** 3 + 1e-6).astype(np.float32)
        empty = covered * np.clip((DARK - grey / luma(enamel)) / 0.15, 0, 1)
        ends = _ends(bright * covered, empty, u)
        beyond = np.where((u < ends[0]) | (u > ends[1]), empty, 0)
        inside = np.maximum(inside, beyond).astype(np.float32)
        colour = colour + (beyond > 0)[..., None] * (look.cavity - colour)
        tooth = strict + above * (bright - strict)  # what is bright above is gum, if not tooth: rigid as well
        size = 2 * max(1, round(0.012 * pose.scale)) + 1
        closed = cv2.morphologyEx(tooth, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
        tooth = np.asarray(closed, np.float32)
        carried = _carried_on(inside, colour, tooth, strict, above, CARRIED * pose.scale)
        return cls(pose, *carried, upper, lower, enamel, dark, ends)

    @cached_property
    def _clear(self) -> Array:
        """(h, w) 1 where no tooth is near."""
        return np.asarray(
            1 - cv2.dilate(np.clip(2 * self.tooth, 0, 1), np.ones((3, 3), np.uint8)), np.float32
        )

    @cached_property
    def _empty(self) -> Array:
        """(h, w) 1 where no tooth is near, and, fading, behind the teeth's edges."""
        near = cv2.GaussianBlur(self._clear * self.seen, (0, 0), max(1.0, 0.012 * self.pose.scale))
        return np.asarray(np.maximum(self._clear, np.clip(2 * near, 0, 1)), np.float32)

    @cached_property
    def _behind(self) -> Array:
        """(h, w, 3) the colours between the teeth, carried on behind them."""
        carried = _mean_near(self.colour, self._clear * self.seen, 0.02 * self.pose.scale)
        return np.asarray(
            carried + (self._clear * self.seen)[..., None] * (self.colour - carried), np.float32
        )

    def into(self, layer: Layer, kind: Kind) -> Layer:
        """The layer with what the portrait shows of it; around that, its own drawing shaded like it."""
        belongs = {
            "upper": self.tooth * self.upper,
            "lower": self.tooth * (1 - self.upper),
            "back": self._empty,
        }[kind]
        picture = self._behind if kind == "back" else self.colour
        sampled = layer.sample(np.dstack([picture, self.inside, self.seen, belongs]), self.pose)
        own, inside, seen, belongs = sampled[..., :3], *np.moveaxis(sampled[..., 3:], 2, 0)
        drawn = layer.rgba[..., :3].astype(np.float32)
        alpha = layer.rgba[..., 3].astype(np.float32) / 255
        drawn = _shaded_like(drawn, own, seen * belongs, 0.05 * layer.density)
        kept = seen * (belongs if kind == "back" else np.clip(2 * belongs, 0, 1))
        colour = drawn + kept[..., None] * (own - drawn)
        if kind != "back":  # beyond what is seen, teeth end where they are drawn to end
            alpha = seen * belongs * (inside + (1 - inside) * alpha) + (1 - seen) * alpha
            u, _ = layer.axes
            alpha = alpha * np.clip(1 + np.minimum(u - self.ends[0], self.ends[1] - u) / FADE, 0, 1)
        return layer.with_texture(colour, alpha)


def _places(surface: Surface, pose: HeadPose, box: Box) -> tuple[Array, Array]:
    x = np.arange(box[2] - box[0], dtype=np.float32)[None, :]
    y = np.arange(box[3] - box[1], dtype=np.float32)[:, None]
    return surface.locate(pose, x, y)


def _ends(tooth: Array, dark: Array, u: Array) -> tuple[float, float]:
    """The least and the largest u of a tooth, where dark is seen beyond it; endless where none is."""
    of_teeth = np.broadcast_to(u, tooth.shape)[tooth > 0.5]
    if not len(of_teeth):
        return -np.inf, np.inf
    left, right = (float(end) for end in np.percentile(of_teeth, (1, 99)))
    return (
        left if (dark * (u < left)).sum() > 3 else -np.inf,
        right if (dark * (u > right)).sum() > 3 else np.inf,
    )


def _inner(covered: Array, margin: float) -> Array:
    """The opening without the edge that the lips' colour reaches, fading."""
    size = 2 * max(1, round(margin)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.GaussianBlur(cv2.erode(covered, kernel), (0, 0), 0.8), np.float32)


def _carried_on(
    inside: Array, colour: Array, tooth: Array, strict: Array, above: Array, reach: float
) -> tuple[Array, Array, Array, Array, Array]:
    """inside, seen, colour, tooth and above, these three a little further behind the lips than is seen: as at
    the nearest place, but plain."""
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
    plain = np.clip(2 * distance / reach, 0, 1).astype(np.float32)
    usual = _mean_near(tooth[..., None], inside, reach)[..., 0]
    usual = np.clip((usual - 0.3) / 0.3, 0, 1)
    carried_tooth = tooth[rows, columns] * (1 - plain) + usual[rows, columns] * plain
    enamel = _mean_near(colour, strict * inside, reach)
    mixed = (plain * carried_tooth)[..., None]
    carried = colour[rows, columns] * (1 - mixed) + enamel[rows, columns] * mixed
    return inside, seen, carried.astype(np.float32), carried_tooth, above[rows, columns]


def _mean_near(values: Array, weight: Array, reach: float) -> Array:
    """(h, w, C) weighted mean of (h, w, C) values around each pixel."""
    mass = cv2.GaussianBlur(weight, (0, 0), max(reach, 1.0))[..., None]
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), max(reach, 1.0)).reshape(values.shape)
    return np.asarray(total / np.maximum(mass, 1e-4), np.float32)


def _shaded_like(drawn: Array, own: Array, weight: Array, reach: float) -> Array:
    """The drawing with the own picture's large-scale light and colour, fading away from it."""
    wanted, present = (_mean_near(a, weight, reach) for a in (own, drawn))
    ratio = np.clip(wanted / np.maximum(present, 4), 0.5, 1.7)
    near = cv2.GaussianBlur(weight, (0, 0), max(reach, 1.0))
    trust = np.clip(4 * near, 0, 1)[..., None]
    return np.asarray(drawn * (1 + trust * (ratio - 1)), np.float32)

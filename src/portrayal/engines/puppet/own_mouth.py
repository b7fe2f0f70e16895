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
    below,
    between,
    biting_edges,
    brightness,
    darkest,
    tips,
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
#: The tips of teeth are at most so far below their edge in the middle, head space.
TIPS = 0.05
#: How far beyond that last tooth the row fades, head space.
FADE = 0.02
Kind = Literal["upper", "lower", "back"]


@dataclass(frozen=True)
class _View:
    """The part of the picture in `box` that holds the mouth. pose: of the head in that part. covered: (h, w)
    what lies between the lips; inside: clear of them, too. colour: (h, w, 3), freed from their shade."""

    box: Box
    pose: HeadPose
    picture: Array
    covered: Array
    inside: Array
    colour: Array

    @classmethod
    def of(cls, rgb: Rgb, face: Face, opening: Opening, look: Look) -> _View | None:
        contour, seen = opening.contour(Target(face.pose, face.shape))
        box = bounds(contour, 5 + int(0.08 * face.pose.scale), rgb.shape)
        if seen < 1 or box is None or opening.gap * face.pose.scale < 4 or opening.gap < 0.04:
            return None
        pose = HeadPose(face.pose.rotation, face.pose.scale, face.pose.origin - (box[0], box[1], 0))
        covered = coverage(contour, box, 0.5)
        inside = _inner(covered, max(look.blur, 0.016 * pose.scale))
        if (inside > 0.5).sum() < 12 or inside.max() < 0.9:
            return None
        picture = rgb[box[1] : box[3], box[0] : box[2]].astype(np.float32)
        colour = picture / np.maximum(lip_shade(covered, pose), 0.4)[..., None]
        return cls(box, pose, picture, covered, inside, colour)

    @property
    def dark(self) -> Array:
        return darkest(self.picture, self.inside)


@dataclass(frozen=True)
class OwnMouth:
    """The inside of the portrait's mouth, in the part of the picture that holds it.

    box: that part. pose: of the head in it. inside: (h, w) 1 between the lips; seen: a little wider, as far
    as the rest is known. colour: (h, w, 3), freed from the lips' shade. tooth: (h, w) 1 where teeth are,
    upper: where they are the upper ones. upper_edge, lower_edge: y (head space) of the biting edges in
    the middle, None where no teeth are seen. enamel: (3,) colour of the teeth, None where not seen.
    dark: (3,) the darkest. ends: between which u (see `Layer`) the teeth are, as far as they are seen to end.
    past: (h, w) 1 below the tips of the upper teeth, where these are seen and nothing is below but lip.
    steady: (h, w) 1 where the picture shows what stays on the skull, down to the tips of the upper teeth.
    """

    box: Box
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
    past: Array
    steady: Array

    @classmethod
    def find(
        cls, rgb: Rgb, face: Face, opening: Opening, surface: Surface, look: Look, expected: float
    ) -> OwnMouth | None:
        """What is seen behind the lips; None where they are closed or the gap is too small to tell.

        surface: of the upper teeth. expected: y of their biting edge, for when the lower lip hides it.
        """
        view = _View.of(rgb, face, opening, look)
        if view is None:
            return None
        bright = brightness(view.picture, view.inside, look)
        strict = bright * whiteness(view.picture, look)
        if float(strict[view.inside > 0.5].mean()) < SHOWN:
            return cls._without_teeth(view)
        return cls._with_teeth(view, bright, strict, surface, look, expected)

    @classmethod
    def _without_teeth(cls, view: _View) -> OwnMouth:
        nothing = np.zeros_like(view.inside)
        carried = _carried_on(view.inside, view.colour, nothing, nothing, CARRIED * view.pose.scale)
        endless = (-np.inf, np.inf)
        return cls(view.box, view.pose, *carried, None, None, None, view.dark, endless, nothing, nothing)

    @classmethod
    def _with_teeth(
        cls, view: _View, bright: Array, strict: Array, surface: Surface, look: Look, expected: float
    ) -> OwnMouth:
        """bright: (h, w) likeness to teeth and gums, strict: to teeth."""
        sure, grey, scale = view.inside > 0.5, view.picture @ LUMA, view.pose.scale
        u, y = _places(surface, view.pose, view.box)
        y = y + edge_height(surface, u)
        upper, lower = biting_edges(grey[sure], strict[sure], u[sure], y[sure], expected, 1 / scale)
        past = steady = np.zeros_like(strict)
        if upper is not None and lower is None and upper >= expected:
            past = below(tips(strict, view.covered * (y < upper + TIPS)), len(strict))
        enamel = np.average(view.colour[sure], axis=0, weights=strict[sure] ** 3 + 1e-6).astype(np.float32)
        empty = view.covered * np.clip((DARK - grey / luma(enamel)) / 0.15, 0, 1)
        ends = _ends(bright * view.covered, empty, u)
        beyond = empty * np.clip(np.maximum(ends[0] - u, u - ends[1]) / (2 * FADE), 0, 1)
        inside = np.maximum(view.inside, beyond).astype(np.float32)
        colour = view.colour + beyond[..., None] * (look.cavity - view.colour)
        if upper is not None:
            steady = np.asarray(inside * (1 - past) * np.clip(1 + (upper - y) * scale, 0, 1), np.float32)
        above = above_bite(strict + grey / 255, view.inside, (y - between(upper, lower)) * scale)
        tooth = strict + above * (bright - strict)  # what is bright above is gum, if not tooth: rigid as well
        size = 2 * max(1, round(0.012 * scale)) + 1
        closed = cv2.morphologyEx(tooth, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
        carried = _carried_on(inside, colour, np.asarray(closed, np.float32), above, CARRIED * scale)
        return cls(view.box, view.pose, *carried, upper, lower, enamel, view.dark, ends, past, steady)

    def steady_in(self, box: Box) -> Array:
        """`steady` in a box within this one."""
        left, top, right, bottom = np.subtract(box, self.box[:2] * 2)
        return self.steady[top:bottom, left:right]

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
        sampled = layer.sample(np.dstack([picture, self.inside, self.seen, belongs, self.past]), self.pose)
        own, inside, seen, belongs, past = sampled[..., :3], *np.moveaxis(sampled[..., 3:], 2, 0)
        drawn = layer.rgba[..., :3].astype(np.float32)
        alpha = layer.rgba[..., 3].astype(np.float32) / 255
        drawn = _shaded_like(drawn, own, seen * belongs, 0.05 * layer.density)
        kept = seen * (belongs if kind == "back" else np.clip(2 * belongs, 0, 1))
        colour = drawn + kept[..., None] * (own - drawn)
        if kind != "back":  # beyond what is seen, teeth end where they are drawn to end
            alpha = seen * belongs * (inside + (1 - inside) * alpha) + (1 - seen) * alpha
            u, _ = layer.axes
            alpha = alpha * np.clip(1 + np.minimum(u - self.ends[0], self.ends[1] - u) / FADE, 0, 1)
        if kind == "upper":
            alpha = alpha * (1 - past)
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
    inside: Array, colour: Array, tooth: Array, above: Array, reach: float
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
    enamel = _mean_near(colour, tooth * inside, reach)
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

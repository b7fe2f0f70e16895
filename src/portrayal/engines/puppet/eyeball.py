"""What lies behind the lids: white, iris, pupil and the light reflected on them, as layers made once.

White and iris are the picture's own pixels where it shows them and are completed where lids hide them. The
white stays with the skull, the iris moves with the gaze, a reflection moves half as far: it sits on the
cornea, a ball whose centre is half as far from the eye's as the iris is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import wide_blur
from portrayal.engines.puppet.eye_find import Disc
from portrayal.engines.puppet.eye_geometry import BOTTOM, CREASE, RIM, TOP, Anatomy, Array, Box
from portrayal.engines.puppet.rigid import sample_layer

Rgb = NDArray[np.uint8]

#: How much of the light the upper and the lower lid take at their edges, and how far into the eye (eye
#: distances).
SHADE, SHADE_REACH = (0.4, 0.3), (0.03, 0.018)
#: The eyeball's radius in iris radii.
BALL = 2.05
#: What reflections do when the iris moves by 1.
REFLECTION_FOLLOWS = 0.5
#: The least lightness of the white, as a share of the skin's around the eye.
WHITE_OVER_SKIN = 0.82
#: The colour of pale skin in white light, at lightness 1.
SKIN = np.array([1.22, 0.96, 0.82], np.float32)
#: Closed eyes show less of their irises than this: those are brown then, as most are. How bright, as a share
#: of the skin around; size and brightness of the pupil.
HIDDEN, BROWN, PUPIL = 0.08, 0.3, (0.35, 0.1)
_BINS = 24
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def lid_shade(below: Array, above: Array) -> Array:
    """Light (0-1) that reaches the eyeball so far (eye distances) below the upper lid's edge and above the
    lower's."""
    upper = 1 - SHADE[0] * np.exp(np.minimum(-below / SHADE_REACH[0], 0))
    return np.asarray(upper * (1 - SHADE[1] * np.exp(np.minimum(-above / SHADE_REACH[1], 0))), np.float32)


class Eyeball:
    """One eye's layers. picture: the part of the portrait in `box`, around the eye; disc: its iris, in the
    portrait's pixels."""

    def __init__(self, picture: Rgb, box: Box, anatomy: Anatomy, disc: Disc) -> None:
        left, top, right, bottom = box
        own = picture.astype(np.float32)
        self._corner = np.array([left, top], np.float32)
        self.disc = disc
        x, y = anatomy.frame.grid(box)
        curves = anatomy.rest.curves
        upper, lower = (np.interp(x, c[:, 0], c[:, 1]) for c in (curves[TOP - 1], curves[BOTTOM - 1]))
        margin = 0.006 + 0.5 / anatomy.frame.scale
        inside = ((y > upper + margin) & (y < lower - 0.7 * margin)).astype(np.float32)
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
        ring = np.hypot(columns - disc.x, rows - disc.y) / disc.radius
        own = own / lid_shade(y - upper, lower - y)[..., None]
        soft = (0.5 + 0.06 * disc.radius) / disc.radius
        self._alpha = disc.seen * _step(ring, 1 + soft, 1 - soft)
        disc_seen, reflection = _reflections(own, ring, inside)
        self._iris = _complete_iris(own, ring, disc_seen, disc, self._corner)
        self._light = np.maximum(own - self._iris, 0) * reflection[..., None]
        outside = (y < curves[CREASE][:, 1].min()) | (y > curves[RIM - 2][:, 1].max())
        self._white = _white_enough(_white(own, ring, inside), inside, own[outside])
        self._own, self._box = own, box
        self._settle()

    @property
    def white_tint(self) -> Array:
        """(3,) the colour of the white at lightness 1."""
        colour = np.median(self._white.reshape(-1, 3), axis=0)
        return np.asarray(colour / max(float(colour @ _LUMA), 1), np.float32)

    def tint_white(self, tint: Array) -> None:
        """Give the white another colour (see :attr:`white_tint`) and keep its lightness."""
        self._white *= tint / np.maximum(self.white_tint, 0.05)
        self._settle()

    def _settle(self) -> None:
        """What the picture's own eye has beyond the layers: shown at rest."""
        unmoved = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
        self._rest = self._own - self._layers(unmoved, np.zeros(2, np.float32), self._box)

    def render(self, to_source: Array, gaze: Array, box: Box, rest: float) -> Array:
        """(h, w, 3) float, unshaded: the eyeball in a box of the canvas.

        to_source: (2, 3) map from canvas pixels to the portrait's. gaze: (2,) shift of the iris in the
        portrait's pixels. rest: 0-1, how much the eye is as it was pictured.
        """
        colour = self._layers(to_source, gaze, box)
        if rest > 0.004:
            colour += rest * self._sample(self._rest, to_source, np.zeros(2, np.float32), box)
        return colour

    def _layers(self, to_source: Array, gaze: Array, box: Box) -> Array:
        colour = self._sample(self._white, to_source, np.zeros(2, np.float32), box)
        turned = self._turned(to_source, gaze)
        alpha = self._sample(self._alpha, turned, gaze, box, cv2.BORDER_CONSTANT)[..., None]
        colour += alpha * (self._sample(self._iris, turned, gaze, box) - colour)
        half = REFLECTION_FOLLOWS * gaze
        colour += alpha * self._sample(self._light, to_source, half, box, cv2.BORDER_CONSTANT)
        return colour

    def _turned(self, to_source: Array, gaze: Array) -> Array:
        """The map for an iris that has turned aside: narrower in the direction of its shift."""
        shift = float(np.hypot(*gaze))
        if shift < 1e-3:
            return to_source
        along = gaze / shift
        widen = 1 / np.sqrt(max(1 - (shift / (BALL * self.disc.radius)) ** 2, 0.4)) - 1
        stretch = np.eye(2, dtype=np.float32) + np.float32(widen) * np.outer(along, along).astype(np.float32)
        centre = np.array([self.disc.x, self.disc.y], np.float32) + gaze
        turned = stretch @ to_source
        turned[:, 2] += centre - stretch @ centre
        return np.asarray(turned, np.float32)

    def _sample(
        self, layer: Array, to_source: Array, shift: Array, box: Box, border: int = cv2.BORDER_REPLICATE
    ) -> Array:
        return sample_layer(layer, self._corner + shift, to_source, box, border)


def _step(value: Array, start: float, end: float) -> Array:
    t = np.clip((value - start) / (end - start), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _radial(values: Array, ring: Array, weight: Array, percentile: float = 50) -> Array:
    """(bins, channels) percentiles over rings up to the disc's edge, where the weight says; gaps are filled
    from their neighbours."""
    index = np.minimum((ring * _BINS).astype(int), _BINS)
    known, found = [], []
    for bin_ in range(_BINS):
        here = (index == bin_) & (weight > 0.5)
        if here.any():
            known.append(bin_)
            found.append(np.percentile(values[here], percentile, axis=0))
    if not found:
        colour = np.median(values[ring < 1], axis=0) if (ring < 1).any() else values.mean((0, 1))
        known, found = [0], [colour]
    table = np.array(found, np.float32)
    profile = np.stack([np.interp(np.arange(_BINS), known, c) for c in table.T], 1).astype(np.float32)
    smooth = cv2.GaussianBlur(profile, (1, 3), 0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32).reshape(_BINS, -1)


def _reflections(own: Array, ring: Array, inside: Array) -> tuple[Array, Array]:
    """Weight of the pixels that show the iris itself, and a soft mask of the reflections on it."""
    disc = inside * (ring < 0.95)
    grey = own @ _LUMA
    profile = _radial(grey[..., None], ring, disc, 70)[:, 0]
    usual = np.interp(ring * _BINS - 0.5, np.arange(_BINS), profile)
    bright = ((grey - usual > 0.3 * (255 - usual)) & (ring < 0.9) & (inside > 0)).astype(np.float32)
    grown = cv2.dilate(bright, np.ones((3, 3), np.uint8))
    soft = cv2.GaussianBlur(grown, (0, 0), 0.7) * (ring < 1)
    return disc * (1 - np.minimum(grown, 1)), np.asarray(np.maximum(soft, bright), np.float32)


def _complete_iris(own: Array, ring: Array, seen: Array, disc: Disc, corner: Array) -> Array:
    """The whole disc: own pixels, those of the mirrored lower or upper half, else the mean at this radius."""
    profile = _radial(own, ring, seen * (ring < 0.88))
    if seen.sum() < HIDDEN * np.pi * disc.radius**2:
        profile = _brown(own)
    at = np.clip(np.minimum(ring, 0.9) * _BINS - 0.5, 0, _BINS - 1)
    mean = np.stack([np.interp(at, np.arange(_BINS), c) for c in profile.T], -1).astype(np.float32)
    soft = seen * cv2.GaussianBlur(seen, (0, 0), max(0.6, 0.06 * disc.radius)) * _step(ring, 0.97, 0.85)
    height, width = ring.shape
    flip = np.array([[1, 0, 0], [0, -1, 2 * (disc.y - corner[1])]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mirrored = cv2.warpAffine(own, flip, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.warpAffine(soft, flip, (width, height), flags=flags)[..., None]
    filled = mean + 0.7 * known * (mirrored - mean)
    return np.asarray(filled + soft[..., None] * (own - filled), np.float32)


def _brown(around: Array) -> Array:
    """(bins, 3) a dark iris with its pupil, in the colours and the light of what is around."""
    dark = _step((np.arange(_BINS) + 0.5) / _BINS, PUPIL[0], PUPIL[0] + 0.15)[:, None]
    skin = np.median(around.reshape(-1, 3), axis=0)
    return np.asarray((PUPIL[1] + dark * (BROWN - PUPIL[1])) * skin, np.float32)


def _white(own: Array, ring: Array, inside: Array) -> Array:
    """The white as if there were no iris and no lids: own pixels, spread into what is hidden."""
    grey = own @ _LUMA
    weight = inside * (ring > 1.12)
    if weight.sum() < 6:
        weight = inside * (ring > 0.95) + 1e-4 * inside + 1e-9
    bright = float(np.percentile(grey[weight > 0.5 * weight.max()], 75))
    weight = weight * np.clip((grey / bright - 0.45) / 0.3, 0.02, 1)
    far = max(own.shape[:2])
    total = (weight[..., None] * own).sum((0, 1)) / weight.sum()
    filled = np.broadcast_to(total, own.shape).astype(np.float32)
    radius = far / 4
    while radius > 0.6:
        share = wide_blur(weight, radius)
        mean = wide_blur(own * weight[..., None], radius) / np.maximum(share, 1e-6)[..., None]
        trust = np.clip(share * 6, 0, 1)[..., None]
        filled = filled + trust * (mean - filled)
        radius /= 1.8
    solid = np.clip(cv2.erode(weight, np.ones((3, 3), np.uint8)) * 1.2, 0, 1)[..., None]
    return np.asarray(filled + solid * (own - filled), np.float32)


def _white_enough(white: Array, inside: Array, skin: Array) -> Array:
    """Where what should be white is much darker than skin (a deep shadow, a blurred small eye), lighter and
    paler, in the light that the skin is in: it is about to be seen in the open."""
    if not len(skin) or not inside.any():
        return white
    colour, around = np.median(white[inside > 0], axis=0), np.median(skin, axis=0)
    light = float(colour @ _LUMA) + 1
    gain = float(np.clip(WHITE_OVER_SKIN * float(around @ _LUMA) / light, 1, 1.9))
    pale = 0.75 * min((gain - 1) / 0.3, 1)
    tint = 0.5 + 0.5 * around / max(float(around @ _LUMA), 1) / SKIN
    return np.asarray(gain * (white + pale * ((white @ _LUMA)[..., None] * tint - white)), np.float32)

"""The inside of the mouth: what appears between the lips when they part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.arch import Surface
from portrayal.engines.puppet.mouth_look import Look
from portrayal.engines.puppet.opening import Box, Opening, bounds, cast, coverage, lip_shade
from portrayal.engines.puppet.own_mouth import OwnMouth
from portrayal.engines.puppet.remainder import Remainder
from portrayal.engines.puppet.rig import smooth_step
from portrayal.engines.puppet.teeth import back_of_mouth, lower_teeth, recoloured, upper_teeth
from portrayal.engines.puppet.tongue import put_out, tongue
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose, rotation_matrix
from portrayal.track.topology import (
    LIP_BOTTOM_INNER,
    LIP_TOP_INNER,
    MOUTH_LEFT_INNER,
    MOUTH_RIGHT_INNER,
    mean_face,
)

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

_SUBNASALE = 2
_MIDLINE = (2, 164, 0)
_CHIN = [152, 148, 377, 176, 400, 199, 200]
#: Lips less than this apart (head space) with no teeth behind them stay as they are pictured; what the mouth
#: opens beyond that shows its inside.
PARTED = 0.1
#: How dark the shadow is that the upper teeth cast upon the lower.
SHADOW = 0.45
#: A tongue is put out by this much before it is plainly seen.
TONGUE_SHOWS = 0.15
#: The jaw's joint in head space, in front of the ear.
JOINT: Array = np.array([0.0, 0.3, 0.55], np.float32)


@dataclass(frozen=True)
class Anatomy:
    """Where the teeth are behind the lips of one portrait; head space.

    middle: x of the midline. front: z of the upper incisors. size: of mouth and teeth against an adult's.
    upper_edge, lower_edge: y of the biting edges in the portrait. width: of the mouth at rest.
    """

    middle: float
    front: float
    size: float
    upper_edge: float
    lower_edge: float
    width: float

    @classmethod
    def of(cls, face: Face) -> Anatomy:
        shape, mean = face.shape, mean_face()
        usual = _mouth_width(mean)
        size = float(np.clip(0.45 + 0.55 * _mouth_width(shape) / usual, 0.6, 1.08))
        top, bottom = float(shape[LIP_TOP_INNER, 1]), float(shape[LIP_BOTTOM_INNER, 1])
        philtrum = 0.94 * float(mean[LIP_TOP_INNER, 1] - mean[_SUBNASALE, 1])
        parted = smooth_step(bottom - top, 0.02, 0.06)
        raised = np.clip(float(shape[_SUBNASALE, 1]) + philtrum - top, 0, 0.09)
        seam = top + parted * float(raised)
        return cls(
            middle=float(shape[list(_MIDLINE), 0].mean()),
            front=float(shape[LIP_TOP_INNER, 2]) + 0.06,
            size=size,
            upper_edge=seam + 0.024 * size,
            lower_edge=max(seam + 0.004, bottom - 0.025 * size),
            width=min(_mouth_width(shape), 1.12 * usual),
        )


def _alpha(rgba: Rgb) -> Array:
    """(h, w, 1) of (h, w, 4), 0 to 1."""
    return rgba[..., 3:].astype(np.float32) * np.float32(1 / 255)


def _mouth_width(shape: Array) -> float:
    return float(np.linalg.norm(shape[MOUTH_LEFT_INNER] - shape[MOUTH_RIGHT_INNER]))


class Mouth:
    """Paints the inside of one portrait's mouth.

    rgb: (H, W, 3) uint8; face: its landmarks in the same pixels. Teeth, tongue and gums are textures on
    curved sheets, made once; they turn with the skull or swing with the jaw and never stretch. What the
    portrait shows of its own mouth is kept; the rest is drawn to match the picture.
    """

    def __init__(self, rgb: Rgb, face: Face) -> None:
        self._face = face
        self._opening = Opening(face)
        look, place = Look.of(rgb, face), Anatomy.of(face)
        self._anatomy, self._soft = place, float(np.clip(look.blur, 0.5, 0.02 * face.pose.scale + 0.5))
        upper_sheet = Surface.arch(place.middle, place.front, place.size)
        lower_sheet = Surface.arch(place.middle, place.front + 0.025, 0.9 * place.size)
        back_sheet = Surface.plane(place.middle, place.front + 0.14)
        own = OwnMouth.find(rgb, face, self._opening, upper_sheet, look, place.upper_edge)
        if own is not None and own.enamel is None and self._opening.gap < PARTED:
            own, self._opening = None, self._opening.as_shut()
        upper_edge, lower_edge = place.upper_edge, place.lower_edge
        if own is not None:
            look = recoloured(look, own.enamel, own.dark)
            top, bottom = (float(face.shape[i, 1]) for i in (LIP_TOP_INNER, LIP_BOTTOM_INNER))
            upper_edge = min(upper_edge, top) if own.upper_edge is None else own.upper_edge
            lower_edge = max(lower_edge, bottom) if own.lower_edge is None else own.lower_edge
        density = max(face.pose.scale, 24.0)
        size = place.size
        self._upper = upper_teeth(upper_sheet, upper_edge, size, look, density)
        self._lower = lower_teeth(lower_sheet, lower_edge, size, look, density)
        self._back = back_of_mouth(back_sheet, lower_edge, size, look, density)
        if own is not None:
            self._upper = own.into(self._upper, "upper")
            self._lower = own.into(self._lower, "lower")
            self._back = own.into(self._back, "back")
        self._look = look
        teeth = np.array([place.middle, lower_edge, face.shape[LIP_BOTTOM_INNER, 2]], np.float32)
        self._tongue = tongue(teeth, size, look, density)
        self._remainder = self._compared(rgb, own)

    def _compared(self, rgb: Rgb, own: OwnMouth | None) -> Remainder | None:
        """The picture's own mouth against the drawn one; None where it is closed."""
        rest = Target(self._face.pose, self._face.shape)
        contour, seen = self._opening.contour(rest)
        box = self._box(contour, rgb)
        if seen == 0 or box is None:
            return None
        part = rgb[box[1] : box[3], box[0] : box[2]]
        covered = coverage(contour, box, self._soft) * np.float32(seen)
        steady = np.zeros_like(covered) if own is None else own.steady_in(box)
        return Remainder.of(self._face, part - self._over(part, rest, covered, box), steady, box)

    def _box(self, contour: Array, picture: Rgb) -> Box | None:
        return bounds(contour, 3 + int(3 * self._soft), picture.shape)

    def paint(self, canvas: Rgb, target: Target) -> None:
        """Paint into `canvas` ((H, W, 3) uint8, the warped portrait), in place, where the lips are apart."""
        contour, seen = self._opening.contour(target)
        box = self._box(contour, canvas)
        if seen == 0 or box is None:
            return
        part = canvas[box[1] : box[3], box[0] : box[2]]
        covered = coverage(contour, box, self._soft) * np.float32(seen)
        painted = self._over(part, target, covered, box)
        if self._remainder is not None:
            painted += self._remainder.added(target, covered, box)
        part[:] = np.clip(painted + 0.5, 0, 255)
        if target.tongue > 0:
            self._put_out_tongue(canvas, target, contour, seen)

    def _put_out_tongue(self, canvas: Rgb, target: Target, contour: Array, seen: float) -> None:
        """Paint the tongue over mouth and lip, from under the upper lip and teeth."""
        jaw = self._jaw(target)
        upper_lip = contour[: len(contour) // 2 + 1]
        below = upper_lip[::-1] + jaw.rotation[:2, 1] * jaw.scale
        outline = np.concatenate([upper_lip, below]).astype(np.float32)
        box = bounds(outline, 3, canvas.shape)
        if box is None:
            return
        drawn = put_out(self._tongue, target.tongue, self._anatomy.size).render(jaw, box)
        bared = 1 - _alpha(self._upper.render(target.pose, box))
        there = coverage(outline, box, self._soft)[..., None] * bared * _alpha(drawn)
        there *= seen * min(target.tongue / TONGUE_SHOWS, 1)
        part = canvas[box[1] : box[3], box[0] : box[2]]
        shadow = 0.5 * SHADOW * cast(there[..., 0], jaw)
        lit = part * self._look.shaded(np.asarray(1 - shadow, np.float32))
        part[:] = np.clip(lit + there * (drawn[..., :3] - lit) + 0.5, 0, 255)

    def _over(self, part: Rgb, target: Target, covered: Array, box: Box) -> Array:
        """(h, w, 3) the part of the canvas in the box, the inside of the mouth painted over it."""
        jaw = self._jaw(target)
        colour = self._back.render(jaw, box)[..., :3].astype(np.float32)
        lower, upper = self._lower.render(jaw, box), self._upper.render(target.pose, box)
        colour += _alpha(lower) * (lower[..., :3] - colour)
        colour *= self._look.shaded(1 - SHADOW * cast(_alpha(upper)[..., 0], target.pose))
        colour += _alpha(upper) * (upper[..., :3] - colour)
        colour *= self._look.shaded(lip_shade(covered, target.pose))
        return np.asarray(part + covered[..., None] * (colour - part), np.float32)

    def _jaw(self, target: Target) -> HeadPose:
        """The pose of things that sit on the jaw: it swings about its joints and slides sideways.

        Told from the chin, which the tracker holds back when the jaw drops far: there the lower lip helps,
        which hangs at the lower teeth's edge unless a smile draws it down.
        """
        moved = target.shape - self._face.shape
        chin = moved[_CHIN].mean(0)
        lip = float(moved[LIP_BOTTOM_INNER, 1])
        smile = float(np.clip(_mouth_width(target.shape) - self._anatomy.width, 0, 0.2))
        bare = self._anatomy.size * (0.015 + 0.2 * smile)
        drop = 1.5 * float(np.sign(chin[1]) * max(abs(chin[1]) - 0.02, 0))
        drop = float(np.clip(drop, lip - bare, lip + bare))
        swing = rotation_matrix((self._swing(drop), 0, 0))
        shift = JOINT - swing @ JOINT
        teeth = np.array([0, self._anatomy.lower_edge, self._anatomy.front], np.float32)
        back = (swing @ teeth + shift - teeth)[2]
        # No deeper than the lip goes: else a nod would part them.
        shift += np.array([0.7 * chin[0], 0, moved[LIP_BOTTOM_INNER, 2] - back], np.float32)
        pose = target.pose
        origin = pose.origin + pose.scale * pose.rotation @ shift
        return HeadPose((pose.rotation @ swing).astype(np.float32), pose.scale, origin.astype(np.float32))

    def _swing(self, drop: float) -> float:
        """Degrees by which the jaw must swing so that its front teeth sink by `drop`."""
        behind, below = float(JOINT[2]) - self._anatomy.front, self._anatomy.lower_edge - float(JOINT[1])
        reach = np.hypot(behind, below)
        return float(np.degrees(np.arcsin(min((drop + below) / reach, 0.95)) - np.arctan2(below, behind)))

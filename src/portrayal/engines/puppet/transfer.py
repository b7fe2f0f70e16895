"""From a driving's motion to where every landmark of the portrait should be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.rig import (
    WIDES,
    closed_lips,
    displace,
    excess_over,
    smooth_step,
    soft_limit_shape,
)
from portrayal.motion import SHAPE_INDEX, MotionFrame
from portrayal.track.blendshapes import LOWER_LID_SHARE
from portrayal.track.expression import coefficients
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.proportions import LID_BOTTOMS, LID_TOPS, adapted_basis, apertures, iris_widths
from portrayal.track.topology import (
    LEFT_BROW,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    MESH_POINTS,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    OVAL,
    RIGHT_BROW,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
    mean_face,
)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Target:
    """Where the portrait's face should be. pose: in stage pixels; shape: (478, 3) head space; tongue: how far
    it is put out, 0 to 1."""

    pose: HeadPose
    shape: Array
    tongue: float = 0.0

    @cached_property
    def points(self) -> Array:
        """(478, 3) stage pixels."""
        return self.pose.to_picture(self.shape)


@dataclass(frozen=True)
class Transfer:
    """Carries motion over to one portrait.

    face: the portrait's. reference: the driving frame that corresponds to the portrait as it is; None when
    the motion is relative already. strength: of expression and head motion. absolute: take the driving's own
    expression and head angles instead of their change since the reference. closed: what is said of the mouth
    is said of a closed one (speech, say), however the portrait's is; does not matter where it was tracked.
    """

    face: Face
    reference: MotionFrame | None
    strength: float = 1.0
    absolute: bool = False
    closed: bool = False

    def __call__(self, frame: MotionFrame) -> Target:
        return Target(self._pose(frame), self.face.shape + self.moved(frame), self.tongue(frame))

    def tongue(self, frame: MotionFrame) -> float:
        """How far the tongue is put out, 0 to 1: no landmark shows it."""
        return float(np.clip(self.strength * frame.coefficients[_TONGUE], 0, 1))

    def moved(self, frame: MotionFrame) -> Array:
        """(478, 3) displacement of the portrait's shape, head space."""
        start = self._start
        return start - self.face.shape + soft_limit_shape(start, self.strength * self._expression(frame))

    @cached_property
    def _start(self) -> Array:
        """(478, 3) the face that the motion changes."""
        own = self.face.shape
        return own + closed_lips(own) if self.closed and self.reference is None else own

    def _pose(self, frame: MotionFrame) -> HeadPose:
        """Head motion: angles add up, so a nod is a nod about the portrait's own ears (see geometry)."""
        own = self.face.pose
        start = self.reference or MotionFrame()
        turned = np.asarray(frame.rotation - start.rotation, np.float32)
        if self.absolute:
            turned = np.asarray(frame.rotation - own.angles, np.float32)
        growth = float(np.clip(frame.scale / start.scale, 0.5, 2.0)) ** self.strength
        shift = own.scale * self.strength * (frame.translation - start.translation) / start.scale
        angles = own.angles + _limit_turn(own.angles, self.strength * turned)
        return HeadPose.about_pivot(angles, own.scale * growth, own.pivot + np.array([*shift, 0], np.float32))

    def _expression(self, frame: MotionFrame) -> Array:
        """(478, 3) what the motion changes of :attr:`_start`, before limits and strength."""
        own = self._start
        if self.absolute or frame.shape is None or self.reference is None or self.reference.shape is None:
            start = self._own_coefficients if self.absolute else np.zeros(len(frame.coefficients), np.float32)
            return displace(frame.coefficients, own) - displace(start, own)
        seen = with_eyes_together(frame.shape, self.reference.shape)
        change = seen - self.reference.shape
        moved = self._proportion * change
        self._look(moved, change)
        self._widen(moved, apertures(seen) / iris_widths(self.reference.shape))
        self._shut(moved, openness(seen, self.reference.shape))
        return np.asarray(moved, np.float32)

    def _look(self, moved: Array, change: Array) -> None:
        """Both irises move alike between the corners of their eyes, whatever is read of one of them."""
        looked = np.mean([change[iris].mean(0) - change[corners].mean(0) for iris, corners in _EYES], axis=0)
        for iris, corners in _EYES:
            moved[iris] = moved[corners].mean(0) + LOOK * self._iris_ratio * looked

    def _widen(self, moved: Array, seen: Array) -> None:
        """Eyes open hardly wider than the portrait's or the driving's own, (2,) `seen`, in widths of irises:
        after a reference that squints they would stare."""
        irises, wide = iris_widths(self.face.shape), adapted_basis(self.face.shape)[WIDES]
        rest = apertures(self.face.shape) / irises
        opened = apertures(self.face.shape + moved) / irises
        for side, knee in enumerate(np.maximum(rest, seen)):
            over = excess_over(float(opened[side]), float(rest[side]), (float(knee), float(knee) + WIDER))
            moved -= over * irises[side] / apertures(wide[side])[side] * wide[side]

    def _shut(self, moved: Array, openness: Array) -> None:
        """Lids that all but close close as far on the portrait, however large its eyes are, in place.

        openness: (2,) of the driving's eyes, right and left, 1 as in the reference.
        """
        own = self.face.shape
        gaps = (own[LID_BOTTOMS] + moved[LID_BOTTOMS] - own[LID_TOPS] - moved[LID_TOPS])[..., 1]
        wanted = openness[:, None] * (own[LID_BOTTOMS, 1] - own[LID_TOPS, 1])
        share = np.clip(2 - openness / SHUTTING, 0, 1)[:, None]
        _close(moved, share * (gaps - np.minimum(wanted, gaps)))

    @cached_property
    def _own_coefficients(self) -> Array:
        return coefficients(self._start)

    @cached_property
    def _iris_ratio(self) -> float:
        """How large the portrait's irises are in terms of the driving's: a look aside is an angle, and moves
        the iris of a larger eyeball further."""
        assert self.reference is not None and self.reference.shape is not None
        ratio = iris_widths(self.face.shape).mean() / iris_widths(self.reference.shape).mean()
        return float(np.clip(ratio, 0.75, 1.5))

    @cached_property
    def _proportion(self) -> Array:
        """(478, 1) how large the portrait's features are, in terms of the driving's."""
        assert self.reference is not None and self.reference.shape is not None
        ratios = feature_sizes(self.face.shape) / feature_sizes(self.reference.shape)
        ratios[1:] **= TEMPER
        low, high = np.array([[0.6, 0.7, 0.7, 0.35, 0.35], [1.5, 1.4, 1.4, 2.2, 2.2]])
        weights = _regions()
        gain = 1 + weights @ (np.clip(ratios, low, high) - 1).astype(np.float32)
        return (gain * _follow())[:, None]


#: Powers of the size ratios of brows and eyes: small ones move less than large ones, but not by all of it.
TEMPER = np.array([0.25, 0.25, 0.6, 0.6], np.float32)
#: How much wider eyes may open than was seen of them, widths of the iris.
WIDER = 0.12
#: Eyes this open, as a share of how they are in the reference, or less are shutting; from twice that on open.
SHUTTING = 0.25
#: Eyes whose openness differs from their mean by less than the first shut alike, from the second on as seen.
WINK = (0.15, 0.4)
#: An eye less open than the first, 1 as in the reference, is shutting; from the second on it is open.
OPEN = (0.45, 0.75)
#: The tracker sees this much less of a look aside, and of a look up or down, than there is.
LOOK = np.array([1.35, 2.0, 1.0], np.float32)
_TONGUE = SHAPE_INDEX["tongueOut"]
_EYES = (
    (list(RIGHT_IRIS), [RIGHT_EYE_OUTER, RIGHT_EYE_INNER]),
    (list(LEFT_IRIS), [LEFT_EYE_INNER, LEFT_EYE_OUTER]),
)
#: How far a head may turn away from the portrait's own pose before the picture has nothing left to show.
TURN_LIMIT = np.array([38.0, 42.0, 60.0], np.float32)
#: ... and how far from the camera it may face in the end.
FACING_LIMIT = np.array([45.0, 58.0, 75.0], np.float32)


def _limit_turn(own: Array, turn: Array) -> Array:
    """Ease turns in towards the limits; small turns pass unchanged."""
    room = np.clip(FACING_LIMIT - np.sign(turn) * own, 8, TURN_LIMIT)
    knee = 0.7 * room
    excess = np.maximum(np.abs(turn) - knee, 0)
    eased = knee + (room - knee) * np.tanh(excess / (room - knee))
    return np.asarray(np.where(np.abs(turn) <= knee, turn, np.sign(turn) * eased), np.float32)


def openness(shape: Array, reference: Array) -> Array:
    """(2,) how far the right and the left eye are open, 1 as in the reference."""
    return np.asarray(apertures(shape) / np.maximum(apertures(reference), 0.02), np.float32)


def with_eyes_together(shape: Array, reference: Array) -> Array:
    """(478, 3) the shape with lids that shut alike, unless they differ as much as in a wink: lids blink
    together (Hering's law), but of a turned or blurred face a tracker sees one shut before the other."""
    opened = openness(shape, reference)
    apart = opened - opened.mean()
    blink = 1 - smooth_step(float(opened.min()), *OPEN)
    wink = smooth_step(float(np.abs(apart).max()), *WINK)
    change = (wink - 1) * blink * apart
    together = shape.copy()
    _close(together, -change[:, None] * (reference[LID_BOTTOMS, 1] - reference[LID_TOPS, 1]))
    return together


def _close(shape: Array, by: Array) -> None:
    """Bring the lids' points nearer to each other by (2, N) eye distances, right and left, in place."""
    shape[LID_TOPS, 1] += (1 - LOWER_LID_SHARE) * by
    shape[LID_BOTTOMS, 1] -= LOWER_LID_SHARE * by


def feature_sizes(shape: Array) -> Array:
    """(5,) mouth width, right and left brow height over the eye, right and left eye opening."""

    def height(top: tuple[int, ...], bottom: tuple[int, ...]) -> float:
        return float(shape[list(bottom), 1].mean() - shape[list(top), 1].mean())

    return np.array(
        [
            np.linalg.norm(shape[MOUTH_LEFT] - shape[MOUTH_RIGHT]),
            height(RIGHT_BROW, RIGHT_EYE_TOP),
            height(LEFT_BROW, LEFT_EYE_TOP),
            max(height(RIGHT_EYE_TOP[2:7], RIGHT_EYE_BOTTOM[2:7]), 0.02),
            max(height(LEFT_EYE_TOP[2:7], LEFT_EYE_BOTTOM[2:7]), 0.02),
        ],
        np.float32,
    )


@cache
def _regions() -> Array:
    """(478, 5) how much each landmark belongs to each feature of :func:`feature_sizes`."""
    mean = mean_face()
    weights = np.zeros((len(mean), 5), np.float32)
    weights[:, 0] = 1 / (1 + np.exp(-(mean[:, 1] - 0.5) / 0.06))  # from below the nose down to the chin
    for column, (brow, top, bottom) in enumerate(
        [(RIGHT_BROW, RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM), (LEFT_BROW, LEFT_EYE_TOP, LEFT_EYE_BOTTOM)], start=1
    ):
        weights[:, column] = _near(mean, brow, 0.12)
        weights[:, column + 2] = _near(mean, (*top, *bottom), 0.06)
    total = weights.sum(1, keepdims=True)
    return (weights / np.maximum(total, 1)).astype(np.float32)


def _near(points: Array, group: tuple[int, ...], radius: float) -> Array:
    distance = np.linalg.norm(points[:, None, :2] - points[list(group), :2], axis=2).min(1)
    return np.exp(-0.5 * (distance / radius) ** 2)


@cache
def _follow() -> Array:
    """(478,) how far each landmark follows a tracked expression. The upper outline of a face has none of its
    own: what moves there is the tracker sliding along the silhouette as the head turns."""
    mean = mean_face()
    oval = mean[list(OVAL), :2]
    inner = np.linalg.norm(mean[:, None, :2] - oval, axis=2).min(1)
    upper = 1 / (1 + np.exp((mean[:, 1] - 0.75) / 0.08))
    damp = upper * np.exp(-0.5 * (inner / 0.12) ** 2)
    follow = 1 - 0.7 * damp
    follow[MESH_POINTS:] = 1
    return follow.astype(np.float32)

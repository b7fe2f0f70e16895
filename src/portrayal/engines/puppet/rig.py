"""The rig: what the 52 ARKit coefficients do to one portrait's face, and what a face can do at most."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import SHAPE_INDEX
from portrayal.track.blendshapes import LOWER_LID_SHARE, UPPER_LIP_SHARE
from portrayal.track.expression import coefficients
from portrayal.track.proportions import BLINKS, LID_BOTTOMS, LID_TOPS, adapted_basis, iris_widths
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_IRIS,
    LIP_BOTTOM_INNER,
    LIP_TOP_INNER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    OUTER_LIP_BOTTOM,
    OUTER_LIP_TOP,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_IRIS,
    mean_face,
)

Array = NDArray[np.float32]
Span = tuple[float, float]

#: Where a measure begins to resist and where it ends. The mouth's in eye distances on the mean face, eye
#: opening in widths of the iris, gaze in eye widths from the middle of the eye. Lids follow a look down: how
#: far the iris's centre lies below the upper lid's edge, in its widths.
MOUTH_OPEN: Span = (0.47, 0.62)
MOUTH_WIDE: Span = (0.75, 0.86)
MOUTH_NARROW: Span = (0.33, 0.22)
EYE_OPEN: Span = (1.05, 1.35)
UNDER_LID: Span = (0.55, 0.75)
GAZE_X: Span = (0.26, 0.34)
GAZE_Y: Span = (0.21, 0.28)
#: Where a portrait's own expression is beyond a knee already, how far it may still go.
LEEWAY = 0.06
#: Coefficients resist beyond 1 and below 0, up to these.
HIGHEST, LOWEST = 1.35, -0.4

#: A tongue that is put out opens the jaw by this at least.
TONGUE_PARTS = 0.2

_JAW, _PUCKER, _CLOSE, _TONGUE = (
    SHAPE_INDEX[n] for n in ("jawOpen", "mouthPucker", "mouthClose", "tongueOut")
)
_SMILES = [SHAPE_INDEX["mouthSmileLeft"], SHAPE_INDEX["mouthSmileRight"]]
WIDES = [SHAPE_INDEX["eyeWideRight"], SHAPE_INDEX["eyeWideLeft"]]
_EYES = ((RIGHT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_IRIS), (LEFT_EYE_INNER, LEFT_EYE_OUTER, LEFT_IRIS))
#: The lips' inner points from corner to corner, and the rings of the lip behind each of them.
_TOPS, _BOTTOMS = np.array(INNER_LIP_TOP[1:-1]), np.array(INNER_LIP_BOTTOM[1:-1])
_TOP_RINGS = np.array(
    [
        OUTER_LIP_TOP[1:-1],
        (184, 74, 73, 72, 11, 302, 303, 304, 408),
        (183, 42, 41, 38, 12, 268, 271, 272, 407),
        _TOPS,
    ]
)
_BOTTOM_RINGS = np.array(
    [
        OUTER_LIP_BOTTOM[1:-1],
        (77, 90, 180, 85, 16, 315, 404, 320, 307),
        (96, 89, 179, 86, 15, 316, 403, 319, 325),
        _BOTTOMS,
    ]
)
#: The red of a lip keeps at least this share of its height.
LIP_THINNEST = 0.12
_RING_FOLLOW = np.array([[0.7], [0.8], [0.9], [1.0]], np.float32)
_LID_MIDDLE = 3


def displace(coefficients: Array, face_shape: Array) -> Array:
    """(478, 3) displacement, head space, that (52,) coefficients give to the face of (478, 3) landmarks.

    In proportion to the face's own features, relative to the face as it is; eyes close exactly at a blink of
    1 whatever else they do. Coefficients may lie outside [0, 1]; the result stays within what faces can do.
    """
    fields = adapted_basis(face_shape)
    amounts = _eased(np.asarray(coefficients, np.float32))
    amounts[_JAW] = max(amounts[_JAW], TONGUE_PARTS * amounts[_TONGUE])
    blinks = np.minimum(amounts[BLINKS], 1)
    amounts[BLINKS] = 0
    moved = soft_limit_shape(face_shape, np.tensordot(amounts, fields, 1))
    if blinks.any():
        _close_eyes(face_shape, moved, fields, blinks)
    return moved


def soft_limit_shape(portrait_shape: Array, displacement: Array) -> Array:
    """(478, 3) the displacement (478, 3) of a face (478, 3) such that the outcome is a possible face: mouth
    opening and width, eye opening and gaze ease into their limits, lips and lids meet but do not cross."""
    fields = adapted_basis(portrait_shape)
    moved = np.array(displacement, np.float32)
    _limit_mouth(portrait_shape, moved, fields)
    _part_lips(portrait_shape, moved, fields)
    _keep_lips(portrait_shape, moved)
    _limit_eyes(portrait_shape, moved, fields)
    return moved


def _eased(coefficients: Array) -> Array:
    over, under = HIGHEST - 1, -LOWEST
    above = 1 + over * np.tanh((coefficients - 1) / over)
    below = under * np.tanh(coefficients / under)
    return np.where(coefficients > 1, above, np.where(coefficients < 0, below, coefficients))


def _close_eyes(shape: Array, moved: Array, fields: Array, blinks: Array) -> None:
    """A blink closes its share of whatever opening the other shapes leave."""
    tops, bottoms = moved[LID_TOPS], moved[LID_BOTTOMS]
    closing = blinks[:, None, None] * (shape[LID_BOTTOMS] + bottoms - shape[LID_TOPS] - tops)
    moved += np.tensordot(blinks, fields[BLINKS], 1)
    moved[LID_TOPS] = tops + (1 - LOWER_LID_SHARE) * closing
    moved[LID_BOTTOMS] = bottoms - LOWER_LID_SHARE * closing


def smooth_step(value: float, start: float, end: float) -> float:
    t = min(max((value - start) / (end - start), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def excess_over(value: float, at_rest: float, span: Span) -> float:
    """How far `value` lies beyond where it eases to: nothing up to the knee of `span`, and never past its end
    (or past a little more than what the face shows already). Works downwards where the end is the smaller."""
    knee, end = span
    sign = 1.0 if end > knee else -1.0
    knee, end = max(sign * knee, sign * at_rest), max(sign * end, sign * at_rest + LEEWAY)
    beyond = sign * value - knee
    if beyond <= 0:
        return 0.0
    room = end - knee
    return sign * (beyond - room * float(np.tanh(beyond / room)))


def _limit_mouth(shape: Array, moved: Array, fields: Array) -> None:
    """Take back as much jaw, smile or pucker as is too much."""
    size = min(float(fields[_JAW, LIP_BOTTOM_INNER, 1]) / _mean_jaw_drop(), 1)
    for (a, b, axis), span, shapes in (
        ((LIP_TOP_INNER, LIP_BOTTOM_INNER, 1), MOUTH_OPEN, [_JAW]),
        ((MOUTH_RIGHT, MOUTH_LEFT, 0), MOUTH_WIDE, _SMILES),
        ((MOUTH_RIGHT, MOUTH_LEFT, 0), MOUTH_NARROW, [_PUCKER]),
    ):
        at_rest = float(shape[b, axis] - shape[a, axis])
        value = at_rest + float(moved[b, axis] - moved[a, axis])
        excess = excess_over(value, at_rest, (size * span[0], size * span[1]))
        if excess:
            field = fields[shapes].sum(0)
            moved -= excess / (field[b, axis] - field[a, axis]) * field


@cache
def _mean_jaw_drop() -> float:
    return float(adapted_basis(mean_face())[_JAW, LIP_BOTTOM_INNER, 1])


def _part_lips(shape: Array, moved: Array, fields: Array) -> None:
    """Where the lips would cross they meet instead, and the whole lip with its surroundings stays behind."""
    at_rest = shape[_BOTTOMS, 1] - shape[_TOPS, 1]
    crossing = np.minimum(at_rest, 0) - (at_rest + moved[_BOTTOMS, 1] - moved[_TOPS, 1])
    if crossing.max() > 0:
        _spread_lips(moved, fields, crossing, np.maximum(crossing, 0), 0.0)


def closed_lips(shape: Array) -> Array:
    """(478, 3) the displacement that closes the lips of a face (478, 3) which shows them parted: the jaw goes
    up as far as it is open, the lips close the rest."""
    fields = adapted_basis(shape)
    gaps = np.maximum(shape[_BOTTOMS, 1] - shape[_TOPS, 1], 0)
    jaw = fields[_JAW]
    opening = jaw[_BOTTOMS, 1] - jaw[_TOPS, 1]
    swing = min(float(coefficients(shape)[_JAW]), float((gaps / opening)[2:7].min()))
    moved = np.asarray(-swing * jaw, np.float32)
    left = swing * opening - gaps
    _spread_lips(moved, fields, left, left, -np.inf)
    return moved


def _spread_lips(moved: Array, fields: Array, by: Array, mostly: Array, least: float) -> None:
    """Move the lips apart by (9,) `by`: all that is around them by `mostly` on the whole, and they by what is
    left of it, if that is more than `least`."""
    close = fields[_CLOSE]
    closing = close[_TOPS, 1] - close[_BOTTOMS, 1]
    share = float((mostly / closing)[2:7].mean())
    moved -= share * close
    left = np.maximum(by - share * closing, least)
    moved[_TOP_RINGS, 1] -= UPPER_LIP_SHARE * _RING_FOLLOW * left
    moved[_BOTTOM_RINGS, 1] += (1 - UPPER_LIP_SHARE) * _RING_FOLLOW * left


def _keep_lips(shape: Array, moved: Array) -> None:
    """Lips that are rolled in or pressed become thin, not inside out."""
    for rings, sign in ((_TOP_RINGS, 1), (_BOTTOM_RINGS, -1)):
        outer, inner = rings[:-1], rings[-1]
        at_rest = sign * (shape[inner, 1] - shape[outer, 1])
        thickness = at_rest + sign * (moved[inner, 1] - moved[outer, 1])
        moved[outer, 1] -= sign * np.maximum(LIP_THINNEST * np.maximum(at_rest, 0) - thickness, 0)


def _limit_eyes(shape: Array, moved: Array, fields: Array) -> None:
    at_rest = shape[LID_BOTTOMS, 1] - shape[LID_TOPS, 1]
    gaps = at_rest + moved[LID_BOTTOMS, 1] - moved[LID_TOPS, 1]
    across = iris_widths(shape)
    for side, (right_corner, left_corner, iris) in enumerate(_EYES):
        width = float(shape[left_corner, 0] - shape[right_corner, 0])
        top, bottom = LID_TOPS[side, _LID_MIDDLE], LID_BOTTOMS[side, _LID_MIDDLE]
        span = (across[side] * EYE_OPEN[0], across[side] * EYE_OPEN[1])
        excess = excess_over(float(gaps[side, _LID_MIDDLE]), float(at_rest[side, _LID_MIDDLE]), span)
        if excess:
            wide = fields[WIDES[side]]
            moved -= excess / (wide[bottom, 1] - wide[top, 1]) * wide
        middle = (shape[right_corner] + shape[left_corner]) / 2
        for axis, (knee, end) in enumerate((GAZE_X, GAZE_Y)):
            rest = float(shape[iris[0], axis] - middle[axis])
            value = rest + float(moved[iris[0], axis])
            sign = 1.0 if value > 0 else -1.0
            moved[list(iris), axis] -= excess_over(value, rest, (sign * width * knee, sign * width * end))
        below = float(shape[iris[0], 1] - shape[top, 1])
        span = (across[side] * UNDER_LID[0], across[side] * UNDER_LID[1])
        moved[list(iris), 1] -= excess_over(below + float(moved[iris[0], 1] - moved[top, 1]), below, span)
    crossing = np.minimum(at_rest, 0) - (shape[LID_BOTTOMS, 1] + moved[LID_BOTTOMS, 1])
    crossing += shape[LID_TOPS, 1] + moved[LID_TOPS, 1]
    moved[LID_TOPS, 1] -= np.maximum(crossing, 0)


def room_to_widen(shape: Array, moved: Array) -> Array:
    """(2,) from 1, where the right and left eye of a face (478, 3) are no wider than the knee of
    :data:`EYE_OPEN` when moved (478, 3), to 0 at its end."""
    gaps = (moved[LID_BOTTOMS, 1] - moved[LID_TOPS, 1])[:, _LID_MIDDLE] / iris_widths(shape)
    knee, end = EYE_OPEN
    return np.clip((end - gaps) / (end - knee), 0, 1)

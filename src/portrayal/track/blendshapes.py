"""The 52 ARKit blend shapes on the 478-point face mesh: what each coefficient does to the mean face.

Each shape is a few key landmarks (:mod:`portrayal.track.blendshape_keys`) spread over the skin by kriging
with a Matérn covariance on the mesh (Lindgren, Rue & Lindström 2011): smooth, along the skin and not across
it, so that lids and lips, which face each other over a hole of the mesh, move on their own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portrayal.motion import SHAPE_INDEX, SHAPES
from portrayal.track.blendshape_keys import BOTH, JAW_FOLLOW, MOUTH_RIGHT_FOLLOW, RIGHT, Keys
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    MESH_POINTS,
    POINTS,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
    mean_face,
    mirror,
    triangles,
)

Array = NDArray[np.float32]
Double = NDArray[np.float64]

#: Distance over which skin follows a key landmark, eye distances: of muscles, and of what hangs on the jaw.
REACH, JAW_REACH = 0.12, 0.3
#: Share of a blink done by the lower lid.
LOWER_LID_SHARE = 0.15
#: Share of closing the lips over an open jaw done by the upper lip.
UPPER_LIP_SHARE = 0.3
#: Iris travel at full gaze sideways and up or down: an eyeball of radius 0.138 turned by 33° and 22°.
GAZE_TRAVEL = (0.075, 0.052)
JAW_SHIFT = 0.11
JAW_THRUST = (0.0, 0.015, -0.1)
#: The lower lip stays on the upper one when the jaw comes forward.
THRUST_OF_LIP = dict.fromkeys((14, 87, 178, 88, 95), 0.1) | dict.fromkeys((17, 84, 181, 91, 146), 0.5)
MOUTH_SHIFT = 0.085

_SKIN_ABOVE_EYE = (27, 28, 29, 30, 56, 247, 190)
_BELOW_BROW = (222, 223, 224, 225, 221, 65, 52, 53, 46, 55, 113)
_UPPER_FACE = (1, 4, 6, 168, 64, 49, 36, 101, 117, 118, 145, 133, 33, 127)
_BELOW_EYE = (230, 229, 231, 228, 232, 31)


@cache
def basis() -> Array:
    """(52, 478, 3) displacement of the mean face at coefficient 1 of each shape, in the order of
    :data:`portrayal.motion.SHAPES`; head space (eye distances). tongueOut moves no landmark. Read-only."""
    shapes = np.zeros((len(SHAPES), POINTS, 3))
    for name, keys in BOTH.items():
        spread = _spread_below if name in ("jawOpen", "cheekPuff") else _spread
        shapes[SHAPE_INDEX[name]] = spread(_mirrored(keys) | keys)
    for name, field in _right_sided().items():
        shapes[SHAPE_INDEX[f"{name}Right"]] = field
        shapes[SHAPE_INDEX[f"{name}Left"]] = _flip(field)
    jaw = shapes[SHAPE_INDEX["jawOpen"]]
    thrust = {i: _scaled(w * THRUST_OF_LIP.get(i, 1), JAW_THRUST) for i, w in JAW_FOLLOW.items()}
    shapes[SHAPE_INDEX["jawForward"]] = _spread_below(_mirrored(thrust) | thrust)
    shapes[SHAPE_INDEX["mouthClose"]] = _mouth_close(jaw)
    shapes = _local(_symmetric(shapes))
    shapes.flags.writeable = False
    return shapes.astype(np.float32)


def _right_sided() -> dict[str, Double]:
    fields = {name: _spread(keys) for name, keys in RIGHT.items()}
    fields["eyeBlink"] = _spread(_blink())
    fields["jaw"] = _spread_below(_shifted(JAW_FOLLOW, -JAW_SHIFT))
    fields["mouth"] = _spread(_shifted(MOUTH_RIGHT_FOLLOW, -MOUTH_SHIFT))
    side, rise = GAZE_TRAVEL
    fields["eyeLookOut"] = _gaze(-side, 0.0, upper=(-0.012, 0.006), lower=(-0.006, 0.0))
    fields["eyeLookIn"] = _gaze(side, 0.0, upper=(0.012, 0.006), lower=(0.006, 0.0))
    fields["eyeLookUp"] = _gaze(0.0, -rise, upper=(0.0, -0.03), lower=(0.0, -0.012))
    fields["eyeLookDown"] = _gaze(0.0, rise, upper=(0.0, 0.046), lower=(0.0, 0.018))
    return fields


def _blink() -> Keys:
    """The upper lid slides down over the eyeball to meet the lower one, which rises a little."""
    mean = mean_face().astype(float)
    keys: Keys = {i: (0, 0, 0) for i in (*_BELOW_BROW, *_BELOW_EYE, 33, 133)}
    for top, bottom in zip(RIGHT_EYE_TOP[1:-1], RIGHT_EYE_BOTTOM[1:-1], strict=True):
        gap = mean[bottom] - mean[top]
        keys[top] = _scaled(1 - LOWER_LID_SHARE, gap)
        keys[bottom] = _scaled(-LOWER_LID_SHARE, gap)
    drop = keys[159][1]
    for i, share in zip(_SKIN_ABOVE_EYE, (0.55, 0.5, 0.5, 0.35, 0.25, 0.25, 0.1), strict=True):
        keys[i] = (0, share * drop, 0)
    for i, share in zip(_BELOW_BROW[:4], (0.12, 0.14, 0.12, 0.06), strict=True):
        keys[i] = (0, share * drop, 0)
    return keys


def _gaze(x: float, y: float, upper: tuple[float, float], lower: tuple[float, float]) -> Double:
    """The eyeball turns and carries the lids along, most in their middle."""
    keys: Keys = {i: (0, 0, 0) for i in (*_BELOW_BROW, *_BELOW_EYE, 33, 133)}
    swell = np.sin(np.linspace(0, np.pi, len(RIGHT_EYE_TOP))) ** 1.2
    for lid, (dx, dy) in ((RIGHT_EYE_TOP, upper), (RIGHT_EYE_BOTTOM, lower)):
        for i, weight in zip(lid[1:-1], swell[1:-1], strict=True):
            keys[i] = (dx * weight, dy * weight, 0)
    for i, share in zip(_SKIN_ABOVE_EYE, (0.5, 0.45, 0.45, 0.3, 0.2, 0.2, 0.1), strict=True):
        keys[i] = (0, share * upper[1], 0)
    field = _spread(keys)
    field[list(RIGHT_IRIS)] = (x, y, 0.012)
    return field


def _mouth_close(jaw: Double) -> Double:
    """Undoes the parting of the lips by the open jaw; rings around the mouth follow, the chin does not."""
    keys: Keys = {i: (0, 0, 0) for i in (2, 98, 152, 176, 150, 172, 214, 205, 50, 206)}
    columns = list(zip(INNER_LIP_TOP[1:6], INNER_LIP_BOTTOM[1:6], strict=True))
    rings_top, rings_bottom = (185, 40, 39, 37, 0), (146, 91, 181, 84, 17)
    for (top, bottom), outer_top, outer_bottom in zip(columns, rings_top, rings_bottom, strict=True):
        gap = jaw[bottom] - jaw[top]
        keys[top] = _scaled(UPPER_LIP_SHARE, gap)
        keys[bottom] = _scaled(UPPER_LIP_SHARE - 1, gap)
        keys[outer_top] = _scaled(0.9 * UPPER_LIP_SHARE, gap)
        keys[outer_bottom] = _scaled(0.94 * (UPPER_LIP_SHARE - 1), gap)
    middle = jaw[14, 1] - jaw[13, 1]
    keys |= {61: (-0.01, -0.035, 0), 78: (-0.01, -0.035, 0), 164: (0, 0.11 * middle, 0)}
    keys |= {18: (0, -0.36 * middle, 0), 200: (0, -0.1 * middle, 0)}
    keys |= {202: (0, -0.06 * middle, 0), 204: (0, -0.13 * middle, 0)}
    return _spread(_mirrored(keys) | keys)


def _scaled(amount: float, vector: ArrayLike) -> tuple[float, float, float]:
    x, y, z = amount * np.asarray(vector, float)
    return x, y, z


def _shifted(follow: dict[int, float], amount: float) -> Keys:
    """Both sides move the same way."""
    keys: Keys = {}
    for i, weight in follow.items():
        keys[i] = keys[int(mirror()[i])] = (weight * amount, 0, 0)
    return keys


def _mirrored(keys: Keys) -> Keys:
    return {int(mirror()[i]): (-x, y, z) for i, (x, y, z) in keys.items()}


def _flip(field: Double) -> Double:
    """The mirror image of a displacement field (..., 478, 3)."""
    return field[..., mirror(), :] * (-1.0, 1.0, 1.0)


def _symmetric(shapes: Double) -> Double:
    """Rounding off: each shape the mean of itself and its partner's mirror image."""
    partner = [SHAPE_INDEX[_other_side(name)] for name in SHAPES]
    return (shapes + _flip(shapes[partner])) / 2


def _local(shapes: Double) -> Double:
    """Without the covariance's endless tails: below a hundredth of its largest, movement fades to nil."""
    size = np.linalg.norm(shapes, axis=2, keepdims=True)
    floor = 0.01 * size.max(1, keepdims=True) + 1e-9
    return shapes * np.clip(size / floor - 1, 0, 1)


def _other_side(name: str) -> str:
    stem = name.removesuffix("Left")
    return f"{stem}Right" if stem != name else name.removesuffix("Right") + "Left" * name.endswith("Right")


def _spread_below(keys: Keys) -> Double:
    """Spread far over the lower face; the upper face stands still."""
    still: Keys = {i: (0, 0, 0) for point in _UPPER_FACE for i in (point, int(mirror()[point]))}
    return _spread(still | keys, JAW_REACH)


def _spread(keys: Keys, reach: float = REACH) -> Double:
    """Key displacements of mesh points to a displacement (478, 3) of all; exact at the keys."""
    points = list(keys)
    kernel = _kernel(reach)
    weights = np.linalg.solve(kernel[np.ix_(points, points)], np.array(list(keys.values()), float))
    field = np.zeros((POINTS, 3))
    field[:MESH_POINTS] = kernel[:, points] @ weights
    return field


@cache
def _kernel(reach: float) -> Double:
    """(468, 468) Matérn covariance on the mesh of the mean face, unit variance: inverse of (mass + reach² x
    stiffness), applied twice; linear elements."""
    mean = mean_face()[:MESH_POINTS].astype(float)
    mass, stiffness = np.zeros(MESH_POINTS), np.zeros((MESH_POINTS, MESH_POINTS))
    for corner in range(3):
        i, j, k = np.roll(triangles(), corner, axis=1).T
        a, b = mean[j] - mean[i], mean[k] - mean[i]
        area2 = np.maximum(np.linalg.norm(np.cross(a, b), axis=1), 1e-5)
        np.add.at(mass, i, area2 / 6)
        cotangent = np.clip((a * b).sum(1) / area2, 0.05, 10) / 2
        np.add.at(stiffness, (j, k), -cotangent)
        np.add.at(stiffness, (k, j), -cotangent)
    np.fill_diagonal(stiffness, -stiffness.sum(1))
    inverse = np.linalg.inv(np.diag(mass) + reach**2 * stiffness)
    kernel = inverse @ np.diag(mass) @ inverse
    scale = np.sqrt(np.diag(kernel))
    return kernel / np.outer(scale, scale) + 1e-6 * np.eye(MESH_POINTS)

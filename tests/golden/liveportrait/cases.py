"""What the recorded cases of tests/golden/liveportrait were made from: seeded inputs, networks, motions.

The cases are outputs of the published code (LivePortrait 1986663, ComfyUI-AdvancedLivePortrait 3bba732) for
weights and inputs that follow from a name and a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from golden.seeded import seeded_input, seeded_weight
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.ratios import ratios_203
from portrayal.engines.liveportrait.retargeting import Retargeting

GOLDEN = Path(__file__).parent
Array = np.ndarray


@cache
def golden(name: str) -> dict[str, Array]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


#: Widths of the small networks, and what their last layer is multiplied by to answer in real sizes.
_WIDTHS = {
    "stitching": (126, 128, 128, 64, 65),
    "lip": (65, 128, 128, 64, 63),
    "eye": (66, 256, 256, 128, 128, 64, 63),
}


@cache
def network(name: str, tame: bool = True) -> Callable[[Array], Array]:
    widths = _WIDTHS[name]
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        key = f"{name}.mlp.{2 * i}"
        weight, bias = seeded_weight(f"{key}.weight", (n, k)), seeded_weight(f"{key}.bias", (n,))
        factor = np.float32(0.1 if tame and i == len(widths) - 2 else 1)
        layers.append((weight * factor, bias * factor))

    def run(x: Array) -> Array:
        for weight, bias in layers[:-1]:
            x = np.maximum(x @ weight.T + bias, 0)
        return x @ layers[-1][0].T + layers[-1][1]

    return run


@cache
def networks() -> Retargeting:
    return Retargeting(network("stitching"), network("eye"), network("lip"))


def motion_of(who: str) -> FaceMotion:
    """The four frames of the source (src) or the driving (drv)."""
    case = golden("motion_combos")
    angles = np.concatenate([case[f"in_{who}_{axis}"] for axis in ("pitch", "yaw", "roll")], 1)
    return FaceMotion.from_angles(angles, *(case[f"in_{who}_{part}"] for part in ("exp", "t", "scale", "kp")))


def source() -> FaceMotion:
    lips, eyes = (0.25, 0.02, 0.2, 0.3), (0.3, 0.28, 0.1, 0.32)
    ratios = [
        ratios_203(face_points(203, f"src{i}", (310, 330), 120, 11, lips[i], eyes[i])) for i in range(4)
    ]
    return motion_of("src").with_ratios([r[0] for r in ratios], [r[1] for r in ratios])


def driving() -> FaceMotion:
    case = golden("motion_combos")
    return motion_of("drv").with_ratios(case["drv_c_eyes"], case["drv_c_lip"])


_EYES, _MOUTH = np.array([[-0.34, -0.25], [0.34, -0.25]]), np.array([[-0.27, 0.5], [0.27, 0.5]])
#: Numbers of the points around an eye (below, left, above, right of it) in the sets of 106 and 101 points.
_RINGS = {106: ((33, 35, 40, 39), (87, 89, 94, 93)), 101: ((42, 39, 45, 48), (54, 51, 57, 60))}
_CORNERS = {203: (48, 66), 106: (52, 61), 101: (75, 81), 68: (48, 54), 5: (3, 4), 478: (61, 291)}


def face_points(
    n: int,
    label: str,
    centre: tuple[float, float],
    size: float,
    roll: float = 0.0,
    lip: float = 0.1,
    eye: float = 0.3,
) -> Array:
    """(n, 2) random points in an ellipse, with those that are read placed like a face's; roll in degrees."""
    u = seeded_input(f"pts{n}:{label}", (n, 2)).astype(np.float64)
    radius, turn = np.sqrt(u[:, 0]), 2 * np.pi * u[:, 1]
    p = np.stack([0.78 * radius * np.cos(turn), radius * np.sin(turn)], 1)
    half, gap = 0.13, 0.54 * lip / 2
    p[list(_CORNERS[n])] = _MOUTH
    middle = _MOUTH.mean(0)
    for side, at in enumerate(_EYES):
        if n == 203:
            first = 24 * side
            p[[first, first + 12]] = at + np.array([[-1, 0], [1, 0]]) * half
            p[[first + 6, first + 18]] = at + np.array([[0, -eye], [0, eye]]) * half
        elif n == 106:
            p[list(_RINGS[n][side])] = at + np.array([[0, eye], [-1, 0], [0, -eye], [1, 0]]) * half
        elif n == 101:
            p[list(_RINGS[n][side])] = at + np.array([[0, -eye], [-1, 0], [1, 0], [0, eye]]) * half
        elif n == 68:
            p[[36 + 6 * side, 39 + 6 * side]] = at + np.array([[-1, 0], [1, 0]]) * half
        else:
            p[side if n == 5 else (468, 473)[side]] = at
    if n == 203:
        p[[90, 102]] = middle + np.array([[0, -gap], [0, gap]])
    elif n == 478:
        p[[13, 14]] = middle + np.array([[0, -gap], [0, gap]])
    elif n == 5:
        p[2] = 0, 0.1
    angle = np.radians(roll)
    turned = p @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (turned * size + np.asarray(centre)).astype(np.float32)

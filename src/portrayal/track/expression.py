"""From dense landmarks to the 52 ARKit coefficients.

A regularised, bounded least squares fit of the blend shapes (:mod:`portrayal.track.blendshapes`), in the
metric of what else moves landmarks: independent noise, and smooth deviations (a person's own build, the
pose's error) that shift neighbouring points alike. So a gap between lips or lids counts for more than where
the mouth is. Solved by ADMM (Boyd et al. 2011, section 5.2) for all frames at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import SHAPE_INDEX, SHAPES
from portrayal.track.proportions import BLINKS, adapted_basis, apertures
from portrayal.track.topology import POINTS, RIGHT_EYE_INNER, RIGHT_EYE_OUTER, mean_face, mirror

Array = NDArray[np.float32]
Double = NDArray[np.float64]

#: Largest coefficient.
UPPER = 1.2
#: Noise of a landmark in x, y and z, eye distances.
NOISE = (0.005, 0.005, 0.015)
#: Smooth deviations as (size, reach), eye distances: of the model from a known person, and between people.
MISFIT = ((0.008, 0.15), (0.01, 0.6))
BUILD = ((0.045, 0.6), (0.02, 0.22))
#: How far trackers let the chin lag behind the lips, in x, y and z.
CHIN_LAG = (0.0, 0.05, 0.08)
#: Share of those deviations that is not the same on both sides.
LOPSIDED = 0.25
#: Expected size of a coefficient, and of one seldom seen; of the difference between the sides; pull to zero.
SPREAD, SELDOM, SIDES, SPARSITY = 0.8, 0.3, 0.8, 1.0
ADMM_STEPS = 30
#: Eye opening over eye width of people in general: where an eye begins to close, and closed.
OPEN, SHUT = 0.21, 0.06

#: How much of shapes, by how their names begin, is read of faces at rest: the 85th percentile of 17 photos
#: and paintings. Nothing tells it from expression in a single picture.
AT_REST = {
    "browDown": 0.55, "eyeBlink": 0.35, "mouthPress": 0.3, "mouthRoll": 0.3, "eyeWide": 0.25,
    "eyeSquint": 0.2, "mouthShrug": 0.2, "browInnerUp": 0.2, "browOuterUp": 0.2, "jawForward": 0.2,
    "mouthSmile": 0.15, "mouthUpperUp": 0.15, "mouthPucker": 0.15, "eyeLook": 0.15, "mouthStretch": 0.1,
}  # fmt: skip

_SELDOM = ("jawForward", "jawLeft", "jawRight", "cheekPuff", "noseSneer", "mouthShrug", "mouthLowerDown")
_OPPOSED = np.array(
    [
        (SHAPE_INDEX[a + side], SHAPE_INDEX[b + side])
        for side in ("Left", "Right")
        for a, b in (
            ("eyeLookUp", "eyeLookDown"),
            ("eyeLookIn", "eyeLookOut"),
            ("eyeBlink", "eyeWide"),
            ("mouthSmile", "mouthFrown"),
        )
    ]
    + [(SHAPE_INDEX[a + "Left"], SHAPE_INDEX[a + "Right"]) for a in ("jaw", "mouth")]
)
_PUCKER = SHAPE_INDEX["mouthPucker"]
_STRETCHES = [SHAPE_INDEX["mouthStretchLeft"], SHAPE_INDEX["mouthStretchRight"]]


def coefficients(shape: Array, neutral: Array | None = None) -> Array:
    """(52,) coefficients in [0, 1.2] of a face of (478, 3) head-space landmarks, or (T, 52) of (T, 478, 3).

    neutral: (478, 3) the same person at rest, with which the answer is that person's own; without it the face
    is measured against people in general, and what may be build (a wide mouth, low brows) is not counted as
    expression.
    """
    shapes = np.atleast_3d(np.asarray(shape, np.float32)).reshape(-1, POINTS, 3)
    personal = neutral is not None
    fit = _personal_fit(np.asarray(neutral, np.float32).tobytes()) if personal else _general_fit()
    found = fit.solve(shapes)
    found[:, BLINKS] = fit.blinks(shapes, found) if personal else _blinks_in_general(shapes)
    _cancel_opposed(found)
    return found.reshape(*shape.shape[:-2], len(SHAPES)).astype(np.float32)


def beyond_rest(found: Array) -> Array:
    """(52,) what of coefficients (52,) of a face of which nothing else is known is more than build; shut eyes
    stay shut."""
    rest = np.zeros(len(SHAPES), np.float32)
    for start, value in AT_REST.items():
        rest[[index for name, index in SHAPE_INDEX.items() if name.startswith(start)]] = value
    beyond = np.maximum(found - rest, 0)
    beyond[BLINKS] /= 1 - rest[BLINKS]
    return np.asarray(beyond, np.float32)


@dataclass(frozen=True)
class _Fit:
    """A least squares problem made ready: origin (478, 3), basis (52, 1434), projection (1434, 52) from
    displacement to right-hand side, step (52, 52) the inverse ADMM needs, rho (52,), doubt (52,) variance of
    each coefficient."""

    origin: Array
    basis: Array
    projection: Array
    step: Array
    rho: Array
    doubt: Array

    @classmethod
    def make(cls, origin: Array, precision: Double) -> _Fit:
        basis = adapted_basis(origin).reshape(len(SHAPES), -1)
        fields = basis.reshape(len(SHAPES), POINTS, 3).astype(float)
        weighted = np.stack([fields[..., axis] @ precision[axis] for axis in range(3)], axis=-1)
        projection = weighted.reshape(len(SHAPES), -1).T
        normal = basis.astype(float) @ projection + _prior()
        rho = np.diag(normal) * 0.3
        step = np.linalg.inv(normal + np.diag(rho))
        doubt = np.diag(np.linalg.inv(normal))
        return cls(origin, basis, *(a.astype(np.float32) for a in (projection, step, rho, doubt)))

    def solve(self, shapes: Array) -> Array:
        """(T, 52) coefficients within [0, UPPER]."""
        target = (shapes - self.origin).reshape(len(shapes), -1) @ self.projection - np.float32(SPARSITY)
        bounded: Array = np.zeros_like(target)
        dual = bounded
        for _ in range(ADMM_STEPS):
            free = (target + self.rho * (bounded - dual)) @ self.step
            dual = dual + free
            bounded = np.clip(dual, 0, np.float32(UPPER))
            dual = dual - bounded
        # Wiener's gain: what noise could be counts less.
        return bounded**3 / (bounded**2 + np.float32(0.3) * self.doubt)

    def blinks(self, shapes: Array, found: Array) -> Array:
        """(T, 2) right and left blink: what is missing of the opening that the eye would have without it."""
        others = found.copy()
        others[:, BLINKS] = 0
        open_face = self.origin + (others @ self.basis).reshape(-1, POINTS, 3)
        at_rest = np.maximum(apertures(self.origin), 0.02)
        closed = 1 - apertures(shapes) / np.maximum(apertures(open_face), 0.35 * at_rest)
        return np.clip(closed + 0.6 * np.maximum(closed - 0.6, 0), 0, 1)  # trackers see a slit in a shut eye


def _prior() -> Double:
    """(52, 52) inverse covariance of coefficients: limited, some seldom seen, and both sides alike."""
    prior = np.diag([1 / (SELDOM if name.startswith(_SELDOM) else SPREAD) ** 2 for name in SHAPES])
    across = {"eyeLookIn": "eyeLookOut", "eyeLookOut": "eyeLookIn"}
    for name in SHAPES:
        stem = name.removesuffix("Left")
        if stem != name and stem not in ("jaw", "mouth"):
            pair = [SHAPE_INDEX[name], SHAPE_INDEX[across.get(stem, stem) + "Right"]]
            prior[np.ix_(pair, pair)] += np.array([[1, -1], [-1, 1]]) / SIDES**2
    return prior


@lru_cache(maxsize=8)
def _personal_fit(neutral: bytes) -> _Fit:
    return _Fit.make(np.frombuffer(neutral, np.float32).reshape(POINTS, 3), _precision(MISFIT))


@cache
def _general_fit() -> _Fit:
    return _Fit.make(mean_face(), _precision(BUILD))


@lru_cache(maxsize=2)
def _precision(deviations: tuple[tuple[float, float], ...]) -> Double:
    """(3, 478, 478) inverse covariance of x, y and z of the landmarks where nothing is expressed; the smooth
    deviations are mostly symmetric, as faces are."""
    mean = mean_face().astype(float)
    square = ((mean[:, None] - mean[None]) ** 2).sum(2)
    smooth = sum(size**2 * np.exp(-0.5 * square / reach**2) for size, reach in deviations)
    mirrored = smooth[:, mirror()]
    covariances = [smooth / 2 + (0.5 - LOPSIDED / 2) * sign * mirrored for sign in (-1, 1, 1)]
    chin = 1 / (1 + np.exp((0.93 - mean[:, 1]) / 0.04))
    for covariance, noise, lag in zip(covariances, NOISE, CHIN_LAG, strict=True):
        covariance += noise**2 * np.eye(POINTS) + lag**2 * np.outer(chin, chin)
    return np.linalg.inv(np.array(covariances))


def _blinks_in_general(shapes: Array) -> Array:
    width = np.linalg.norm(shapes[:, RIGHT_EYE_OUTER] - shapes[:, RIGHT_EYE_INNER], axis=-1, keepdims=True)
    return np.clip((OPEN - apertures(shapes) / width) / (OPEN - SHUT), 0, 1)


def _cancel_opposed(found: Array) -> None:
    """Opposites act as their difference (in place)."""
    common = np.minimum(found[:, _OPPOSED[:, 0]], found[:, _OPPOSED[:, 1]])
    found[:, _OPPOSED[:, 0]] -= common
    found[:, _OPPOSED[:, 1]] -= common
    narrow = np.minimum(found[:, _PUCKER], found[:, _STRETCHES].mean(1))
    found[:, _PUCKER] -= narrow
    found[:, _STRETCHES] = np.maximum(found[:, _STRETCHES] - narrow[:, None], 0)

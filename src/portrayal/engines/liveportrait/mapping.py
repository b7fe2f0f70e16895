"""Between Portrayal's motion and LivePortrait's: the 52 ARKit coefficients, head and gaze, there and back.

LivePortrait publishes no map of its expression space. The amounts here are those of its own sliders (see
:mod:`.editing`), scaled so that a full coefficient opens, closes or widens as much as the puppet's rig
does: the published templates tell how far lids and lips move per unit. Coefficients that no coordinate is
known for (cheekPuff, tongueOut) do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.keypoints import (
    NEUTRAL,
    FaceMotion,
    rotation_angles,
    rotation_matrix,
)
from portrayal.engines.liveportrait.offsets import limited, offset
from portrayal.motion import SHAPE_INDEX, SHAPES, MotionFrame
from portrayal.track.geometry import PIVOT

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.crop import Square
    from portrayal.track.face import Face

Array = NDArray[np.float32]

#: What a full coefficient adds to the expression. Points 11 and 13 are the lids of the eye on the picture's
#: left (the head's own right), 15 and 16 of the other; 1 and 2 the brows; 3 and 7 the cheeks; 14 the
#: corners of the mouth, 17 its middle, 19 jaw and lower lip, 20 upper lip and width.
_EFFECTS = {
    "eyeBlinkRight": "11y .016, 13y -.0048", "eyeBlinkLeft": "15y .016, 16y -.0048",
    "eyeWideRight": "11y -.008, 13y .0024", "eyeWideLeft": "15y -.008, 16y .0024",
    "eyeSquintRight": "11y .0025, 13y -.005", "eyeSquintLeft": "15y .0025, 16y -.005",
    "eyeLookOutRight": "11x -.020", "eyeLookInRight": "11x .014",
    "eyeLookOutLeft": "15x .020", "eyeLookInLeft": "15x -.014",
    "eyeLookDownRight": "11y .010, 13y .003", "eyeLookDownLeft": "15y .010, 16y .003",
    "eyeLookUpRight": "11y -.010, 13y -.003", "eyeLookUpLeft": "15y -.010, 16y -.003",
    "browInnerUp": "1y .007, 2y -.007",
    "browOuterUpRight": "1y .012", "browOuterUpLeft": "2y -.012",
    "browDownRight": "1x .012, 1y -.0036", "browDownLeft": "2x -.012, 2y .0036",
    "jawOpen": "19y .125, 19z .0125, 17y -.0125",
    "jawForward": "19z -.02", "jawLeft": "19x .03", "jawRight": "19x -.03",
    "mouthClose": "19y -.012",
    "mouthFunnel": "14y .010, 17z -.008, 20z .007, 19y .03, 3y -.004, 7y -.004",
    "mouthPucker": "14y .015, 17z -.010, 20z .012, 3y -.0075, 7y -.0075",
    "mouthLeft": "19x .02, 20x .015", "mouthRight": "19x -.02, 20x -.015",
    "mouthSmileRight": "20y -.0065, 14y -.013, 17y .0042, 17z .002, 13y -.0036, 3y -.0045",
    "mouthSmileLeft": "20y -.0065, 14y -.013, 17y .0042, 17z .002, 16y -.0036, 7y -.0045",
    "mouthFrownRight": "14y .008", "mouthFrownLeft": "14y .008",
    "mouthDimpleRight": "20z -.004, 14y -.002", "mouthDimpleLeft": "20z -.004, 14y -.002",
    "mouthStretchRight": "20z -.0065, 20y -.0065, 14y -.0065",
    "mouthStretchLeft": "20z -.0065, 20y -.0065, 14y -.0065",
    "mouthRollLower": "19y -.006, 19z .004", "mouthRollUpper": "20y .006",
    "mouthShrugLower": "19y -.010", "mouthShrugUpper": "20y -.004",
    "mouthPressRight": "19y -.004, 20y .002", "mouthPressLeft": "19y -.004, 20y .002",
    "mouthLowerDownRight": "19y .012", "mouthLowerDownLeft": "19y .012",
    "mouthUpperUpRight": "20y -.005", "mouthUpperUpLeft": "20y -.005",
    "cheekSquintRight": "13y -.0025, 3y -.003", "cheekSquintLeft": "16y -.0025, 7y -.003",
    "noseSneerRight": "20y -.002, 3y -.003", "noseSneerLeft": "20y -.002, 7y -.003",
}  # fmt: skip
#: How much of an open jaw's gap closed lips take away: the chin stays down a little.
_CLOSING = 0.85
#: LivePortrait's pitch, yaw and roll of positive sign, in ours.
_SIGNS = np.array([1, -1, -1], np.float32)
#: From the keypoints' origin to the neck pivot, in eye distances: the origin lies a little under the eyes.
_TO_PIVOT = PIVOT - np.array([0, 0.2, 0], np.float32)
#: Coefficients that a template's expression is told in: of those that move the same points one is enough.
_TOLD = [
    *(name for name in SHAPES if name.startswith(("eyeBlink", "eyeWide", "eyeLookIn", "eyeLookOut", "brow"))),
    *(name for name in SHAPES if name.startswith(("mouthSmile", "mouthFrown", "mouthStretch",
    "mouthUpperUp"))), "jawOpen", "jawLeft", "jawRight", "mouthClose", "mouthPucker", "mouthRollUpper",
]  # fmt: skip
#: Weight (in units of the expression) by which a template's coefficients are drawn to 0.
_RIDGE = 2e-3


@cache
def effects() -> Array:
    """(52, 21, 3) what each coefficient adds to an expression at 1, in the order of SHAPES."""
    table = np.zeros((len(SHAPES), 21, 3), np.float32)
    for name, text in _EFFECTS.items():
        table[SHAPE_INDEX[name]] = offset(text)
    return table


def expression(coefficients: Array) -> Array:
    """(21, 3) what (52,) coefficients add to a neutral expression, no further than faces go."""
    weights = np.array(coefficients, np.float32)
    jaw, close = SHAPE_INDEX["jawOpen"], SHAPE_INDEX["mouthClose"]
    shut = np.clip(min(weights[close], weights[jaw]), 0, None)
    weights[jaw] -= _CLOSING * shut  # lips that close over an open jaw
    weights[close] -= shut
    change = np.tensordot(weights, effects(), 1)
    return np.asarray(limited(NEUTRAL + change) - NEUTRAL, np.float32)


@dataclass(frozen=True)
class MotionMap:
    """Maps motion for one portrait. eye_distance: of the portrait, in half sides of its crop."""

    eye_distance: float = 0.55

    @classmethod
    def of_face(cls, face: Face, square: Square) -> MotionMap:
        """For a face whose crop is `square`."""
        return cls(2 * face.pose.scale / square.side)

    def __call__(self, frame: MotionFrame) -> FaceMotion:
        """One frame (N = 1) of a neutral face that does what the motion says.

        A head turns about its neck, as :class:`MotionFrame` has it: turning moves the keypoints' origin.
        """
        angles = frame.rotation * _SIGNS
        rotation = rotation_matrix(angles)
        swing = _TO_PIVOT - frame.scale * _TO_PIVOT @ rotation
        shift = (swing[:2] + frame.translation) * np.float32(self.eye_distance)
        return FaceMotion.from_angles(
            angles[None], NEUTRAL + expression(frame.coefficients), [*shift, 0.0], [frame.scale]
        )

    def back(self, motion: FaceMotion, reference: FaceMotion) -> Iterator[MotionFrame]:
        """Motion frames for N frames of LivePortrait's, relative to a neutral `reference` (N = 1)."""
        turned = motion.rotation @ reference.rotation.swapaxes(1, 2)
        scales = motion.scale / reference.scale
        shifts = (motion.translation - reference.translation)[:, :2] / np.float32(self.eye_distance)
        changes = motion.expression - reference.expression
        for rotation, scale, shift, change in zip(turned, scales, shifts, changes, strict=True):
            swing = _TO_PIVOT - scale * _TO_PIVOT @ rotation
            yield MotionFrame(
                rotation=rotation_angles(rotation) * _SIGNS,
                translation=np.asarray(shift - swing[:2], np.float32),
                scale=float(scale),
                coefficients=coefficients(change),
            )


def neutral_motion() -> FaceMotion:
    """The frame that motion relative to a neutral face is compared to."""
    return MotionMap()(MotionFrame())


def mapped(frames: Iterable[MotionFrame], mapping: MotionMap) -> Iterator[FaceMotion]:
    """Every frame of a motion for LivePortrait, as it comes."""
    return (mapping(frame) for frame in frames)


def coefficients(change: Array) -> Array:
    """(52,) the smallest coefficients, none below 0, whose effects add up to a change of expression (21,
    3).
    """
    from scipy.optimize import nnls

    matrix, used = _ridged()
    solution, _ = nnls(matrix, np.concatenate([change.ravel(), np.zeros(len(used))]))
    weights = np.zeros(len(SHAPES), np.float32)
    weights[used] = np.clip(solution, 0, 1)
    return weights


@cache
def _ridged() -> tuple[NDArray[np.float64], list[int]]:
    """The effects told in as columns, over rows that draw each to 0; and which coefficients these are."""
    used = [SHAPE_INDEX[name] for name in _TOLD]
    columns = effects()[used].reshape(len(used), -1).T
    return np.concatenate([columns, _RIDGE * np.eye(len(used))]).astype(np.float64), used

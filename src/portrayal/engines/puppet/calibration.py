"""What a tracker reads from a drawn face is not quite what was drawn: how to draw so that it is.

A raised brow makes a tracker see the eyes wider, a smile narrower, and of a painting's wide eye it sees but a
part; how much depends on the portrait. So a few expressions are drawn and tracked once, in a two-level design
(Plackett and Burman 1946) that takes all of them apart at once. What is drawn of eyes and mouth is then
corrected, within narrow limits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.reference import unlike
from portrayal.engines.puppet.rig import displace, room_to_widen, smooth_step
from portrayal.engines.puppet.transfer import Target
from portrayal.motion import SHAPE_INDEX, MotionFrame
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.measures import COLUMN, measure
from portrayal.track.proportions import adapted_basis
from portrayal.track.topology import LEFT_IRIS, RIGHT_IRIS
from portrayal.track.tracker import FaceTracker

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: How far each measure usually goes; in the order of :data:`portrayal.track.measures.MEASURES`.
USUAL = np.array([0.05, 0.06, 0.08, 0.08, 0.06, 0.03, 0.03, 0.03, 4, 4, 4], np.float32)
#: What is corrected, and by how much at most.
LIMITS = {"mouth_open": 0.02, "mouth_width": 0.06, "eye_right": 0.1, "eye_left": 0.1}
#: A movement of which the tracker sees less is drawn larger by up to this.
GAIN = 1.3
#: Eye distance in pixels of the largest face that is drawn and tracked for this.
LARGEST = 180.0
#: The weight of no influence at all, in drawn expressions.
RIDGE = 2.0
#: A measure of which the tracker sees less than this share is not corrected as if it saw so little.
LEAST_SEEN = 0.6
#: Eyes less open than this share of the portrait's are corrected less, closed ones not at all.
EYES_OPEN = 0.6
#: By how much the correction of an eye may differ from the mean of both.
EYES_APART = 0.03
#: Closed lips stay closed; from the second opening on they are corrected (of face height).
LIPS_PART = (0.005, 0.03)

_HALF = np.array([0.5, 0.5, 0], np.float32)
_BOTH_EYES = ("Left", "Right")
#: For each column of the design: coefficients at its high and at its low level.
_LEVELS: tuple[tuple[dict[str, float], dict[str, float]], ...] = (
    ({f"eyeWide{s}": 0.6 for s in _BOTH_EYES}, {f"eyeBlink{s}": 0.4 for s in _BOTH_EYES}),
    (
        {"browInnerUp": 0.6, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6},
        {f"browDown{s}": 0.5 for s in _BOTH_EYES},
    ),
    ({"browOuterUpLeft": 0.4}, {"browOuterUpRight": 0.4}),
    ({f"eyeLookUp{s}": 0.4 for s in _BOTH_EYES}, {f"eyeLookDown{s}": 0.4 for s in _BOTH_EYES}),
    ({"eyeLookOutLeft": 0.4, "eyeLookInRight": 0.4}, {"eyeLookInLeft": 0.4, "eyeLookOutRight": 0.4}),
    ({"jawOpen": 0.35}, {}),
    ({f"mouthSmile{s}": 0.5 for s in _BOTH_EYES}, {"mouthPucker": 0.5}),
    ({"eyeSquintLeft": 0.4, "eyeBlinkLeft": 0.15}, {"eyeSquintRight": 0.4, "eyeBlinkRight": 0.15}),
)
#: Degrees of pitch, yaw and roll at their levels.
_TURNS = np.array([5.0, 5.0, 3.0], np.float32)
_RUNS = 16


@dataclass(frozen=True)
class Calibration:
    """Corrects where one portrait's face is drawn.

    rest: (11,) the portrait's measures. influence: (11, 11) by how much more than its own change a measure
    (column) is read as changed, for every unit that a measure (row) changes. fields: (11, 478, 3) head-space
    displacement that changes a measure by one. face: the portrait's. share: how much of the correction is
    made, 0 to 1.
    """

    rest: Array
    influence: Array
    fields: Array
    face: Face
    share: float = 1.0

    @classmethod
    def of(cls, rgb: Rgb, face: Face, actor: Actor) -> Calibration:
        """Of a face in a picture (H, W, 3) and the actor made of them, by drawing and tracking it:
        :data:`_RUNS` pictures."""
        drawn, read = _tried(*_small(rgb, face, actor))
        return cls(measure(face), influence(drawn, read), _fields(face), face)

    def against(self, reference: MotionFrame | None) -> Calibration:
        """For a driving with this reference frame. Of one and the same face a tracker reads driving and
        result alike: there is nothing to correct."""
        if reference is None or reference.shape is None:
            return self
        return replace(self, share=unlike(self.face.shape, reference.shape))

    def __call__(self, target: Target) -> Target:
        now = measure(Face(target.points))
        change = now - self.rest
        own = np.diag(self.influence)
        seen = np.maximum(1 + own, LEAST_SEEN)
        larger = np.clip(1 / seen, 1, GAIN) - 1
        wanted = larger * change - (change @ self.influence - change * own) / seen
        correction = self.share * _LIMIT * np.tanh(wanted / _LIMIT)
        correction[_MOUTH] *= smooth_step(now[_MOUTH], *LIPS_PART)
        correction[_EYES] = self._of_eyes(correction[_EYES], now[_EYES] / self.rest[_EYES], target)
        return replace(target, shape=target.shape + np.tensordot(correction, self.fields, 1))

    def _of_eyes(self, wanted: Array, openness: Array, target: Target) -> Array:
        """(2,) how much of the correction wanted for each eye is made: nearly the same for both, since eyes
        that are read as different would be made to look so."""
        mean = wanted.mean()
        alike = mean + EYES_APART * np.tanh((wanted - mean) / EYES_APART)
        room = np.where(alike > 0, room_to_widen(self.face.shape, target.shape), 1)
        return np.asarray(alike * np.minimum(np.clip(openness / EYES_OPEN, 0, 1), room), np.float32)


_LIMIT = np.array([LIMITS.get(key, 1e-6) for key in COLUMN], np.float32)
_MOUTH = COLUMN["mouth_open"]
_EYES = [COLUMN["eye_right"], COLUMN["eye_left"]]


def _small(rgb: Rgb, face: Face, actor: Actor) -> tuple[Rgb, Face, Actor]:
    """No larger than trackers see it anyway."""
    factor = LARGEST / face.pose.scale
    if factor >= 1:
        return rgb, face, actor
    less = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = np.asarray(less, np.uint8)
    there = Face(((face.landmarks + _HALF) * factor - _HALF).astype(np.float32))
    return small, there, Actor(small, there)


def _tried(rgb: Rgb, face: Face, actor: Actor) -> tuple[Array, Array]:
    """(N, 11) measures of expressions as drawn, and as tracked."""
    tracker = FaceTracker(face)
    drawn, read = [], []
    try:
        for target in [Target(face.pose, face.shape), *expressions(face)]:
            picture = rgb.copy()
            actor.paint(picture, target)
            seen = tracker(picture)
            if seen is not None:
                drawn.append(measure(Face(target.points)))
                read.append(measure(seen))
    finally:
        tracker.close()
    return np.array(drawn, np.float32), np.array(read, np.float32)


def expressions(face: Face) -> list[Target]:
    design = _hadamard(_RUNS)[:, 1 : 1 + len(_LEVELS) + 3]
    targets = []
    for row in design:
        coefficients = np.zeros(len(SHAPE_INDEX), np.float32)
        for level, (high, low) in zip(row, _LEVELS, strict=False):
            for name, value in (high if level > 0 else low).items():
                coefficients[SHAPE_INDEX[name]] += value
        angles = face.pose.angles + row[-3:] * _TURNS
        pose = HeadPose.about_pivot(angles, face.pose.scale, face.pose.pivot)
        targets.append(Target(pose, face.shape + displace(coefficients, face.shape)))
    return targets


def _hadamard(order: int) -> Array:
    """(order, order) of +1 and -1 with orthogonal columns, the first all +1 (Sylvester 1867)."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def influence(drawn: Array, read: Array) -> Array:
    """(11, 11) by ridge regression of what was read beyond what was drawn (Hoerl and Kennard 1970)."""
    change, beyond = drawn / USUAL, (read - drawn) / USUAL
    change, beyond = change - change.mean(0), beyond - beyond.mean(0)
    weights = np.linalg.solve(change.T @ change + RIDGE * np.eye(len(USUAL)), change.T @ beyond)
    return np.asarray(weights * USUAL / USUAL[:, None], np.float32)


def _fields(face: Face) -> Array:
    """(11, 478, 3), zero for what is not corrected."""
    shapes, at_rest = adapted_basis(face.shape), measure(face)
    fields = np.zeros((len(COLUMN), *face.shape.shape), np.float32)
    irises = [*RIGHT_IRIS, *LEFT_IRIS]
    fields[COLUMN["gaze_x"], irises, 0] = fields[COLUMN["gaze_y"], irises, 1] = 0.1
    raised = [shapes[SHAPE_INDEX[f"browOuterUp{side}"]] for side in _BOTH_EYES]
    left = 1 / (1 + np.exp(-face.shape[:, :1] / 0.04))
    inner = shapes[SHAPE_INDEX["browInnerUp"]]
    fields[COLUMN["brow_left"]], fields[COLUMN["brow_right"]] = (
        raised[0] + left * inner,
        raised[1] + (1 - left) * inner,
    )
    for key, names in (
        ("mouth_open", ("jawOpen",)),
        ("mouth_width", ("mouthStretchLeft", "mouthStretchRight")),
        ("eye_right", ("eyeWideRight",)),
        ("eye_left", ("eyeWideLeft",)),
    ):
        fields[COLUMN[key]] = shapes[[SHAPE_INDEX[name] for name in names]].sum(0)
    for key in LIMITS:
        step = Face(face.pose.to_picture(face.shape + 0.1 * fields[COLUMN[key]]))
        fields[COLUMN[key]] *= 0.1 / (measure(step) - at_rest)[COLUMN[key]]
    return fields

"""The 52 coefficients, head and gaze in LivePortrait's terms, and a template in ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from golden.liveportrait.cases import GOLDEN, networks, source
from portrayal.engines.liveportrait.crop import Anchors, Square
from portrayal.engines.liveportrait.info import OPTIONS
from portrayal.engines.liveportrait.keypoints import NEUTRAL, rotation_matrix
from portrayal.engines.liveportrait.mapping import MotionMap, effects, expression, neutral_motion
from portrayal.engines.liveportrait.offsets import HIGHEST, LOWEST
from portrayal.engines.liveportrait.template import Template
from portrayal.engines.liveportrait.transfer import Rules, Transfer
from portrayal.motion import MIRRORED, SHAPE_INDEX, SHAPES, MotionFrame
from portrayal.track import geometry
from portrayal.track.face import Face
from portrayal.track.topology import mean_face


def frame(**values: float) -> MotionFrame:
    coefficients = np.zeros(len(SHAPES), np.float32)
    for name, value in values.items():
        coefficients[SHAPE_INDEX[name]] = value
    return MotionFrame(coefficients=coefficients)


def played(motion: MotionFrame) -> np.ndarray:
    """(21, 3) how the portrait's keypoints move, without the networks."""
    own = source()[0]
    transfer = Transfer(Rules.of(OPTIONS(stitching=False)), networks(), own, neutral_motion())
    return (transfer.keypoints(MotionMap()(motion)) - own.keypoints)[0]


_PARTS = {
    "eyeBlinkRight": {11, 13}, "eyeWideRight": {11, 13}, "eyeSquintRight": {11, 13},
    "eyeLookUpRight": {11, 13}, "eyeLookDownRight": {11, 13}, "eyeLookInRight": {11}, "eyeLookOutRight": {11},
    "browInnerUp": {1, 2}, "browOuterUpRight": {1}, "browDownRight": {1},
    "jawOpen": {17, 19}, "jawForward": {19}, "jawRight": {19}, "mouthClose": {19},
    "mouthFunnel": {3, 7, 14, 17, 19, 20}, "mouthPucker": {3, 7, 14, 17, 20}, "mouthRight": {19, 20},
    "mouthSmileRight": {3, 13, 14, 17, 20}, "mouthFrownRight": {14}, "mouthDimpleRight": {14, 20},
    "mouthStretchRight": {14, 20}, "mouthRollLower": {19}, "mouthRollUpper": {20}, "mouthShrugLower": {19},
    "mouthShrugUpper": {20}, "mouthPressRight": {19, 20}, "mouthLowerDownRight": {19},
    "mouthUpperUpRight": {20}, "cheekSquintRight": {3, 13}, "noseSneerRight": {3, 20},
    "cheekPuff": set(), "tongueOut": set(),
}  # fmt: skip
#: The other side of the face: which point is which in the mirror.
_MIRROR = {1: 2, 2: 1, 3: 7, 7: 3, 11: 15, 15: 11, 13: 16, 16: 13}


@pytest.mark.parametrize("name", SHAPES)
def test_each_coefficient_moves_its_part_and_nothing_else(name: str) -> None:
    moved = {int(i) for i in np.flatnonzero(np.abs(played(frame(**{name: 1.0}))).max(1) > 1e-6)}
    if name in _PARTS:
        assert moved == _PARTS[name]
    else:  # of the left side: the mirror of the right
        right = _PARTS[name.replace("Left", "Right")]
        assert moved == {_MIRROR.get(i, i) for i in right}


def test_both_sides_are_alike() -> None:
    """Brows excepted, whose keypoints move in opposite senses."""
    table = effects()
    for index, name in enumerate(SHAPES):
        other = table[MIRRORED[index]]
        if name.startswith("brow"):
            continue
        for point in range(21):
            turned = other[_MIRROR.get(point, point)] * np.array([-1, 1, 1])
            gaze = name.startswith("eyeLook")
            assert np.allclose(table[index][point], turned, atol=0.0 if gaze else 1e-7) or point in (
                14,
                17,
                20,
            )


@pytest.mark.parametrize(
    ("values", "point", "axis", "sign"),
    [
        ({"eyeBlinkRight": 1.0}, 11, 1, 1),
        ({"eyeBlinkLeft": 1.0}, 15, 1, 1),
        ({"eyeWideLeft": 1.0}, 15, 1, -1),
        ({"jawOpen": 1.0}, 19, 1, 1),
        ({"jawLeft": 1.0}, 19, 0, 1),
        ({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, 14, 1, -1),
        ({"mouthFrownLeft": 1.0}, 14, 1, 1),
        ({"mouthPucker": 1.0}, 20, 2, 1),
        ({"mouthStretchLeft": 1.0}, 20, 2, -1),
        ({"browOuterUpRight": 1.0}, 1, 1, 1),
        ({"browOuterUpLeft": 1.0}, 2, 1, -1),
    ],
)
def test_directions(values: dict[str, float], point: int, axis: int, sign: int) -> None:
    assert sign * played(frame(**values))[point, axis] > 1e-3


def test_both_eyes_look_where_the_gaze_says() -> None:
    own_left = played(MotionFrame().with_gaze(1, 0))
    assert own_left[[11, 15], 0].min() > 0.01  # its own left is the picture's right
    down = played(MotionFrame().with_gaze(0, 1))
    assert down[[11, 15], 1].min() > 0.01


def test_closed_lips_over_an_open_jaw_are_closed() -> None:
    open_, closed = (
        expression(frame(jawOpen=0.6).coefficients),
        expression(frame(jawOpen=0.6, mouthClose=0.6).coefficients),
    )
    assert 0 < closed[19, 1] < 0.2 * open_[19, 1]


def test_no_expression_goes_further_than_faces_go() -> None:
    wild = NEUTRAL + expression(np.full(len(SHAPES), 3, np.float32))
    assert (wild <= HIGHEST + 1e-7).all() and (wild >= LOWEST - 1e-7).all()
    gentle = np.full(len(SHAPES), 0.1, np.float32)
    assert np.abs(expression(gentle) - np.tensordot(gentle, effects(), 1)).max() < 0.012  # mouthClose alone


@pytest.mark.parametrize("axis", range(3), ids=["pitch", "yaw", "roll"])
def test_heads_turn_as_portrayal_says(axis: int) -> None:
    """A point of the head goes the same way as with the project's own rotation."""
    angles = np.zeros(3, np.float32)
    angles[axis] = 15
    rotation = MotionMap()(MotionFrame(rotation=angles)).rotation[0]
    for point in np.array([[0, 0, -0.5], [0.3, -0.4, 0], [0, 0.6, -0.2]], np.float32):
        assert np.abs(point @ rotation - geometry.rotation_matrix(angles) @ point).max() < 1e-6


def test_a_head_turns_about_its_neck() -> None:
    """The mean face, moved by the puppet's geometry and by LivePortrait's, is in the same place."""
    size, centre = 120.0, np.array([300, 300, 0], np.float32)
    square, scale = Square((300.0, 320.0), 400.0), 200.0
    face = Face(mean_face() * size + centre)
    mapping = MotionMap.of_face(face, square)
    assert mapping.eye_distance == pytest.approx(2 * face.pose.scale / 400)
    origin = np.array([0, 0.2, 0], np.float32)  # of the keypoints, in head space
    for angles, shift, growth in [((12, 0, 0), (0, 0), 1.0), ((0, 18, 5), (0.1, 0.2), 1.1)]:
        motion = MotionFrame(np.float32(angles), np.float32(shift), growth)
        pivot = face.pose.pivot + np.array([*np.multiply(shift, face.pose.scale), 0], np.float32)
        pose = geometry.HeadPose.about_pivot(
            face.pose.angles + np.float32(angles), face.pose.scale * growth, pivot
        )
        wanted = (pose.to_picture(origin[None]) - face.pose.to_picture(origin[None]))[0, :2]
        assert np.abs(mapping(motion).translation[0, :2] * scale - wanted).max() < 1.0


def test_a_neutral_motion_leaves_the_portrait() -> None:
    assert np.abs(played(MotionFrame())).max() < 1e-7


_KEPT: list[dict[str, float]] = [
    {"jawOpen": 0.6},
    {"eyeBlinkLeft": 1.0},
    {"mouthPucker": 0.7},
    {"mouthStretchLeft": 0.5},
    {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8},
    {"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7},
]


def test_motion_survives_the_way_there_and_back() -> None:
    mapping = MotionMap()
    for values in _KEPT:
        motion = replace(
            frame(**values), rotation=np.float32([5, -12, 7]), translation=np.float32([0.1, -0.05]), scale=1.1
        )
        back = next(mapping.back(mapping(motion), neutral_motion()))
        assert np.abs(back.rotation - motion.rotation).max() < 1e-3
        assert np.abs(back.translation - motion.translation).max() < 1e-4
        assert back.scale == pytest.approx(1.1)
        names = values if "mouthStretchLeft" not in values else {**values, "mouthStretchRight": 0}
        told = sum(back.coefficients[SHAPE_INDEX[name]] for name in names)
        assert told == pytest.approx(sum(values.values()), abs=0.1)
        assert back.coefficients.sum() - told < 0.1


def test_a_template_tells_coefficients() -> None:
    template = Template.load(GOLDEN / "template_new.pkl")
    frames = list(MotionMap().back(template.motion, template.motion[0]))
    assert len(frames) == 4
    assert not frames[0].coefficients.any() and np.abs(frames[0].rotation).max() < 1e-3
    for i, told in enumerate(frames):
        assert told.coefficients.min() >= 0 and told.coefficients.max() <= 1
        turned = rotation_matrix(told.rotation * np.array([1, -1, -1]))
        relative = template.motion.rotation[i] @ template.motion.rotation[0].T
        assert np.abs(turned - relative).max() < 1e-5


def test_a_square_around_a_face_gives_its_eye_distance() -> None:
    landmarks = mean_face() * 100 + 300
    square = Square.around(Anchors.of_mesh(landmarks))
    measured = MotionMap.of_face(Face(landmarks.astype(np.float32)), square).eye_distance
    assert measured == pytest.approx(MotionMap().eye_distance, abs=0.02)

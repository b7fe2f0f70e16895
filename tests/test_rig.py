"""The rig moves a portrait as its coefficients say, and never past what a face can do."""

from __future__ import annotations

import numpy as np
import pytest

from portrayal.engines.puppet.rig import TONGUE_PARTS, displace, soft_limit_shape
from portrayal.motion import SHAPE_INDEX, SHAPES
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
    mean_face,
)


def pose(**amounts: float) -> np.ndarray:
    found = np.zeros(len(SHAPES), np.float32)
    for name, amount in amounts.items():
        sides = [name] if name in SHAPE_INDEX else [f"{name}Left", f"{name}Right"]
        found[[SHAPE_INDEX[s] for s in sides]] = amount
    return found


def lips(face: np.ndarray) -> np.ndarray:
    return face[list(INNER_LIP_BOTTOM), 1] - face[list(INNER_LIP_TOP), 1]


def lids(face: np.ndarray) -> np.ndarray:
    pairs = ((RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM), (LEFT_EYE_TOP, LEFT_EYE_BOTTOM))
    return np.array([face[list(bottom), 1] - face[list(top), 1] for top, bottom in pairs])


def width(face: np.ndarray) -> float:
    return float(face[291, 0] - face[61, 0])


def wide_eyed() -> np.ndarray:
    return mean_face() + displace(pose(eyeWide=1), mean_face())


def smiling() -> np.ndarray:
    return mean_face() + displace(pose(mouthSmile=1, jawOpen=0.3), mean_face())


def shouting() -> np.ndarray:
    return mean_face() + displace(pose(jawOpen=0.9, eyeSquint=0.7), mean_face())


def small_mouthed() -> np.ndarray:
    face = mean_face()
    lower = 1 / (1 + np.exp(-(face[:, 1] - 0.5) / 0.03))
    face[:, 0] *= 1 - 0.2 * lower
    return face


PORTRAITS = [mean_face, wide_eyed, smiling, shouting, small_mouthed]


@pytest.fixture(params=PORTRAITS, ids=lambda make: make.__name__)
def portrait(request: pytest.FixtureRequest) -> np.ndarray:
    return np.asarray(request.param(), np.float32)


def test_nothing_asked_nothing_moves(portrait: np.ndarray) -> None:
    np.testing.assert_array_equal(displace(pose(), portrait), np.zeros((478, 3)))


def test_a_tongue_that_is_put_out_parts_the_lips(portrait: np.ndarray) -> None:
    parted = displace(pose(jawOpen=TONGUE_PARTS), portrait)
    np.testing.assert_array_equal(displace(pose(tongueOut=1), portrait), parted)
    wide = displace(pose(jawOpen=0.6), portrait)
    np.testing.assert_array_equal(displace(pose(tongueOut=1, jawOpen=0.6), portrait), wide)


@pytest.mark.parametrize(
    "others", [{}, {"eyeWide": 1}, {"eyeSquint": 1, "eyeLookDown": 1}, {"mouthSmile": 1}]
)
def test_blink_of_one_closes_the_eyes_whatever_else(portrait: np.ndarray, others: dict[str, float]) -> None:
    for amount in (1.0, 1.7):
        closed = portrait + displace(pose(eyeBlink=amount, **others), portrait)
        np.testing.assert_allclose(lids(closed), 0, atol=1e-5)
    half = portrait + displace(pose(eyeBlink=0.5), portrait)
    np.testing.assert_allclose(lids(half), lids(portrait) / 2, atol=1e-5)


def test_a_blink_is_the_upper_lids(portrait: np.ndarray) -> None:
    moved = displace(pose(eyeBlinkLeft=1), portrait)
    assert moved[386, 1] > 4 * -moved[374, 1] > 0
    assert np.abs(moved[list(RIGHT_EYE_TOP)]).max() < 1e-3
    assert np.abs(moved[list(LEFT_IRIS)]).max() < 1e-6


def test_lips_and_lids_never_cross(portrait: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    lip_floor, lid_floor = np.minimum(lips(portrait), 0), np.minimum(lids(portrait), 0)
    for _ in range(200):
        posed = rng.uniform(-0.5, 1.5, len(SHAPES)) * (rng.random(len(SHAPES)) < 0.3)
        face = portrait + displace(posed.astype(np.float32), portrait)
        assert (lips(face) - lip_floor).min() > -1e-5
        assert (lids(face) - lid_floor).min() > -1e-5
        assert np.isfinite(face).all()


def test_mouth_close_closes_what_the_jaw_opened_and_no_more() -> None:
    face = mean_face()
    for jaw in (0.0, 0.3, 0.7, 1.0):
        np.testing.assert_allclose(
            lips(face + displace(pose(jawOpen=jaw, mouthClose=jaw), face)), lips(face), atol=1e-4
        )
    stubborn = displace(pose(mouthClose=1), face)
    assert np.abs(stubborn).max() < 0.02  # closed lips stay where they are


def test_a_mouth_that_is_open_opens_less() -> None:
    neutral, open_mouth = mean_face(), np.asarray(shouting(), np.float32)
    from_closed = lips(neutral + displace(pose(jawOpen=1), neutral)).max()
    from_open = lips(open_mouth + displace(pose(jawOpen=1), open_mouth)).max()
    assert from_closed > 0.4
    assert lips(open_mouth).max() < from_open < 0.65
    steps = [lips(open_mouth + displace(pose(jawOpen=j), open_mouth)).max() for j in np.linspace(0, 1, 11)]
    assert (np.diff(steps) > 0).all()


def test_a_smile_does_not_double() -> None:
    neutral, smile = mean_face(), np.asarray(smiling(), np.float32)
    full = width(neutral + displace(pose(mouthSmile=1), neutral))
    doubled = width(smile + displace(pose(mouthSmile=1), smile))
    assert full - width(neutral) > 0.15
    assert width(smile) < doubled < 0.87


def test_small_mouths_move_less() -> None:
    small, normal = small_mouthed(), mean_face()
    ratio = lips(small + displace(pose(jawOpen=0.6), small)).max()
    ratio /= lips(normal + displace(pose(jawOpen=0.6), normal)).max()
    assert 0.7 < ratio < 0.95


def test_beyond_one_and_below_zero_level_off(portrait: np.ndarray) -> None:
    for name in SHAPES:
        one, ten, hundred, minus = (
            np.abs(displace(pose(**{name: amount}), portrait)).max() for amount in (1, 10, 100, -100)
        )
        assert ten <= 1.5 * one + 1e-6 and hundred <= ten + 1e-3 and minus < 0.22, name


def test_displacement_is_continuous(portrait: np.ndarray) -> None:
    rng = np.random.default_rng(9)
    a, b = rng.uniform(0, 1.3, (2, len(SHAPES))).astype(np.float32)
    path = [displace(a + np.float32(t) * (b - a), portrait) for t in np.linspace(0, 1, 201)]
    assert np.abs(np.diff(path, axis=0)).max() < 0.02


def test_gaze_stays_within_the_eye(portrait: np.ndarray) -> None:
    for way in ("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown"):
        moved = displace(pose(**{way: 2}), portrait)
        for iris in (RIGHT_IRIS, LEFT_IRIS):
            assert 0.02 < np.linalg.norm(moved[iris[0], :2]) < 0.12
            np.testing.assert_allclose(moved[list(iris)], moved[[iris[0]] * 5], atol=1e-5)
    down = portrait + displace(pose(eyeLookDown=1), portrait)
    assert (down[[159, 386], 1] > portrait[[159, 386], 1] + 0.02).all()  # the upper lid follows


def test_lips_rolled_in_stay_right_side_out(portrait: np.ndarray) -> None:
    posed = pose(mouthRollUpper=1, mouthRollLower=1, mouthPress=1, mouthShrugLower=0.5)
    face = portrait + displace(posed, portrait)
    top, bottom = face[[37, 0, 267], 1], face[[84, 17, 314], 1]
    assert (face[[82, 13, 312], 1] > top).all() and (face[[87, 14, 317], 1] < bottom).all()


def test_soft_limit_lets_ordinary_movement_pass() -> None:
    face = mean_face()
    gentle = displace(pose(jawOpen=0.5, mouthSmile=0.5, eyeLookUp=0.4, browInnerUp=1), face)
    np.testing.assert_allclose(soft_limit_shape(face, gentle), gentle, atol=1e-5)


def test_soft_limit_tames_foreign_displacements(portrait: np.ndarray) -> None:
    scream = displace(pose(jawOpen=1, eyeBlink=1), mean_face())
    tamed = portrait + soft_limit_shape(portrait, 2.5 * scream)
    assert lips(tamed).max() < 0.75
    assert (lids(tamed) - np.minimum(lids(portrait), 0)).min() > -1e-5
    squeeze = portrait + soft_limit_shape(portrait, displace(pose(mouthClose=1), shouting()) * 2)
    assert (lips(squeeze) - np.minimum(lips(portrait), 0)).min() > -1e-5

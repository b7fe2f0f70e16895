"""What is drawn is corrected by what the tracker reads of the portrait's own drawn expressions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.calibration import LIMITS, USUAL, Calibration, expressions, influence
from portrayal.engines.puppet.rig import displace
from portrayal.engines.puppet.transfer import Target
from portrayal.motion import SHAPE_INDEX, MotionFrame
from portrayal.portrait import Portrait
from portrayal.track.face import Face
from portrayal.track.measures import COLUMN, measure
from portrayal.track.tracker import FaceTracker


@pytest.fixture(scope="module")
def portrait(media: Path) -> Portrait:
    return Portrait.open(media / "hopper.png", size=512)


@pytest.fixture(scope="module")
def calibration(portrait: Portrait) -> Calibration:
    rgb, (face,) = portrait.rgb, portrait.faces
    return Calibration.of(rgb, face, Actor(rgb, face))


def _target(face: Face, **amounts: float) -> Target:
    coefficients = np.zeros(len(SHAPE_INDEX), np.float32)
    for name, amount in amounts.items():
        coefficients[SHAPE_INDEX[name]] = amount
    return Target(face.pose, face.shape + displace(coefficients, face.shape))


def test_eyes_are_read_more_like_what_was_meant(portrait: Portrait, calibration: Calibration) -> None:
    face = portrait.faces[0]
    actor, eyes = Actor(portrait.rgb, face), [COLUMN["eye_right"], COLUMN["eye_left"]]
    wanted = [_target(face, **amounts) for amounts in _mixtures(24)]

    def read(targets: list[Target]) -> np.ndarray:
        tracker, values = FaceTracker(face), []
        for target in [Target(face.pose, face.shape), *targets]:
            picture = portrait.rgb.copy()
            actor.paint(picture, target)
            seen = tracker(picture)
            assert seen is not None
            values.append(measure(seen)[eyes])
        tracker.close()
        return np.array(values[1:]) - values[0]

    meant = np.array([measure(Face(t.points))[eyes] for t in wanted]) - measure(face)[eyes]
    plain = np.abs(read(wanted) - meant).mean()
    corrected = np.abs(read([calibration(t) for t in wanted]) - meant).mean()
    assert corrected < 0.95 * plain


def _mixtures(count: int) -> list[dict[str, float]]:
    """Three shapes at a time, by chance."""
    random = np.random.default_rng(0)
    both = ("eyeWide", "eyeBlink", "eyeSquint", "eyeLookUp", "eyeLookDown", "browDown", "mouthSmile")
    found = []
    for _ in range(count):
        amounts = {}
        for name in random.choice([*both, "browInnerUp", "jawOpen"], 3, replace=False):
            amount = random.uniform(0.2, 0.8) * (0.5 if name in ("eyeBlink", "jawOpen") else 1)
            amounts |= {f"{name}{side}": amount for side in (("Left", "Right") if name in both else ("",))}
        found.append(amounts)
    return found


def test_the_portrait_as_it_is_and_closed_eyes_stay(portrait: Portrait, calibration: Calibration) -> None:
    face = portrait.faces[0]
    assert np.abs(calibration(Target(face.pose, face.shape)).shape - face.shape).max() < 1e-4
    shut = _target(face, eyeBlinkLeft=1, eyeBlinkRight=1)
    change = measure(Face(calibration(shut).points)) - measure(Face(shut.points))
    assert np.abs(change[[COLUMN["eye_right"], COLUMN["eye_left"]]]).max() < 0.02


def test_corrections_are_limited(portrait: Portrait, calibration: Calibration) -> None:
    face = portrait.faces[0]
    extreme = _target(face, eyeWideLeft=1.3, eyeWideRight=1.3, browInnerUp=1.3, jawOpen=1, mouthPucker=1)
    change = measure(Face(calibration(extreme).points)) - measure(Face(extreme.points))
    for key, limit in LIMITS.items():
        assert abs(change[COLUMN[key]]) < 1.3 * limit


def test_of_the_same_face_nothing_is_corrected(portrait: Portrait, calibration: Calibration) -> None:
    face = portrait.faces[0]
    wide = _target(face, eyeWideLeft=0.9, eyeWideRight=0.9)
    own = calibration.against(MotionFrame(shape=face.shape))
    assert np.array_equal(own(wide).shape, wide.shape)
    stretched = (face.shape * np.array([0.9, 1.1, 1], np.float32)).astype(np.float32)
    other = calibration.against(MotionFrame(shape=stretched))
    assert np.array_equal(other(wide).shape, calibration(wide).shape)
    assert not np.array_equal(other(wide).shape, wide.shape)


def test_influences_are_told_apart(portrait: Portrait) -> None:
    drawn = np.array([measure(Face(t.points)) for t in expressions(portrait.faces[0])])
    true = np.zeros((len(USUAL), len(USUAL)), np.float32)
    true[COLUMN["brow_left"], COLUMN["eye_left"]] = 0.5
    true[COLUMN["mouth_open"], COLUMN["mouth_width"]] = -0.3
    true[COLUMN["gaze_y"], COLUMN["gaze_y"]] = -0.4
    found = influence(drawn, drawn + drawn @ true)
    assert np.abs((found - true) * USUAL[:, None] / USUAL).max() < 0.12


def test_what_brows_do_to_eyes_is_taken_out(portrait: Portrait, calibration: Calibration) -> None:
    matrix = np.zeros_like(calibration.influence)
    brow, eye = COLUMN["brow_left"], COLUMN["eye_left"]
    matrix[brow, eye] = 0.5
    known = replace(calibration, influence=matrix)
    raised = _target(portrait.faces[0], browInnerUp=0.6, browOuterUpLeft=0.6)
    before, after = (measure(Face(t.points)) - calibration.rest for t in (raised, known(raised)))
    assert abs(0.5 * before[brow]) > 0.015
    assert abs(after[eye] + 0.5 * after[brow] - before[eye]) < 0.3 * abs(0.5 * before[brow])

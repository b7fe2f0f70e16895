"""From a driving's face to the portrait's: gaze, lids and blinks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from portrayal.engines.puppet.reference import with_reference
from portrayal.engines.puppet.rig import soft_limit_shape
from portrayal.engines.puppet.transfer import LOOK, Transfer
from portrayal.motion import SHAPE_INDEX, SHAPES, MotionFrame
from portrayal.track.face import Face
from portrayal.track.motion import to_motion
from portrayal.track.proportions import LID_BOTTOMS, LID_TOPS, apertures, iris_widths
from portrayal.track.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_IRIS,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_IRIS,
    mean_face,
)

Array = NDArray[np.float32]
_CORNERS = ((RIGHT_EYE_OUTER, RIGHT_EYE_INNER), (LEFT_EYE_INNER, LEFT_EYE_OUTER))
_AROUND = [*RIGHT_IRIS, *LEFT_IRIS, *_CORNERS[0], *_CORNERS[1]]


def gazes(shape: Array) -> Array:
    """(2, 2) x and y of each iris from the middle between its eye's corners."""
    centres = shape[[RIGHT_IRIS[0], LEFT_IRIS[0]], :2]
    return centres - np.array([shape[list(ends), :2].mean(0) for ends in _CORNERS])


def test_both_eyes_look_where_the_driving_looks_however_the_eyes_are_read() -> None:
    mean = mean_face()
    face = Face((100 * mean + 200).astype(np.float32))
    looking = mean.copy()
    looking[list(RIGHT_IRIS), :2] += (0.02, -0.012)
    looking[list(LEFT_IRIS), :2] += (0.03, 0.004)
    looking[_AROUND, 1] += 0.02  # a drift of all that is near the eyes is no look down
    target = Transfer(face, MotionFrame(shape=mean))(MotionFrame(shape=looking))
    moved = gazes(target.shape) - gazes(face.shape)
    assert moved[0] == pytest.approx(moved[1], abs=1e-4)
    assert moved.mean(0) == pytest.approx(LOOK[:2] * (0.025, -0.004), abs=1e-3)


def test_upper_lids_are_never_far_above_an_iris() -> None:
    mean = mean_face()
    for down in (0.02, 0.05, 0.1):
        moved = np.zeros_like(mean)
        moved[[*RIGHT_IRIS, *LEFT_IRIS], 1] = down
        moved[LID_TOPS, 1] = -0.02
        shape = mean + soft_limit_shape(mean, moved)
        below = shape[[RIGHT_IRIS[0], LEFT_IRIS[0]], 1] - shape[LID_TOPS[:, 3], 1]
        assert (below < 0.85 * iris_widths(mean)).all()


def test_after_a_squinting_reference_eyes_do_not_stare() -> None:
    mean = mean_face()
    face = Face((100 * mean + 200).astype(np.float32))
    squinting, awake = mean.copy(), mean.copy()
    squinting[LID_TOPS] += 0.6 * (mean[LID_BOTTOMS] - mean[LID_TOPS])
    awake[LID_TOPS] -= 0.1 * (mean[LID_BOTTOMS] - mean[LID_TOPS])
    transfer = Transfer(face, MotionFrame(shape=squinting))
    opened = [apertures(transfer(MotionFrame(shape=shape)).shape) for shape in (mean, awake)]
    assert (opened[0] > 1.02 * apertures(mean)).all()
    assert (opened[1] > opened[0]).all()
    assert (opened[1] < apertures(awake) + 0.12 * iris_widths(mean)).all()


def test_a_driving_that_keeps_its_eyes_shut_shuts_the_portraits() -> None:
    mean = mean_face()
    face = Face((100 * mean + 200).astype(np.float32))
    shut = mean.copy()
    shut[LID_TOPS] += 0.9 * (mean[LID_BOTTOMS] - mean[LID_TOPS])
    shut[[*RIGHT_IRIS, *LEFT_IRIS], 1] += 0.03
    frames = [MotionFrame(shape=shut), MotionFrame(shape=mean)]
    reference, stream = with_reference(frames, "auto", face, ahead=1)
    assert reference is not None
    closed, opened = (Transfer(face, reference)(frame).shape for frame in stream)
    assert (apertures(closed) < 0.35 * apertures(mean)).all()
    assert apertures(opened) == pytest.approx(apertures(mean), rel=0.15)
    assert gazes(opened) == pytest.approx(gazes(mean), abs=0.005)


@pytest.mark.parametrize("larger", [0.6, 1.0, 1.9])
def test_a_blink_closes_eyes_of_any_size(larger: float) -> None:
    small, own = mean_face().copy(), mean_face().copy()
    middle = (own[LID_TOPS, 1] + own[LID_BOTTOMS, 1]) / 2
    for lids in (LID_TOPS, LID_BOTTOMS):
        own[lids, 1] = middle + larger * (own[lids, 1] - middle)
    shut = small.copy()
    shut[LID_TOPS, 1] += 0.9 * (shut[LID_BOTTOMS, 1] - shut[LID_TOPS, 1])
    face = Face((100 * own + 200).astype(np.float32))
    target = Transfer(face, MotionFrame(shape=small))(MotionFrame(shape=shut))
    assert (apertures(target.shape) < 0.13 * apertures(face.shape)).all()


def closing(right: float, left: float) -> Array:
    """The mean face with its eyes shut by these shares."""
    shape = mean_face().copy()
    for side, share in enumerate((right, left)):
        tops, bottoms = LID_TOPS[side], LID_BOTTOMS[side]
        shape[tops, 1] += share * (shape[bottoms, 1] - shape[tops, 1])
    return shape


@pytest.mark.parametrize(
    ("read", "apart"),
    [((0.6, 0.15), (0, 0.2)), ((0.15, 0.6), (0, 0.2)), ((0.25, 0.1), (0.1, 0.2)), ((0.95, 0.0), (0.8, 1))],
    ids=["a blink", "of the other eye first", "a squint", "a wink"],
)
def test_lids_blink_together_and_wink_alone(read: tuple[float, float], apart: tuple[float, float]) -> None:
    face = Face((100 * mean_face() + 200).astype(np.float32))
    transfer = Transfer(face, MotionFrame(shape=mean_face()))
    right, left = apertures(transfer(MotionFrame(shape=closing(*read))).shape) / apertures(mean_face())
    assert apart[0] <= abs(right - left) <= apart[1]
    assert 2 - right - left == pytest.approx(sum(read), abs=0.1)


def test_the_reference_has_eyes_that_are_open_as_usual() -> None:
    """Else the portrait's would be half shut wherever the driving's are not wide."""
    wide, smile = mean_face().copy(), np.zeros(len(SHAPES), np.float32)
    wide[LID_TOPS] -= 0.3 * (mean_face()[LID_BOTTOMS] - mean_face()[LID_TOPS])
    smile[[SHAPE_INDEX["mouthSmileLeft"], SHAPE_INDEX["mouthSmileRight"]]] = 0.2
    usual, staring = MotionFrame(shape=mean_face(), coefficients=smile), MotionFrame(shape=wide)
    face = Face((mean_face() * (100, 125, 100) + 200).astype(np.float32))  # somebody else
    for frames in ([staring, usual, usual, usual], [usual, usual, usual, staring]):
        reference, stream = with_reference(frames, "auto", face, ahead=4)
        assert reference is not None and np.array_equal(reference.coefficients, smile)
        assert list(stream) == frames
    reference, _ = with_reference([staring, staring], "auto", face, ahead=2)
    assert reference is not None and np.array_equal(reference.shape, wide)


def test_a_portrait_taken_from_the_driving_is_its_own_reference() -> None:
    """Also where its eyes are wider than usual there."""
    wide, turned = mean_face().copy(), np.float32((2, 5, 0))
    wide[LID_TOPS] -= 0.3 * (mean_face()[LID_BOTTOMS] - mean_face()[LID_TOPS])
    face = Face((100 * wide + 200).astype(np.float32))
    first = to_motion(face, face.pose)
    later = [MotionFrame(shape=mean_face(), rotation=turned) for _ in range(5)]
    reference, _ = with_reference([first, *later], "auto", face, ahead=6)
    assert reference is not None and reference.rotation == pytest.approx(first.rotation)

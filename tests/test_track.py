"""Faces found and followed in real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.rig import displace
from portrayal.engines.puppet.transfer import Target
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.motion import SHAPES, MotionFrame
from portrayal.track.face import choose_face
from portrayal.track.find import find_faces
from portrayal.track.geometry import fit_pose
from portrayal.track.matte import person_matte
from portrayal.track.motion import EASE, hold, steady, track_motion
from portrayal.track.tracker import FaceTracker

Rgb = np.ndarray


@pytest.fixture(scope="module")
def hopper(media: Path) -> Rgb:
    return read_image(media / "hopper.png").rgb


def shifted(rgb: Rgb, x: float, y: float = 0, angle: float = 0, scale: float = 1) -> Rgb:
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += x, y
    return cv2.warpAffine(rgb, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def grey(rgb: Rgb) -> Rgb:
    return np.full_like(rgb, 90)


def test_a_face_is_where_it_is_and_moves_with_the_picture(hopper: Rgb) -> None:
    (face,) = find_faces(hopper)
    (moved,) = find_faces(shifted(hopper, 14, -6))
    assert np.abs((moved.landmarks - face.landmarks)[:, :2].mean(0) - (14, -6)).max() < 0.5


def test_a_tilted_picture_is_a_tilted_head(hopper: Rgb) -> None:
    (face,), (tilted,) = find_faces(hopper), find_faces(shifted(hopper, 0, angle=15))
    assert tilted.pose.angles[2] - face.pose.angles[2] == pytest.approx(15, abs=1.5)


def test_landmarks_do_not_depend_on_the_size_of_the_picture(hopper: Rgb) -> None:
    (face,) = find_faces(hopper)
    large = cv2.resize(hopper, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    (found,) = find_faces(large)
    assert np.abs((found.landmarks + 0.5) / 6 - 0.5 - face.landmarks)[:, :2].mean() < 0.02 * face.pose.scale


def test_several_faces_are_found_and_chosen_from_left_to_right(hopper: Rgb) -> None:
    small = cv2.resize(hopper, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    canvas = np.full((hopper.shape[0], 500, 3), 120, np.uint8)
    canvas[: small.shape[0], 300 : 300 + small.shape[1]] = small
    canvas[:, : hopper.shape[1]] = hopper
    faces = find_faces(canvas)
    assert len(faces) == 2
    assert choose_face(faces, "largest") is choose_face(faces, "left") is choose_face(faces, 0) is faces[0]
    assert choose_face(faces, "right") is choose_face(faces, 1) is faces[1]
    with pytest.raises(PortrayalError, match="no face number 2"):
        choose_face(faces, 2)


def test_a_group_is_found_whole(media: Path) -> None:
    whole = read_image(media / "hopper.png").rgb
    small = cv2.resize(whole, None, fx=250 / len(whole), fy=250 / len(whole), interpolation=cv2.INTER_AREA)
    picture = np.full((880, 1280, 3), 140, np.uint8)
    places = [(x, y) for x in (100, 540, 980) for y in (60, 480)]
    for x, y in places:
        picture[y : y + len(small), x : x + small.shape[1]] = small
    faces = find_faces(picture)
    assert len(faces) == len(places)
    assert np.ptp([face.pose.scale for face in faces]) < 2


def test_scenery_has_no_face() -> None:
    y, x = np.mgrid[:200, :200]
    assert find_faces(np.stack([x, y, (x * y) % 256], -1).astype(np.uint8)) == []


def test_the_matte_covers_the_face_and_not_the_sky(hopper: Rgb) -> None:
    (face,) = find_faces(hopper)
    matte = person_matte(hopper, face, np.eye(3)[:2], hopper.shape[:2])
    x, y = face.centre.astype(int)
    assert matte.shape == hopper.shape[:2]
    assert matte[y - 10 : y + 10, x - 10 : x + 10].min() > 0.95
    assert matte[:40, -40:].max() < 0.1


def test_a_tracker_follows_its_face_and_says_when_it_is_gone(hopper: Rgb) -> None:
    tracker = FaceTracker()
    frames = [hopper, shifted(hopper, 3), grey(hopper), grey(hopper), shifted(hopper, -5)]
    faces = [tracker(frame) for frame in frames]
    assert [face is not None for face in faces] == [True, True, False, False, True]
    assert faces[4].centre[0] - faces[0].centre[0] == pytest.approx(-5, abs=1)


def test_a_small_face_is_followed_across_a_wide_picture(hopper: Rgb) -> None:
    small = cv2.resize(hopper, None, fx=300 / len(hopper), fy=300 / len(hopper), interpolation=cv2.INTER_AREA)
    tracker, seen = FaceTracker(), []
    for step in range(40):
        picture = np.full((900, 1600, 3), 140, np.uint8)
        left, top = 100 + 12 * step, 200 + 6 * step
        picture[top : top + len(small), left : left + small.shape[1]] = small
        face = tracker(picture)
        assert face is not None
        seen.append(face.centre - (left, top))
    tracker.close()
    assert np.abs(np.array(seen) - np.median(seen, 0)).max() < 2


def test_after_a_cut_the_tracker_starts_anew(hopper: Rgb) -> None:
    other = shifted(hopper[:, ::-1], 60, 0, scale=0.7)
    tracker = FaceTracker()
    tracker(hopper)
    cut = tracker(other)
    (alone,) = find_faces(other)
    assert cut is not None
    assert np.abs(cut.landmarks - alone.landmarks)[:, :2].max() < 3


def test_motion_has_a_frame_for_every_picture_and_knows_direction(hopper: Rgb) -> None:
    pictures = [shifted(hopper, 4 * i, angle=3 * i) for i in range(6)]
    motion = list(track_motion(pictures, smooth=0))
    (face,) = find_faces(hopper)
    assert len(motion) == 6
    assert motion[0].translation == pytest.approx((0, 0), abs=1e-6)
    assert motion[5].rotation[2] - motion[0].rotation[2] == pytest.approx(15, abs=2)
    assert np.ptp([frame.scale for frame in motion]) < 0.06
    assert motion[5].translation[0] * face.pose.scale > 15


def test_frames_without_a_face_hold_and_ease_back(hopper: Rgb) -> None:
    pictures = [*[hopper] * 4, *[grey(hopper)] * 4, *[shifted(hopper, 12)] * 8]
    motion = list(track_motion(pictures, smooth=0))
    x = np.array([frame.translation[0] for frame in motion])
    assert [frame.tracked for frame in motion] == [True] * 4 + [False] * 4 + [True] * 8
    assert np.ptp(x[3:8]) == 0
    assert np.abs(np.diff(x)).max() < 0.7 * (x[-1] - x[0])
    assert x[-1] == pytest.approx(12 / find_faces(hopper)[0].pose.scale, rel=0.15)


def test_before_the_first_face_the_motion_waits_in_its_pose(hopper: Rgb) -> None:
    motion = list(track_motion([grey(hopper), grey(hopper), hopper], smooth=0))
    assert [frame.tracked for frame in motion] == [False, False, True]
    assert np.array_equal(motion[0].rotation, motion[2].rotation)


def test_without_any_face_nothing_is_tracked(hopper: Rgb) -> None:
    assert [frame.tracked for frame in track_motion([grey(hopper)] * 3)] == [False] * 3


def nodding(count: int, noise: float) -> Iterator[MotionFrame]:
    random = np.random.default_rng(0)
    for i in range(count):
        pitch = 12 * np.sin(i / 6)
        rotation = np.array([pitch, 0, 0]) + random.normal(0, noise, 3)
        yield MotionFrame(rotation=rotation.astype(np.float32))


def test_smoothing_takes_out_the_tremble_without_lag() -> None:
    clean = np.array([f.rotation for f in nodding(80, 0.0)])
    noisy = np.array([f.rotation for f in nodding(80, 0.3)])
    smooth = np.array([f.rotation for f in steady(nodding(80, 0.3), 0.5)])

    def tremble(values: np.ndarray) -> float:
        return float(np.abs(np.diff(values[:, 1:], 2, axis=0)).mean())

    assert len(smooth) == 80
    assert tremble(smooth) < 0.5 * tremble(noisy)
    lags = [np.abs(smooth[8 + lag : 72 + lag, 0] - clean[8:72, 0]).mean() for lag in range(-3, 4)]
    assert int(np.argmin(lags)) == 3


def test_smoothing_steadies_a_head_that_turns_evenly() -> None:
    turning = np.linspace(-60, 60, 61)
    noisy = turning + np.random.default_rng(0).normal(0, 0.3, 61)
    frames = (MotionFrame(rotation=np.array([0, yaw, 0], np.float32)) for yaw in noisy)
    smooth = np.array([frame.rotation[1] for frame in steady(frames, 0.5)])
    assert np.abs(np.diff(smooth, 2)).mean() < 0.4 * np.abs(np.diff(noisy, 2)).mean()
    assert np.abs(smooth - turning)[3:-3].mean() < 0.7 * np.abs(noisy - turning).mean()


def test_smoothing_keeps_short_clips_whole() -> None:
    assert len(list(steady(nodding(1, 0), 0.5))) == 1
    assert list(steady([], 0.5)) == []


def test_holding_eases_over_a_few_frames() -> None:
    first, second = MotionFrame(), MotionFrame(rotation=np.float32([30, 0, 0]))
    frames = list(hold([first, None, *[second] * (EASE + 1)]))
    pitch = [float(f.rotation[0]) for f in frames]
    assert pitch[1] == 0
    assert pitch == sorted(pitch)
    assert 0 < pitch[2] < 10
    assert pitch[-1] == 30


def test_a_smirk_does_not_turn_the_head(media: Path) -> None:
    """The tracker turns and tilts a face whose mouth is drawn aside."""
    rgb = read_image(media / "hopper.png").rgb
    face = find_faces(rgb)[0]
    actor, seen = Actor(rgb, face), []
    for side in ("Left", "Right"):
        smirk = np.zeros(len(SHAPES), np.float32)
        for name in ("mouthSmile", "mouth"):
            smirk[SHAPES.index(name + side)] = 0.7
        picture = rgb.copy()
        actor.paint(picture, Target(face.pose, face.shape + displace(smirk, face.shape)))
        seen.append(find_faces(picture)[0])
    plain, found = (
        np.abs(one.angles - other.angles)[1:]
        for one, other in (
            [fit_pose(face.landmarks) for face in seen],
            [face.pose for face in seen],
        )
    )
    assert plain.sum() > 3 and found.sum() < 0.6 * plain.sum()
    for face in seen:
        np.testing.assert_allclose(face.pose.to_picture(face.shape), face.landmarks, atol=1e-2)

"""The puppet as a whole: what is driven is what a tracker sees in the result."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from portrayal import Driving, Motion, Portrait, load_engine
from portrayal.engines.puppet.actor import PULLED, Actor
from portrayal.engines.puppet.transfer import Target
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.media.write import write_video
from portrayal.motion import SHAPE_INDEX, SHAPES, MotionFrame
from portrayal.speech.visemes import lip_aperture
from portrayal.track.expression import coefficients
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from portrayal.track.topology import CHIN, FOREHEAD, LIP_BOTTOM_INNER, LIP_TOP_INNER, OVAL

Rgb = np.ndarray


@pytest.fixture(scope="module")
def portrait(media: Path) -> Portrait:
    return Portrait.open(media / "hopper.png")


def act(portrait: Portrait, motion: Motion, **options: object) -> list[Rgb]:
    return list(load_engine("puppet").animate(portrait, Driving.from_motion(motion), **options))


def posed(**values: float) -> Motion:
    """One frame of coefficients and head angles (pitch, yaw, roll)."""
    angles = np.array([[values.pop(name, 0.0) for name in ("pitch", "yaw", "roll")]], np.float32)
    row = np.zeros((1, len(SHAPES)), np.float32)
    for name, value in values.items():
        row[0, SHAPE_INDEX[name]] = value
    return Motion.from_coefficients(Fraction(25), row, angles)


def seen(portrait: Portrait, **values: float) -> Face:
    (picture,) = act(portrait, posed(**values))
    (face,) = find_faces(picture)
    return face


def opening(face: Face) -> float:
    points = face.landmarks
    return float(
        np.linalg.norm(points[LIP_TOP_INNER] - points[LIP_BOTTOM_INNER])
        / np.linalg.norm(points[FOREHEAD] - points[CHIN])
    )


def lid_gap(face: Face, top: int, bottom: int) -> float:
    return float(face.shape[bottom, 1] - face.shape[top, 1])


def test_at_rest_the_picture_is_the_portrait(portrait: Portrait) -> None:
    (picture,) = act(portrait, posed())
    difference = np.abs(picture.astype(int) - portrait.rgb)
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 12


@pytest.mark.parametrize(("axis", "name"), [(0, "pitch"), (1, "yaw"), (2, "roll")])
def test_the_head_turns_as_told(portrait: Portrait, axis: int, name: str) -> None:
    turns = [seen(portrait, **{name: angle}).pose.angles[axis] for angle in (-12.0, 12.0)]
    assert turns[1] - turns[0] == pytest.approx(24, abs=8)
    others = [i for i in range(3) if i != axis]
    level = portrait.faces[0].pose.angles[others]
    assert np.abs(seen(portrait, **{name: 12.0}).pose.angles[others] - level).max() < 4


def test_the_background_stands_still_when_the_head_turns(portrait: Portrait) -> None:
    (picture,) = act(portrait, posed(yaw=20, pitch=8))
    margin = round(0.04 * min(portrait.size))
    inner = np.zeros(picture.shape[:2], bool)
    inner[margin:-margin, margin:-margin] = True
    error = ((picture.astype(float) - portrait.rgb) ** 2)[~inner].mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40
    assert np.abs(picture.astype(int) - portrait.rgb).mean() > 2


def test_shoulders_stand_still_when_the_head_leans(portrait: Portrait) -> None:
    (picture,) = act(portrait, posed(roll=12, pitch=8))
    change = np.abs(picture.astype(int) - portrait.rgb).mean(axis=(1, 2))
    pose = portrait.faces[0].pose
    face, chest = (int(pose.to_picture(np.array([[0, y, 0]], np.float32))[0, 1]) for y in (0.5, 1.8))
    assert change[face] > 10
    assert change[chest:].mean() < 1


def test_the_mouth_opens_and_shows_what_is_inside(portrait: Portrait) -> None:
    assert opening(seen(portrait, jawOpen=0.7)) > opening(portrait.faces[0]) + 0.08


def test_a_jaw_that_opens_lengthens_the_chin(portrait: Portrait) -> None:
    opened = seen(portrait, jawOpen=0.8).shape[CHIN, 1]
    assert opened > portrait.faces[0].shape[CHIN, 1] + 0.04


def test_a_jaw_opens_next_to_the_border_as_it_does_elsewhere(portrait: Portrait) -> None:
    pose = portrait.faces[0].pose
    bottom = int(portrait.faces[0].landmarks[CHIN, 1] + 0.3 * pose.scale)
    cut = Portrait.from_array(portrait.rgb[:bottom])
    wide = posed(jawOpen=0.6)
    (picture,), (result,) = act(portrait, wide), act(cut, wide)
    (face,) = find_faces(picture)
    jaw = np.zeros(result.shape[:2], np.uint8)
    cv2.fillConvexPoly(jaw, np.rint(face.landmarks[list(OVAL), :2]).astype(np.int32), 1)
    jaw[: int(face.landmarks[LIP_BOTTOM_INNER, 1])] = 0
    assert jaw.sum() > 0.1 * pose.scale**2
    assert np.abs(result[jaw > 0].astype(int) - picture[:bottom][jaw > 0]).mean() < 2


def test_one_eye_winks_and_the_other_stays_open(portrait: Portrait) -> None:
    rest, wink = portrait.faces[0], seen(portrait, eyeBlinkLeft=1.0)
    assert lid_gap(wink, 386, 374) < 0.6 * lid_gap(rest, 386, 374)
    assert lid_gap(wink, 159, 145) > 0.8 * lid_gap(rest, 159, 145)


def test_gaze_moves_the_irises(portrait: Portrait) -> None:
    def iris(face: Face) -> float:
        corners, centre = face.shape[[33, 133], 0], face.shape[468, 0]
        return float((centre - corners[0]) / (corners[1] - corners[0]))

    left = iris(seen(portrait, eyeLookOutLeft=0.8, eyeLookInRight=0.8))
    right = iris(seen(portrait, eyeLookInLeft=0.8, eyeLookOutRight=0.8))
    assert left - right > 0.1


def test_strength_scales_the_motion(portrait: Portrait) -> None:
    rest = opening(portrait.faces[0])
    weak, strong = (
        opening(find_faces(act(portrait, posed(jawOpen=0.6), strength=s)[0])[0]) - rest for s in (0.5, 1.0)
    )
    assert 0.2 * strong < weak < 0.8 * strong


def test_the_same_face_drives_itself(portrait: Portrait) -> None:
    frames = act(portrait, posed(jawOpen=0.5, yaw=10, mouthSmileLeft=0.6, mouthSmileRight=0.6))
    driving = Driving.from_frames(lambda: iter([portrait.rgb, portrait.rgb, *frames]), Fraction(25))
    clip = load_engine("puppet").animate(portrait, driving, smooth=0, reference_frame=0)
    (truth,), (made,) = find_faces(frames[0]), find_faces(list(clip)[-1])
    error = np.linalg.norm((made.landmarks - truth.landmarks)[:468, :2], axis=1).mean()
    still = np.linalg.norm((portrait.faces[0].landmarks - truth.landmarks)[:468, :2], axis=1).mean()
    assert error < 0.35 * still


def test_frames_come_one_for_one_and_the_same_each_time(portrait: Portrait) -> None:
    motion = Motion.from_frames(Fraction(25), [MotionFrame(rotation=np.float32([i, 0, 0])) for i in range(5)])
    first, second = act(portrait, motion), act(portrait, motion)
    assert len(first) == 5
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_reference_frame_beyond_the_driving_is_an_error(portrait: Portrait, media: Path) -> None:
    clip = load_engine("puppet").animate(portrait, Driving.open(media / "talk.mp4"), reference_frame=99)
    with pytest.raises(PortrayalError, match="reference-frame 99"):
        list(clip)


def test_the_reference_is_the_frame_most_like_the_portrait(portrait: Portrait) -> None:
    (open_mouth,) = act(portrait, posed(jawOpen=0.7))
    driving = Driving.from_frames(lambda: iter([open_mouth] * 3 + [portrait.rgb] * 3), Fraction(25))
    frames = list(load_engine("puppet").animate(portrait, driving, smooth=0))
    assert opening(find_faces(frames[0])[0]) > opening(find_faces(frames[-1])[0]) + 0.06
    assert opening(find_faces(frames[-1])[0]) == pytest.approx(opening(portrait.faces[0]), abs=0.02)


def test_absolute_takes_the_drivings_own_expression(portrait: Portrait) -> None:
    (open_mouth,) = act(portrait, posed(jawOpen=0.7))
    driving = Driving.from_frames(lambda: iter([open_mouth] * 3), Fraction(25))
    engine = load_engine("puppet")
    relative = list(engine.animate(portrait, driving))[-1]
    absolute = list(engine.animate(portrait, driving, absolute=True))[-1]
    assert opening(find_faces(relative)[0]) < 0.04
    assert opening(find_faces(absolute)[0]) > 0.06


@pytest.fixture(scope="module")
def group(media: Path) -> Rgb:
    one = read_image(media / "hopper.png").rgb
    return np.hstack([one, one[:, ::-1]])


def test_all_faces_of_a_group_act_or_only_the_one_that_is_named(group: Rgb) -> None:
    (both,) = act(Portrait.from_array(group, face="all"), posed(jawOpen=0.7))
    (right,) = act(Portrait.from_array(group, face="right"), posed(jawOpen=0.7))
    middle = group.shape[1] // 2
    assert all(opening(face) > 0.08 for face in find_faces(both))
    assert opening(find_faces(right)[1]) > 0.08
    assert np.abs(right[:, : middle - 40].astype(int) - group[:, : middle - 40]).mean() < 0.5


def test_faces_close_together_do_not_paint_over_each_other(portrait: Portrait) -> None:
    left, _, right, _ = (round(edge) for edge in portrait.faces[0].box)
    crowd = np.hstack([portrait.rgb[:, left - 12 : right + 12]] * 3)
    own = find_faces(crowd)
    assert len(own) == 3
    (all_three,) = act(Portrait.from_array(crowd, face="all"), posed(jawOpen=0.7, yaw=6))
    assert all(opening(face) > 0.08 for face in find_faces(all_three))
    (middle,) = act(Portrait.from_array(crowd, face=1), posed(jawOpen=0.7, yaw=6))
    assert opening(find_faces(middle)[1]) > 0.08
    for face in (own[0], own[2]):
        left, top, right, bottom = (round(edge) for edge in face.box)
        inner = np.s_[top:bottom, left + (right - left) // 5 : right - (right - left) // 5]
        assert np.abs(middle[inner].astype(int) - crowd[inner]).max() <= 2


def test_a_portrait_that_is_a_video_keeps_its_motion_and_takes_the_expression(media: Path) -> None:
    portrait = Portrait.open(media / "talk.mp4")
    row = np.zeros((12, len(SHAPES)), np.float32)
    row[:, SHAPE_INDEX["jawOpen"]] = 0.7
    frames = act(portrait, Motion.from_coefficients(Fraction(12), row))
    assert portrait.video is not None
    pairs = [(find_faces(a)[0], find_faces(b)[0]) for a, b in zip(frames, portrait.video, strict=True)]
    for made, own in pairs[::4]:
        assert opening(made) > opening(own) + 0.05
        assert np.abs(made.pose.pivot - own.pose.pivot)[:2].max() < 0.12 * own.pose.scale


def test_speech_closes_the_lips_of_a_portrait_that_shows_its_teeth(portrait: Portrait) -> None:
    (parted,) = act(portrait, posed(jawOpen=0.12, mouthSmileLeft=0.8, mouthSmileRight=0.8))
    laughing = Portrait.from_array(parted)
    assert opening(laughing.faces[0]) > 0.03
    speech = Driving.from_text("Bob, a mob!")
    frames = load_engine("puppet").animate(laughing, speech)
    gaps = np.array([opening(find_faces(frame)[0]) for frame in frames])
    meant = lip_aperture(np.array([frame.coefficients for frame in speech.motion]))
    assert (meant < 0.01).sum() > 8
    assert gaps[meant < 0.01].max() < 0.015
    assert gaps[meant > 0.4].min() > 0.05


def test_a_driving_that_loses_its_face_holds_and_goes_on(portrait: Portrait, tmp_path: Path) -> None:
    lost = np.full_like(portrait.rgb, 90)
    shots = [portrait.rgb] * 4 + [lost] * 3 + [portrait.rgb] * 4
    write_video(tmp_path / "gap.mp4", iter(shots), Fraction(25))
    frames = list(load_engine("puppet").animate(portrait, Driving.open(tmp_path / "gap.mp4")))
    assert len(frames) == len(shots)
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert max(steps) < 3


def test_what_a_face_does_is_read_back_from_the_picture(portrait: Portrait) -> None:
    rest = coefficients(find_faces(portrait.rgb)[0].pose_free_shape)
    smile = coefficients(seen(portrait, mouthSmileLeft=0.9, mouthSmileRight=0.9).pose_free_shape) - rest
    assert smile[SHAPE_INDEX["mouthSmileLeft"]] > 0.3
    assert smile[SHAPE_INDEX["mouthSmileRight"]] > 0.3
    jaw = coefficients(seen(portrait, jawOpen=0.8).pose_free_shape) - rest
    assert jaw[SHAPE_INDEX["jawOpen"]] > 0.4


@pytest.mark.parametrize("size", [64, 90, 110, 130, 160, 200])
@pytest.mark.parametrize("jaw", [0.15, 0.3, 0.6])
def test_a_small_portrait_with_parted_lips_can_act(portrait: Portrait, size: int, jaw: float) -> None:
    (parted,) = act(portrait, posed(jawOpen=jaw))
    small = cv2.resize(parted, (size, size), interpolation=cv2.INTER_AREA)
    (picture,) = act(Portrait.from_array(small), posed(jawOpen=0.5, yaw=10))
    assert picture.shape == small.shape


def test_hair_with_room_above_it_stays_in_the_picture(portrait: Portrait) -> None:
    """However far up the driving's head goes; small movements are not held back."""
    rgb = cv2.copyMakeBorder(portrait.rgb, 40, 0, 0, 0, cv2.BORDER_CONSTANT, value=(90, 120, 160))
    (face,) = find_faces(rgb)
    actor = Actor(rgb, face)
    pose, strip = face.pose, np.s_[: round(0.04 * min(rgb.shape[:2]))]

    def up(by: float) -> Target:
        return Target(replace(pose, origin=pose.origin - np.float32((0, by, 0))), face.shape)

    def change_at_the_border(target: Target) -> float:
        picture = rgb.copy()
        actor.paint(picture, target)
        return float(np.abs(picture[strip].astype(int) - rgb[strip]).mean())

    assert actor.eased(up(5), 1).pose.origin == pytest.approx(up(5).pose.origin, abs=0.01)
    assert np.array_equal(actor.eased(up(60), 0).pose.origin, up(60).pose.origin)
    assert change_at_the_border(actor.eased(up(60), 1)) < 1 < change_at_the_border(up(60))


def test_a_neck_is_not_pulled_out(portrait: Portrait) -> None:
    """A head whose picture ends below its chin rises little, one with a body more; none is held down."""
    rgb, (face,) = portrait.rgb, portrait.faces
    chin = face.landmarks[CHIN, 1]
    rise = 0.6 * face.pose.scale

    def up(cut: int, by: float) -> float:
        actor = Actor(np.ascontiguousarray(rgb[:cut]), face)
        moved = Target(replace(face.pose, origin=face.pose.origin - np.float32((0, by, 0))), face.shape)
        return float(chin - actor.eased(moved, 1).points[CHIN, 1])

    for cut in (round(float(chin) + 0.5 * face.pose.scale), len(rgb)):
        assert 0.2 * (cut - chin) < up(cut, rise) <= PULLED * (cut - chin)
        assert up(cut, -rise) == pytest.approx(-rise, abs=0.01)

"""The body: in a motion, in a mesh, on a portrait, in TPSMM's squares."""

from __future__ import annotations

import queue
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from portrayal import Driving, Motion, Portrait, load_engine
from portrayal import body as b
from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.arap import Grid, Shape
from portrayal.engines.puppet.body_parts import take_apart
from portrayal.engines.puppet.figure import Figure, find_body
from portrayal.engines.puppet.limbs import CHEST, NECK, LimbTransfer, Skeleton, closest
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.tpsmm.driver import Driver
from portrayal.engines.tpsmm.framing import alike
from portrayal.engines.tpsmm.info import TpsmmOptions
from portrayal.live.session import Live, Shown
from portrayal.motion import MotionFrame
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from test_motion import moving

Array = np.ndarray
#: Somebody who stands with lowered arms, in eye distances from the neck pivot.
JOINTS = {
    b.NOSE: (0, -0.5), b.LEFT_SHOULDER: (1.8, 1.7), b.RIGHT_SHOULDER: (-1.8, 1.7),
    b.LEFT_ELBOW: (2.4, 4.5), b.RIGHT_ELBOW: (-2.4, 4.5), b.LEFT_WRIST: (2.6, 7.0),
    b.RIGHT_WRIST: (-2.6, 7.0), b.LEFT_HIP: (1.1, 7.0), b.RIGHT_HIP: (-1.1, 7.0),
}  # fmt: skip


def standing(**moved: tuple[float, float]) -> Array:
    """(133, 3) the body of JOINTS; by name, joints that are elsewhere."""
    body = np.zeros((b.POINTS, 3), np.float32)
    for joint, place in JOINTS.items():
        body[joint] = (*place, 1)
    for name, place in moved.items():
        body[getattr(b, name.upper()), :2] = place
    return body


def acted(*bodies: Array | None) -> Motion:
    return Motion.from_frames(Fraction(25), [MotionFrame(body=body) for body in bodies])


def with_bodies() -> Motion:
    motion = moving()
    rng = np.random.default_rng(1)
    return replace(motion, bodies=rng.uniform(0, 1, (len(motion), b.POINTS, 3)).astype(np.float32))


def test_a_motion_keeps_its_bodies(tmp_path: Path) -> None:
    motion = with_bodies()
    motion.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(Motion.load(tmp_path / "m.npz").bodies, motion.bodies)
    np.testing.assert_array_equal(Motion.from_frames(motion.fps, list(motion)).bodies, motion.bodies)
    np.testing.assert_array_equal(motion.cut(0.5, 1.2).bodies, motion.bodies[5:12])
    np.testing.assert_array_equal(Motion.concatenate([motion, motion]).bodies[20:], motion.bodies)
    assert Motion.concatenate([motion, moving()]).bodies is None
    assert motion.blend(moving(), 0.5).bodies is None
    half = motion.resample(Fraction(20)).bodies[1]
    np.testing.assert_allclose(half[:, 2], motion.bodies[:2, :, 2].mean(0), atol=1e-5)


def test_what_one_of_two_bodies_does_not_show_is_where_the_other_has_it() -> None:
    a, c = standing(), standing(nose=(4, 4))
    a[b.LEFT_WRIST] = 0
    middle = b.mixed(a, c, 0.5)
    np.testing.assert_allclose(middle[b.NOSE], (2, 1.75, 1))
    np.testing.assert_allclose(middle[b.LEFT_WRIST], (*JOINTS[b.LEFT_WRIST], 0.5))
    smooth = acted(*[c if i == 5 else a for i in range(11)]).smoothed(0.1).bodies
    np.testing.assert_allclose(smooth[4, b.LEFT_WRIST, :2], JOINTS[b.LEFT_WRIST], atol=1e-5)
    assert 0 < smooth[4, b.LEFT_WRIST, 2] < 0.5 and 0 < smooth[4, b.NOSE, 0] < 4


def test_a_mirrored_body_has_its_sides_exchanged() -> None:
    motion = acted(standing(left_wrist=(5, -2)))
    mirrored = motion.mirrored()
    np.testing.assert_allclose(mirrored.bodies[0, b.RIGHT_WRIST], (-5, -2, 1))
    np.testing.assert_array_equal(mirrored.mirrored().bodies, motion.bodies)
    assert sorted(b.MIRRORED) == list(range(b.POINTS))
    assert (b.MIRRORED[b.MIRRORED] == np.arange(b.POINTS)).all()


def bar() -> tuple[Grid, Array]:
    """A mesh over a bar of 120 by 24 pixels, and its vertices as complex numbers."""
    mask = np.zeros((60, 160), bool)
    mask[18:42, 20:140] = True
    grid = Grid.over(mask, 6)
    return grid, grid.points[:, 0] + 1j * grid.points[:, 1]


def edges(grid: Grid, places: Array) -> Array:
    corners = places[grid.triangles]
    return np.abs(corners - np.roll(corners, 1, axis=1))


def test_a_mesh_whose_handles_turn_turns() -> None:
    grid, points = bar()
    ends = np.flatnonzero((points.real < 30) | (points.real > 130))
    turned = np.exp(0.7j) * (points - 80 - 30j) + 50 + 40j
    found = Shape(grid, ends).moved(turned[ends], turned + np.random.default_rng(0).normal(0, 2, len(points)))
    assert np.abs(found - turned).max() < 0.5


def test_a_bent_mesh_keeps_its_shape_better_than_a_sheared_one() -> None:
    grid, points = bar()
    left, right = np.flatnonzero(points.real < 30), np.flatnonzero(points.real > 130)
    ends = np.concatenate([left, right])
    targets = points[ends].copy()
    targets[len(left) :] = np.exp(-1j) * (points[right] - 80 - 30j) + 80 + 30j
    amount = np.clip((points.real - 30) / 100, 0, 1)
    sheared = points + amount * (np.exp(-1j) * (points - 80 - 30j) + 80 + 30j - points)
    shape, found = Shape(grid, ends), sheared
    for _ in range(8):
        found = shape.moved(targets, found)
    rest = edges(grid, points)
    strain = [np.abs(edges(grid, places) / rest - 1) for places in (found, sheared)]
    assert np.percentile(strain[0], 95) < 0.75 * np.percentile(strain[1], 95)
    assert np.abs(found[ends] - targets).mean() < 2


@pytest.fixture(scope="module")
def portrait(media: Path) -> Portrait:
    return Portrait.open(media / "hopper.png")


def in_picture(face: Face, body: Array) -> Array:
    """A body in motion units, in the pixels of a picture with this face."""
    places = face.pose.scale * body[:, :2] + face.pose.pivot[:2]
    return np.column_stack([places, body[:, 2]]).astype(np.float32)


def limbs(face: Face, reference: Array, **options: bool) -> tuple[LimbTransfer, Skeleton, Target]:
    own = Skeleton.of(in_picture(face, standing()), face.pose.pivot)
    transfer = LimbTransfer(own, face, MotionFrame(body=reference), 25.0, **options)
    return transfer, own, Target(face.pose, face.shape)


def test_arms_point_as_driven_and_keep_their_lengths(portrait: Portrait) -> None:
    (face,) = portrait.faces
    raised = standing(left_elbow=(4.6, 1.2), left_wrist=(5.4, -1.2))
    transfer, own, target = limbs(face, 1.3 * standing())  # somebody larger
    rest = transfer(MotionFrame(body=1.3 * standing()), target)
    np.testing.assert_allclose(rest.joints, own.places, atol=1e-6 * face.pose.scale)
    assert rest.raised.max() < 0.01
    for _ in range(60):
        posture = transfer(MotionFrame(body=np.float32(1.3) * raised), target)
    here, there = posture.joints, Skeleton.of(in_picture(face, raised), face.pose.pivot).places
    for start, end in ((b.LEFT_SHOULDER, b.LEFT_ELBOW), (b.LEFT_ELBOW, b.LEFT_WRIST)):
        assert abs(np.angle((here[end] - here[start]) / (there[end] - there[start]))) < np.radians(12)
        assert abs(here[end] - here[start]) == pytest.approx(
            abs(own.places[end] - own.places[start]), rel=0.1
        )
    assert posture.raised[0] == 1 and posture.raised[1] < 0.01
    unseen = raised.copy()
    unseen[[b.LEFT_ELBOW, b.LEFT_WRIST], 2] = 0
    for _ in range(60):
        back = transfer(MotionFrame(body=np.float32(1.3) * unseen * (1, 1, 1 / np.float32(1.3))), target)
    assert abs(back.joints[b.LEFT_WRIST] - own.places[b.LEFT_WRIST]) < 0.05 * face.pose.scale


def test_absolute_arms_do_not_ask_where_the_driving_began(portrait: Portrait) -> None:
    (face,) = portrait.faces
    raised = standing(left_elbow=(4.6, 1.2), left_wrist=(5.4, -1.2))
    transfer, own, target = limbs(face, raised, absolute=True)
    for _ in range(60):
        joints = transfer(MotionFrame(body=raised), target).joints
    assert joints[b.LEFT_ELBOW].imag < own.places[b.LEFT_ELBOW].imag - 2 * face.pose.scale


def test_the_neck_follows_the_face_where_no_shoulders_are_seen(portrait: Portrait) -> None:
    (face,) = portrait.faces
    transfer, own, _ = limbs(face, standing())
    moved = Target(replace(face.pose, origin=face.pose.origin + np.float32([9, 4, 0])), face.shape)
    joints = transfer(MotionFrame(), moved).joints
    assert joints[NECK] - own.places[NECK] == pytest.approx(9 + 4j, abs=0.01)
    swayed = standing()
    swayed[:, 0] += 0.4
    for _ in range(60):
        joints = transfer(MotionFrame(body=swayed, translation=np.float32([0.4, 0])), moved).joints
    assert (joints - own.places)[[NECK, CHEST]].real == pytest.approx(0.4 * face.pose.scale, rel=0.15)


def test_the_reference_is_the_frame_posed_like_the_portrait(portrait: Portrait) -> None:
    (face,) = portrait.faces
    own = Skeleton.of(in_picture(face, standing()), face.pose.pivot)
    up = MotionFrame(body=standing(left_elbow=(4.6, 1.2), left_wrist=(5.4, -1.2)))
    frames = [MotionFrame(), up, MotionFrame(body=standing(nose=(0.1, -0.5))), up]
    assert closest(frames, own) is frames[2]
    assert closest([MotionFrame()], own) is None


def test_shoulders_move_and_the_background_stays(portrait: Portrait) -> None:
    lifted = standing(left_shoulder=(1.8, 1.2), right_shoulder=(-1.8, 1.2))
    motion = acted(*[standing()] * 3, *[lifted] * 30)
    frames = list(load_engine("puppet").animate(portrait, Driving.from_motion(motion), body=True))
    rest, end = np.abs(frames[0].astype(int) - portrait.rgb), frames[-1]
    assert rest.mean() < 0.6
    tracked = [find_body(rgb, find_faces(rgb)[0]) for rgb in (portrait.rgb, end)]
    risen = (tracked[0] - tracked[1])[[b.LEFT_SHOULDER, b.RIGHT_SHOULDER], 1]
    assert (risen > 0.2 * portrait.faces[0].pose.scale).all()
    corner = np.s_[: portrait.size[1] // 4, -portrait.size[0] // 6 :]
    assert np.abs(end[corner].astype(int) - portrait.rgb[corner]).mean() < 2
    assert np.abs(end[-1].astype(int) - portrait.rgb[-1]).mean() < 6  # nothing is torn off its edge


def test_a_portrait_without_shoulders_is_as_it_was(portrait: Portrait) -> None:
    left, top, right, bottom = (int(v) for v in portrait.faces[0].box)
    close = Portrait.from_array(np.ascontiguousarray(portrait.rgb[top - 30 : bottom, left - 10 : right + 10]))
    motion = Driving.from_motion(acted(standing(), standing(left_shoulder=(1.8, 1.2))))
    plain, moved = (list(load_engine("puppet").animate(close, motion, body=body)) for body in (False, True))
    np.testing.assert_array_equal(plain, moved)


@pytest.fixture(scope="module")
def armed(portrait: Portrait) -> tuple[np.ndarray, Face, Array]:
    """Somebody with arms, drawn in red beside a bust, their face, and their body in pixels."""
    rgb = np.full((420, 460, 3), (90, 120, 160), np.uint8)
    rgb[160:420, 102:358] = portrait.rgb
    face = Face(portrait.faces[0].landmarks + np.float32([102, 160, 0]))
    body = np.zeros((b.POINTS, 3), np.float32)
    for joint, place in {
        b.NOSE: (237, 272), b.LEFT_SHOULDER: (324, 368), b.RIGHT_SHOULDER: (145, 365),
        b.LEFT_ELBOW: (380, 330), b.LEFT_WRIST: (420, 260),
    }.items():  # fmt: skip
        body[joint] = (*place, 1)
    line = body[[b.LEFT_SHOULDER, b.LEFT_ELBOW, b.LEFT_WRIST], :2].astype(np.int32)
    cv2.polylines(rgb, [line], False, (200, 20, 20), 26)
    return rgb, face, body


def redness(rgb: np.ndarray, place: complex) -> float:
    x, y = round(place.real), round(place.imag)
    part = rgb[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).astype(float).mean(0)
    return float(part[0] - part[1:].max())


def test_a_free_arm_is_a_layer_and_follows_its_joints(armed: tuple[np.ndarray, Face, Array]) -> None:
    rgb, face, body = armed
    parts = take_apart(rgb, face, body)
    ((arm, layer),) = parts.arms
    assert arm.joints[0] == b.LEFT_SHOULDER
    assert layer[290, 402, 3] > 200 and parts.torso[290, 402, 3] < 30 and parts.plate[290, 402, 0] < 140
    figure = Figure(rgb, face, body, Actor(rgb, face))
    own, target = figure.skeleton.places, Target(face.pose, face.shape)
    start = MotionFrame(
        body=np.column_stack([(body[:, :2] - face.pose.pivot[:2]) / face.pose.scale, body[:, 2]])
    )
    transfer = LimbTransfer(figure.skeleton, face, start, 25.0)
    rest = figure.paint(target, transfer(start, target))
    assert np.abs(rest.astype(int) - rgb).mean() < 2.5
    lowered = start.body.astype(np.float32).copy()
    lowered[b.LEFT_WRIST, :2] = lowered[b.LEFT_ELBOW, :2] + np.float32([0.75, 0.3]) * 80 / face.pose.scale
    for _ in range(60):
        posture = transfer(MotionFrame(body=lowered), target)
    painted = figure.paint(target, posture)
    before = own[b.LEFT_ELBOW] + 0.8 * (own[b.LEFT_WRIST] - own[b.LEFT_ELBOW])
    elbow, wrist = posture.joints[[b.LEFT_ELBOW, b.LEFT_WRIST]]
    after = elbow + 0.5 * (wrist - elbow)
    assert redness(rgb, before) > 100 and redness(painted, before) < 30
    assert redness(painted, after) > 100


def test_bodies_are_tracked_only_when_asked_for(media: Path) -> None:
    driving = Driving.open(media / "talk.mp4", end=0.3)
    assert all(frame.body is None for frame in driving.smoothed(0.5))
    engine = load_engine("puppet")
    motion = engine.track(driving, body=True)
    assert motion.bodies is not None and len(motion.bodies) == len(motion)
    shoulders = motion.bodies[:, [b.LEFT_SHOULDER, b.RIGHT_SHOULDER]]
    assert (shoulders[..., 2] > 0.8).all()
    assert (
        (shoulders[:, 0, 0] > 1).all() and (shoulders[:, 1, 0] < -1).all() and (shoulders[..., 1] > 0.5).all()
    )


def test_squares_show_two_bodies_alike() -> None:
    own, other = standing(), standing(left_wrist=(6, -2), left_elbow=(4, 1))
    here = np.column_stack([40 * own[:, :2] + (300, 200), own[:, 2]]).astype(np.float32)
    there = np.column_stack([25 * other[:, :2] + (150, 160), other[:, 2]]).astype(np.float32)
    mine, theirs = alike(here, [there], (1000, 1000))
    for joint in (b.NOSE, b.LEFT_SHOULDER, b.RIGHT_HIP, b.RIGHT_WRIST):
        a = (here[joint, :2] - (mine.left, mine.top)) / mine.side
        c = (there[joint, :2] - (theirs.left, theirs.top)) / theirs.side
        np.testing.assert_allclose(a, c, atol=0.01)
    inside = (there[other[:, 2] > 0, :2] - (theirs.left, theirs.top)) / theirs.side
    assert inside.min() > 0.02 and inside.max() < 0.98
    low, _ = alike(here, [there], (330, 1000))
    assert low.top + low.side <= 332
    there[b.LEFT_SHOULDER, 2] = 0
    assert alike(here, [there], (1000, 1000)) is None


def test_the_model_sees_the_driving_framed_as_the_portrait(portrait: Portrait) -> None:
    turn = np.float32([[0.7, 0, 90], [0, 0.7, 78]])  # smaller, and elsewhere, but cut off at the same edge
    smaller = cv2.warpAffine(portrait.rgb, turn, (400, 260), borderMode=cv2.BORDER_REPLICATE)
    driving = Driving.from_frames(lambda: iter([smaller] * 2), Fraction(25), count=2)
    differences = {}
    for area in ("body", "whole"):
        driver = Driver(driving, portrait, TpsmmOptions(config="ted", area=area))
        own = driver.places[0].square.cut(portrait.rgb, 128)
        seen = next(iter(driver.squares()))
        shown = cv2.resize(seen, (128, 128), interpolation=cv2.INTER_AREA)
        differences[area] = np.abs(shown.astype(int) - own)[24:104, 24:104].mean()
    assert differences["body"] < 0.6 * differences["whole"], differences


def test_a_camera_moves_the_body_too(portrait: Portrait) -> None:
    shown: queue.Queue[Shown] = queue.Queue()
    with Live(load_engine("puppet"), portrait, shown.put, body=True) as live:
        live.feed(portrait.rgb)
        rest = shown.get(timeout=60).rgb
        shift = np.float32([[1, 0, 0], [0, 1, -20]])
        live.feed(cv2.warpAffine(portrait.rgb, shift, portrait.size, borderMode=cv2.BORDER_REPLICATE))
        risen = shown.get(timeout=60).rgb
    badge = np.s_[242:254, 40:80]
    assert np.abs(rest.astype(int) - portrait.rgb).mean() < 1
    assert np.abs(risen.astype(int) - rest)[badge].mean() > 2

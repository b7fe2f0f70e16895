"""The eyes: at rest they are the picture's, lids close over them, irises follow the gaze, glasses stay."""

from __future__ import annotations

from itertools import pairwise

import cv2
import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from portrayal.engines.puppet.eyes import Eyes, find_eye
from portrayal.engines.puppet.glasses import glasses_mask
from portrayal.engines.puppet.mesh import HeadMesh
from portrayal.engines.puppet.rig import displace
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.warp import MeshWarp, sample
from portrayal.engines.puppet.windows import whole
from portrayal.motion import SHAPE_INDEX
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import (
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    LEFT_IRIS,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
    RIGHT_IRIS,
    mean_face,
)

SKIN, WHITE, IRIS = (214, 168, 146), (236, 232, 228), (52, 74, 96)
SCALE = 150.0
LOOPS = ((RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM, RIGHT_IRIS), (LEFT_EYE_TOP, LEFT_EYE_BOTTOM, LEFT_IRIS))


@pytest.fixture(scope="module")
def photo():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as stream:
        rgb = np.asarray(Image.open(stream).convert("RGB"))
    return rgb, find_faces(rgb)[0]


@pytest.fixture(scope="module")
def drawn():
    """A face whose skin, whites and irises have one colour each, so that every pixel tells what it is."""
    pose = HeadPose(np.eye(3, dtype=np.float32), SCALE, np.array([200, 160, 0], np.float32))
    face = Face(pose.to_picture(mean_face()))
    rgb = np.empty((400, 400, 3), np.uint8)
    rgb[:] = SKIN
    for top, bottom, iris in LOOPS:
        eye = np.zeros(rgb.shape[:2], np.uint8)
        outline = face.landmarks[[*top, *bottom[::-1]], :2]
        cv2.fillPoly(eye, [np.rint(outline * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        centre = face.landmarks[iris[0], :2]
        rows, columns = np.mgrid[:400, :400]
        disc = np.hypot(columns - centre[0], rows - centre[1]) < iris_radius(face.landmarks, iris)
        rgb[eye > 0] = WHITE
        rgb[(eye > 0) & disc] = IRIS
    return rgb, face


def iris_radius(points, iris):
    """Of the drawn irises: smaller than the landmarks say."""
    return 0.85 * float(np.linalg.norm(points[list(iris[1:]), :2] - points[iris[0], :2], axis=1).mean())


def posed(face, turn=(0, 0, 0), **coefficients):
    values = np.zeros(len(SHAPE_INDEX), np.float32)
    for name, value in coefficients.items():
        values[SHAPE_INDEX[name]] = value
    own = face.pose
    pose = HeadPose.about_pivot(own.angles + np.array(turn, np.float32), own.scale, own.pivot)
    return Target(pose, face.shape + displace(values, face.shape))


def painted(rgb, face, target):
    """The picture warped by the mesh, then the eyes."""
    mesh = HeadMesh.build(face, rgb.shape[1], rgb.shape[0])
    warp = MeshWarp(mesh.triangles, rgb.shape[:2])
    warp.place(mesh.moved(face, target))
    canvas = sample(rgb, warp.back_to(mesh.rest), whole(rgb.shape[:2]))
    Eyes(rgb, face).paint(canvas, target)
    return canvas


def like(rgb, colour, tolerance=45):
    return np.linalg.norm(rgb.astype(float) - colour, axis=2) < tolerance


def eye_area(points, loop, shape, grow=0):
    mask = np.zeros(shape[:2], np.uint8)
    outline = points[[*loop[0], *loop[1][::-1]], :2]
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((2 * grow + 1,) * 2, np.uint8)) > 0


def centroid(mask):
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


BLINK = {"eyeBlinkRight": 1.0, "eyeBlinkLeft": 1.0}


def test_at_rest_the_eyes_are_the_pictures(photo, drawn):
    for rgb, face in (photo, drawn):
        canvas = rgb.copy()
        Eyes(rgb, face).paint(canvas, posed(face))
        change = np.abs(canvas.astype(int) - rgb)
        assert change.mean() < 0.05
        for loop in LOOPS:
            assert change[eye_area(face.landmarks, loop, rgb.shape, grow=4)].mean() < 2


def test_nothing_is_painted_away_from_the_eyes(photo):
    rgb, face = photo
    for target in (posed(face, **BLINK), posed(face, turn=(5, 25, -8), eyeWideLeft=1.0)):
        canvas = np.full_like(rgb, (0, 255, 0))
        Eyes(rgb, face).paint(canvas, target)
        changed = (canvas != (0, 255, 0)).any(2)
        reach = int(0.2 * face.pose.scale)
        near = np.logical_or.reduce([eye_area(target.points, loop, rgb.shape, reach) for loop in LOOPS])
        assert changed.any() and not changed[~near].any()


def test_closed_eyes_show_skin_and_a_line_of_lashes(drawn):
    rgb, face = drawn
    canvas = painted(rgb, face, posed(face, **BLINK))
    for loop in LOOPS:
        area = eye_area(face.landmarks, loop, rgb.shape)
        before, after = rgb[area], canvas[area]
        assert like(before[None], WHITE, 30).mean() > 0.3
        assert like(after[None], WHITE, 30).mean() < 0.01
        assert like(after[None], IRIS).mean() < 0.01
        assert like(after[None], SKIN, 60).mean() > 0.75
        assert after.astype(float).mean(1).min() < 0.85 * np.mean(SKIN)


def test_closing_lids_take_the_outline_of_an_eye_along(drawn):
    plain, face = drawn
    rgb, dark = plain.copy(), (60, 40, 30)
    for loop in LOOPS:
        area = eye_area(face.landmarks, loop, rgb.shape)
        outline = eye_area(face.landmarks, loop, rgb.shape, grow=5) & ~area
        rgb[outline] = dark
    canvas = painted(rgb, face, posed(face, **BLINK))
    for loop in LOOPS:
        around = eye_area(face.landmarks, loop, rgb.shape, grow=12)
        assert like(canvas, dark)[around].sum() < 0.25 * like(rgb, dark)[around].sum()
        line = like(canvas, dark, 90) & around
        assert np.nonzero(line)[0].std() < 0.04 * SCALE


def test_a_wink_leaves_the_other_eye(drawn):
    rgb, face = drawn
    canvas = painted(rgb, face, posed(face, eyeBlinkLeft=1.0))
    right, left = (eye_area(face.landmarks, loop, rgb.shape) for loop in LOOPS)
    assert np.abs(canvas[right].astype(int) - rgb[right]).mean() < 2
    assert like(canvas[left][None], WHITE, 30).mean() < 0.01


def test_lids_close_smoothly(drawn):
    rgb, face = drawn
    steps = [painted(rgb, face, posed(face, eyeBlinkLeft=b, eyeBlinkRight=b)) for b in np.linspace(0, 1, 11)]
    area = eye_area(face.landmarks, LOOPS[0], rgb.shape)
    seen = np.array([(like(step, WHITE, 60) | like(step, IRIS, 60))[area].sum() for step in steps])
    assert (np.diff(seen) <= 8).all() and seen[-1] < 0.03 * seen[0]
    change = [np.abs(b.astype(int) - a)[area].mean() for a, b in pairwise(steps)]
    assert max(change) < 3 * np.mean(change)


@pytest.mark.parametrize(
    "gaze",
    [
        {"eyeLookInRight": 0.7, "eyeLookOutLeft": 0.7},
        {"eyeLookOutRight": 0.7, "eyeLookInLeft": 0.7},
        {"eyeLookUpRight": 0.4, "eyeLookUpLeft": 0.4},
        {"eyeLookDownRight": 0.4, "eyeLookDownLeft": 0.4},
    ],
)
def test_irises_follow_the_gaze(drawn, gaze):
    rgb, face = drawn
    target = posed(face, **gaze)
    canvas = painted(rgb, face, target)
    for loop in LOOPS:
        area = eye_area(target.points, loop, rgb.shape)
        centre = target.points[loop[2][0], :2]
        moved = centre - face.landmarks[loop[2][0], :2]
        assert np.hypot(*moved) > 2.5
        rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
        radius = iris_radius(face.landmarks, loop[2])
        ideal = area & (np.hypot(columns - centre[0], rows - centre[1]) < radius)
        assert np.abs(centroid(area & like(canvas, IRIS, 70)) - centroid(ideal)).max() < 1.5


def test_eyes_that_the_picture_shows_closed_have_irises_when_they_open(drawn):
    _, face = drawn
    shut = posed(face, eyeBlinkLeft=1, eyeBlinkRight=1)
    rgb = np.full((400, 400, 3), SKIN, np.uint8)
    for top, _, _ in LOOPS:
        cv2.polylines(rgb, [np.rint(shut.points[list(top), :2]).astype(np.int32)], False, (60, 40, 35), 2)
    opened = painted(rgb, Face(shut.points), Target(face.pose, face.shape)).mean(2)
    for _, _, iris in LOOPS:
        (x, y), radius = face.landmarks[iris[0], :2], iris_radius(face.landmarks, iris)
        rows, columns = np.mgrid[:400, :400]
        ring = np.hypot(columns - x, rows - y) / radius
        level = np.abs(rows - y) < 0.5 * radius
        inside, beside = opened[level & (ring < 0.7)], opened[level & (ring > 1.2) & (ring < 1.5)]
        assert np.median(inside) < 0.5 * np.median(beside)


def test_an_iris_that_hardly_stands_out_is_one(drawn):
    rgb, face = drawn
    grey = (112, 122, 128)
    faint = np.where((rgb == WHITE).all(2, keepdims=True), np.uint8([118, 96, 88]), rgb)
    faint[(rgb == IRIS).all(2)] = grey
    target = posed(face, eyeLookOutLeft=0.6, eyeLookInRight=0.6)
    aside = painted(faint, face, target)
    for loop in LOOPS:
        x, y = np.rint(target.points[loop[2][0], :2]).astype(int)
        assert like(aside[y - 3 : y + 4, x - 3 : x + 4], grey, 25).all()


def test_a_statue_has_no_irises(drawn):
    rgb, face = drawn
    stone = np.full_like(rgb, SKIN)
    for top, bottom, _ in LOOPS:
        outline = face.landmarks[[*top, *bottom[::-1]], :2]
        cv2.polylines(stone, [np.rint(outline).astype(np.int32)], True, (120, 90, 80), 1)
    aside = painted(stone, face, posed(face, eyeLookOutLeft=0.6, eyeLookInRight=0.6))
    for loop in LOOPS:
        inside = cv2.erode(eye_area(face.landmarks, loop, rgb.shape).astype(np.uint8), np.ones((9, 9))) > 0
        assert np.ptp(aside[inside].astype(int), axis=0).max() < 60


def test_an_eye_opened_wide_shows_white_above_an_iris_of_the_same_size(drawn):
    rgb, face = drawn
    target = posed(face, eyeWideRight=1.0, eyeWideLeft=1.0)
    canvas = painted(rgb, face, target)
    for loop in LOOPS:
        centre, radius = face.landmarks[loop[2][0], :2], iris_radius(face.landmarks, loop[2])
        x, top = round(float(centre[0])), int(centre[1] - radius)
        edge = int(np.ceil(target.points[loop[0][4], 1]))
        assert top - edge >= 3
        above = canvas[edge + 1 : top, x].astype(float)
        assert (np.ptp(above, axis=1) < 40).all(), "skin colour above the iris"
        across = like(canvas, IRIS, 70)[round(float(centre[1]))]
        width = across[x - 30 : x + 31].sum()
        assert abs(width - 2 * radius) < 2.5


def test_the_eyeball_turns_with_the_head(drawn):
    rgb, face = drawn
    target = posed(face, turn=(0, 15, 0))
    canvas = painted(rgb, face, target)
    for loop in LOOPS:
        area = eye_area(target.points, loop, rgb.shape)
        assert np.abs(centroid(area & like(canvas, IRIS, 70)) - target.points[loop[2][0], :2])[0] < 1.5


def test_reflections_move_less_than_the_iris(drawn):
    rgb, face = drawn
    rgb = rgb.copy()
    centre = np.rint(face.landmarks[RIGHT_IRIS[0], :2]).astype(int)
    rgb[centre[1] - 3 : centre[1], centre[0] - 3 : centre[0]] = 255
    target = posed(face, eyeLookInRight=0.5, eyeLookOutLeft=0.5)
    canvas = painted(rgb, face, target)
    area = eye_area(target.points, LOOPS[0], rgb.shape)
    disc = np.hypot(*(np.mgrid[:400, :400][::-1] - target.points[RIGHT_IRIS[0], :2, None, None])) < 6
    spot = centroid(area & disc & (canvas.min(2) > 180))
    moved = (target.points - face.landmarks)[RIGHT_IRIS[0], 0]
    assert 0.2 * moved < spot[0] - (centre[0] - 2) < 0.8 * moved


def test_glasses_are_found_and_stay_while_the_eyes_close(photo, drawn):
    rgb, face = photo
    mask = glasses_mask(rgb, face, [find_eye(rgb, face, side)[0] for side in ("right", "left")])
    bridge = face.landmarks[168, :2].astype(int)
    around = mask[bridge[1] - 12 : bridge[1] + 25, bridge[0] - 4 : bridge[0] + 5]
    assert around.any(0).all(), "the bridge goes from side to side"
    assert 0.01 < mask.sum() / face.pose.scale**2 < 0.2
    dark = (mask > 0) & (rgb.max(2) < 70)
    assert dark.sum() > 60
    canvas = painted(rgb, face, posed(face, **BLINK))
    assert (canvas[dark].max(1) < 110).mean() > 0.85
    bare, plain = drawn
    none = glasses_mask(bare, plain, [find_eye(bare, plain, side)[0] for side in ("right", "left")])
    assert not none.any()

"""The inside of the mouth: where it is painted, that it is rigid, and that it belongs to the picture."""

from __future__ import annotations

from dataclasses import replace

import cv2
import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image

from portrayal.engines.puppet.lip_corners import to_line_ends
from portrayal.engines.puppet.mouth import Mouth
from portrayal.engines.puppet.mouth_look import Look, luma
from portrayal.engines.puppet.opening import Opening
from portrayal.engines.puppet.rig import displace
from portrayal.engines.puppet.tooth_rows import biting_edges
from portrayal.engines.puppet.transfer import Target
from portrayal.motion import SHAPE_INDEX
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import (
    INNER_LIP_BOTTOM,
    INNER_LIP_TOP,
    LIP_BOTTOM_INNER,
    LIP_TOP_INNER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    RIGHT_IRIS,
)


@pytest.fixture(scope="module")
def rgb():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as stream:
        return np.asarray(Image.open(stream).convert("RGB"))


@pytest.fixture(scope="module")
def face(rgb):
    return find_faces(rgb)[0]


@pytest.fixture(scope="module")
def mouth(rgb, face):
    return Mouth(rgb, face)


def posed(face, turn=(0, 0, 0), shift=(0, 0), **coefficients):
    values = np.zeros(len(SHAPE_INDEX), np.float32)
    for name, value in coefficients.items():
        values[SHAPE_INDEX[name]] = value
    own = face.pose
    pivot = own.pivot + np.array([*shift, 0], np.float32)
    pose = HeadPose.about_pivot(own.angles + np.array(turn, np.float32), own.scale, pivot)
    return Target(pose, face.shape + displace(values, face.shape))


def lips(target, shape, grow=0):
    """Mask of the opening between the lips, dilated (or, below zero, eroded) by some pixels."""
    contour = target.points[[*INNER_LIP_TOP, *INNER_LIP_BOTTOM[-2:0:-1]], :2]
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(contour).astype(np.int32)], 1)
    kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
    return (cv2.dilate if grow > 0 else cv2.erode)(mask, kernel) > 0


SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8}
LIFT = {
    "mouthUpperUpLeft": 0.8,
    "mouthUpperUpRight": 0.8,
    "mouthLowerDownLeft": 0.3,
    "mouthLowerDownRight": 0.3,
}


def test_a_closed_mouth_leaves_the_canvas_bit_for_bit(rgb, face, mouth):
    for target in (posed(face), posed(face, **SMILE), posed(face, turn=(8, 20, 5))):
        canvas = rgb.copy()
        mouth.paint(canvas, target)
        assert np.array_equal(canvas, rgb)


@pytest.mark.parametrize("turn", [(0, 0, 0), (-8, 30, 0), (10, -30, 15)])
def test_paints_inside_the_opening_and_nowhere_else(face, mouth, rgb, turn):
    target = posed(face, turn, jawOpen=0.6)
    canvas = np.full_like(rgb, (0, 255, 0))
    mouth.paint(canvas, target)
    changed = (canvas != (0, 255, 0)).any(2)
    assert not changed[~lips(target, rgb.shape, grow=4)].any()
    covered = canvas[lips(target, rgb.shape, grow=-3)].astype(int)
    assert len(covered) > 300
    assert (covered[:, 1] < 235).all(), "some of the canvas shows through"


def test_fades_in_as_the_lips_part(rgb, face, mouth):
    change = []
    for jaw in np.linspace(0, 0.25, 26):
        canvas = rgb.copy()
        mouth.paint(canvas, posed(face, jawOpen=jaw))
        change.append(np.abs(canvas.astype(int) - rgb).sum() / 765)
    assert change[0] == 0 and change[-1] > 60
    assert np.max(np.diff(change)) < 0.2 * change[-1]


def painted(mouth, rgb, target):
    canvas = np.full_like(rgb, 128)
    mouth.paint(canvas, target)
    return canvas


def test_teeth_are_rigid_while_the_mouth_widens(rgb, face, mouth):
    narrow, wide = posed(face, jawOpen=0.25, **LIFT), posed(face, jawOpen=0.3, **LIFT, **SMILE)
    width = [float(np.linalg.norm(t.points[308] - t.points[78])) for t in (narrow, wide)]
    assert width[1] > 1.15 * width[0]
    first, second = (
        cv2.cvtColor(painted(mouth, rgb, t), cv2.COLOR_RGB2GRAY).astype(np.float32) for t in (narrow, wide)
    )
    both = lips(narrow, rgb.shape, grow=-3) & lips(wide, rgb.shape, grow=-3)
    rows, columns = np.nonzero(both)
    box = slice(rows.min(), int(rows.mean())), slice(columns.min() + 6, columns.max() - 6)
    fine = [a - cv2.GaussianBlur(a, (0, 0), 3) for a in (first, second)]
    patch = fine[0][box]

    def likeness(stretch):
        size = (round(patch.shape[1] * stretch), patch.shape[0])
        wider = cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR)
        around = fine[1][box[0].start - 2 : box[0].stop + 2, box[1].start - 12 : box[1].stop + 12]
        scores = cv2.matchTemplate(around, wider, cv2.TM_CCOEFF_NORMED)
        return scores.max(), np.unravel_index(scores.argmax(), scores.shape)

    score, place = likeness(1.0)
    assert score > 0.9
    assert place == (2, 12), "teeth moved with the lips"
    assert score > likeness(width[1] / width[0])[0] + 0.2


def test_the_inside_moves_with_the_head(rgb, face, mouth):
    here = painted(mouth, rgb, posed(face, jawOpen=0.5))
    there = painted(mouth, rgb, posed(face, shift=(7, -5), jawOpen=0.5))
    assert np.abs(np.roll(here, (-5, 7), (0, 1)).astype(int) - there).max() <= 3


def test_lower_teeth_drop_with_the_jaw_and_upper_ones_do_not(rgb, face, mouth):
    little, much = (painted(mouth, rgb, posed(face, jawOpen=j, **LIFT)).astype(int) for j in (0.3, 0.8))
    target = posed(face, jawOpen=0.3, **LIFT)
    x, y = np.rint(target.points[13, :2]).astype(int)
    top = np.s_[y + 4 : y + 7, x - 8 : x + 9]
    assert np.abs(little[top] - much[top]).mean() < 14
    bottom = np.rint(target.points[14, :2]).astype(int)[1]
    gap = np.s_[bottom - 1 : bottom + 6, x - 8 : x + 9]
    assert much[gap].mean() < 0.7 * little[top].mean(), "no dark between the rows"


def test_a_grey_portrait_gets_a_grey_mouth(rgb, face):
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    target = posed(face, jawOpen=0.5, **LIFT)
    inside = painted(Mouth(grey, face), grey, target)[lips(target, rgb.shape)].astype(int)
    assert np.ptp(inside, axis=1).max() <= 2
    assert np.ptp(inside[:, 0]) > 50


def test_teeth_are_as_bright_as_the_picture_allows(rgb, face):
    target = posed(face, jawOpen=0.3, **LIFT)
    bright = []
    for gain in (1.0, 0.4):
        picture = (rgb * gain).astype(np.uint8)
        inside = painted(Mouth(picture, face), picture, target)[lips(target, rgb.shape, grow=-2)]
        cheek = np.median(picture[tuple(np.rint(face.landmarks[205, 1::-1]).astype(int))])
        bright.append(np.percentile(inside.mean(1), 90) / cheek)
    assert 0.6 < bright[0] < 1.45
    assert bright[1] == pytest.approx(bright[0], rel=0.15)


def with_own_teeth(rgb, target):
    """The portrait with its mouth open, violet-white bars for upper teeth and dark below them."""
    picture = rgb.copy()
    mask = lips(target, rgb.shape, grow=2)
    rows, columns = np.nonzero(mask)
    middle = rows.min() + 0.55 * np.ptp(rows)
    bars = np.where((columns // 4 % 2 == 0)[:, None], (225, 205, 235), (185, 165, 195))
    picture[rows, columns] = np.where((rows < middle)[:, None], bars, (35, 15, 15))
    return picture, Face(target.points)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_own_teeth_are_kept_and_stay_where_they_are(rgb, face, scale):
    target = posed(face, jawOpen=0.35, **LIFT, **SMILE)
    picture, opened = with_own_teeth(rgb, target)
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    opened = Face(((opened.landmarks + 0.5) * scale - 0.5).astype(np.float32))
    mouth = Mouth(picture, opened)
    same = Target(opened.pose, opened.shape)
    result = picture.copy()
    mouth.paint(result, same)
    assert np.abs(result.astype(int) - picture).max() <= 1

    wider = Target(opened.pose, opened.shape + displace(_jaw(0.35), opened.shape))
    upper = lips(same, picture.shape, grow=-1) & lips(wider, picture.shape, grow=-1)
    rows = np.nonzero(upper)[0]
    upper[int(rows.min() + 0.4 * np.ptp(rows)) :] = False
    assert upper.sum() > 60 * scale**2
    moved = painted(mouth, picture, wider)
    assert np.abs(moved[upper].astype(int) - picture[upper]).mean() < 6


def test_a_row_of_teeth_from_lip_to_lip_ends_where_it_is_seen_to_end(rgb, face):
    target = posed(face, jawOpen=0.3, **LIFT, **SMILE)
    picture, mask = rgb.copy(), lips(target, rgb.shape, grow=1)
    rows, columns = np.nonzero(mask)
    bottom = (mask * np.arange(len(mask))[:, None]).max(0)
    notch = (columns % 10 < 4) & (rows > bottom[columns] - 5)
    picture[rows, columns] = np.where(notch[:, None], (110, 50, 50), (235, 225, 215))
    smiling = Face(target.points)
    wider = Target(smiling.pose, smiling.shape + displace(_jaw(0.35), smiling.shape))
    moved = painted(Mouth(picture, smiling), picture, wider).mean(2)
    middle = np.flatnonzero(bottom > np.percentile(bottom[bottom > 0], 60))
    between = middle[(middle % 10 == 1) | (middle % 10 == 2)]
    assert len(between) >= 4
    teeth = moved[bottom[middle] - 12, middle]
    assert np.abs(teeth - picture.mean(2)[bottom[middle] - 12, middle]).max() < 6
    for below in range(-3, 6):
        assert moved[bottom[between] + below, between].max() < 0.75 * teeth.min()


@pytest.mark.parametrize("pixel", [0.005, 0.015, 0.03])
def test_one_row_of_teeth_is_one_at_any_size_of_pixels(pixel):
    y, u = (part.ravel() for part in np.mgrid[0.7:0.84:pixel, -0.12:0.12:pixel])
    whole = np.ones(len(y), np.float32)
    upper, lower = biting_edges(200 * whole, whole, u, y, 0.77, pixel)
    assert lower is None
    assert upper == pytest.approx(0.84, abs=0.01 + pixel)


def _jaw(value):
    values = np.zeros(len(SHAPE_INDEX), np.float32)
    values[SHAPE_INDEX["jawOpen"]] = value
    return values


@pytest.mark.parametrize("jaw", [0.0, 0.4])
def test_a_tongue_hangs_over_the_lower_lip_under_the_upper_one(rgb, face, mouth, jaw):
    mean = []
    for amount in (0.0, 0.3, 0.6, 1.0):
        target = replace(posed(face, jawOpen=jaw, tongueOut=amount), tongue=amount)
        without, drawn = rgb.copy(), rgb.copy()
        mouth.paint(without, replace(target, tongue=0.0))
        mouth.paint(drawn, target)
        changed = np.abs(drawn.astype(int) - without).max(2) > 12
        points = target.points[:, :2]
        outside = np.nonzero(changed & ~lips(target, rgb.shape))
        mean.append(len(outside[0]))
        if amount:
            lower, corners = points[LIP_BOTTOM_INNER, 1], points[[MOUTH_RIGHT, MOUTH_LEFT], 0]
            assert outside[0].min() > points[LIP_TOP_INNER, 1] - 2
            assert corners[0] < outside[1].min() and outside[1].max() < corners[1]
            assert outside[0].max() < lower + 0.4 * face.pose.scale
    assert mean[0] == 0 and (np.diff(mean) > 0.05 * face.pose.scale**2 * np.diff([0, 0.3, 0.6, 1.0])).all()


@pytest.mark.parametrize("scale", [0.12, 2.5])
def test_small_and_large_faces(rgb, face, scale):
    picture = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    other = Face((face.landmarks * scale).astype(np.float32))
    target = posed(other, jawOpen=0.7)
    canvas = np.full_like(picture, (0, 255, 0))
    Mouth(picture, other).paint(canvas, target)
    assert (canvas[lips(target, picture.shape, grow=-1)][:, 1] < 250).mean() > 0.9


def test_a_mouth_cut_off_by_the_picture(rgb, face):
    bottom = int(face.landmarks[14, 1]) + 4
    left = int(face.landmarks[13, 0])
    picture = np.ascontiguousarray(rgb[:bottom, left:])
    other = Face(face.landmarks - np.array([left, 0, 0], np.float32))
    canvas = np.full_like(picture, (0, 255, 0))
    Mouth(picture, other).paint(canvas, posed(other, jawOpen=0.7))
    assert (canvas[-2:, 2:12, 1] < 250).all()
    outside = np.full_like(picture, 9)
    Mouth(picture, other).paint(outside, posed(other, shift=(-3000, 0), jawOpen=0.7))
    assert (outside == 9).all()


def test_corners_go_to_where_the_line_between_the_lips_ends(rgb, face):
    moved = to_line_ends(rgb, face)
    width = np.linalg.norm(face.landmarks[MOUTH_LEFT] - face.landmarks[MOUTH_RIGHT])
    longer = rgb.copy()
    for corner, inner in ((MOUTH_RIGHT, INNER_LIP_TOP[0]), (MOUTH_LEFT, INNER_LIP_TOP[-1])):
        inner, corner = face.landmarks[inner, :2], face.landmarks[corner, :2]
        end = corner + 0.05 * width * (corner - inner) / np.linalg.norm(corner - inner)
        cv2.line(longer, tuple(np.rint(inner).astype(int)), tuple(np.rint(end).astype(int)), (60, 20, 10), 3)
    plain = cv2.GaussianBlur(rgb, (0, 0), 0.1 * width)
    for picture, least, most in ((longer, 0.03, 0.07), (plain, 0, 0)):
        there = to_line_ends(picture, face)
        for corner in (MOUTH_RIGHT, MOUTH_LEFT):
            by = np.linalg.norm((there.landmarks - face.landmarks)[corner]) / width
            assert least <= by <= most
    assert there.pose is face.pose
    assert np.abs(moved.landmarks - face.landmarks)[list(RIGHT_IRIS)].max() < 0.05


def test_a_wide_open_mouth_is_round_at_its_corners(face):
    """Where both lips begin the contour runs down, not to a point."""
    opening = Opening(face)
    contour, seen = opening.contour(posed(face, jawOpen=0.8))
    assert seen == 1
    for corner in (contour[:, 0].argmin(), contour[:, 0].argmax()):
        before, after = contour[corner - 1], contour[(corner + 1) % len(contour)]
        across, down = np.abs(after - before)
        assert down > 3 * across


def test_a_tongue_is_red_as_lips_are_and_dark_only_where_that_tells_it(rgb, face):
    def chroma(colour):
        return colour[0] / colour[1]

    look = Look.of(rgb, face)
    grey = Look.of(np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2), face)
    assert chroma(look.tongue) > 1.2 * chroma(look.tooth)
    assert chroma(grey.tongue) == pytest.approx(1, abs=0.02)
    assert luma(grey.tongue) > 1.3 * luma(look.tongue)

"""Sliders: the numbers of the published page and editor; each moves what it names and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from golden.liveportrait.cases import golden, motion_of, networks, source
from portrayal.engines.liveportrait.editing import (
    SLIDERS,
    Edit,
    edited,
    editor_keypoints,
    editor_offset,
    opened,
    place_edit,
    slider_offset,
)
from portrayal.engines.liveportrait.info import OPTIONS
from portrayal.errors import PortrayalError, UsageError
from portrayal.timeline import parse_timeline, play

#: The page's names for what is called otherwise here.
_PAGE = {
    "lip_variation_zero": "pout", "lip_variation_one": "woo", "lip_variation_two": "eee",
    "lip_variation_three": "aaa", "mov_x": "shift_x", "mov_y": "shift_y",
}  # fmt: skip
_MIX = dict(blink=-6, eyebrow=4, wink=3, pupil_x=-5, pupil_y=7, aaa=50, eee=6, woo=-4, smile=0.5)
_CASES = golden("expression_editor")
_ON_PAGE = [name for name in _CASES if name.startswith("gr_") and _CASES[name].shape == (21, 3)]
_IN_EDITOR = [name for name in _CASES if name.startswith("alp_") and _CASES[name].shape == (22, 3)]


def on_page(name: str) -> dict[str, float]:
    slider, value = name[3:].rsplit("_", 1)
    if slider.startswith("eyeball"):
        return {"pupil_x": float(slider.split("_")[1]), "pupil_y": float(value)}
    return {_PAGE.get(slider, slider): float(value)}


@pytest.mark.parametrize("name", _ON_PAGE)
def test_sliders_of_the_page(name: str) -> None:
    assert np.abs(slider_offset(on_page(name)) - _CASES[name]).max() < 1e-7


@pytest.mark.parametrize("name", [n for n in _IN_EDITOR if "rotate" not in n])
def test_sliders_of_the_editor(name: str) -> None:
    slider, _, value = name[4:].rpartition("_")
    offset, turn = editor_offset(_MIX if name == "alp_mix" else {slider: float(value)})
    if name == "alp_mix":
        turn = turn + np.float32([5, -8, 3])
    assert np.abs(offset - _CASES[name][:21]).max() < 1e-7
    assert np.abs(turn - _CASES[name][21]).max() < 1e-6


@pytest.mark.parametrize(
    ("case", "part"),
    [
        ("none", None),
        ("expr", "expression"),
        ("rot", "rotation"),
        ("mouth", "mouth"),
        ("eyes", "eyes"),
        ("all", "all"),
    ],
)
def test_the_editor_as_a_whole(case: str, part: Any) -> None:
    own, sample = source()[0], motion_of("drv")[0]
    edit = Edit(
        sliders=_MIX,
        angles=(5, 8, 3),  # the editor turns its yaw slider, -8, around
        sample=None if part is None else sample,
        sample_ratio=0.9,
        part=part or "expression",
        source_ratio=0.7,
    )
    points = networks().stitched(own.keypoints, editor_keypoints(own, edit))
    assert np.abs(points - _CASES[f"alp_editor_xd_{case}"]).max() < 1e-5


#: What the page's own edits were set to; its shift to the right is the keypoint's to the left.
_EDITS = {
    "neutral": Edit(),
    "ratios": Edit(eyes_open=0.1, lips_open=0.5),
    "pose": Edit(angles=(10, -15, 5), zoom=1.1, sliders={"shift_x": -0.1, "shift_y": -0.05}),
    "all": Edit(
        eyes_open=0.2,
        lips_open=0.1,
        angles=(0, 12, 0),
        sliders=dict(
            smile=0.6,
            wink=10,
            eyebrow=-12,
            pout=0.03,
            woo=-5,
            eee=6,
            aaa=40,
            shift_x=0.08,
            pupil_x=-9,
            pupil_y=14,
        ),
    ),
}


@pytest.mark.parametrize("name", ["neutral", "ratios", "pose", "all", "all_nostitch"])
def test_the_page_as_a_whole(name: str) -> None:
    own = source()[0].with_ratios([[0.3, 0.3]], [0.25])
    edit = _EDITS[name.removesuffix("_nostitch")]
    # the page alone shifts in depth, too
    depth = own.translation[:, None] * np.array([0, 0, 1])
    points = edited(own, edit).keypoints + opened(own, edit, networks()) + depth
    if not name.endswith("nostitch"):
        points = networks().stitched(own.keypoints, points)
    assert np.abs(points - _CASES[f"gr_exec_{name}"]).max() < 1e-5


def test_nothing_edited_is_the_portrait() -> None:
    own = source()
    assert np.array_equal(place_edit(own, Edit(), networks()), own.keypoints)
    zero = Edit(sliders=dict.fromkeys(SLIDERS, 0.0), sample=motion_of("drv")[0], sample_ratio=0.0)
    assert np.array_equal(place_edit(own, zero, networks()), own.keypoints)


_LEFT_EYE, _RIGHT_EYE, _BROWS, _CHEEKS = {11, 13}, {15, 16}, {1, 2}, {3, 7}
_MOUTH = {14, 17, 19, 20}
_MOVES = {
    "smile": {13, 14, 16, 17, 20} | _CHEEKS, "aaa": {17, 19}, "eee": {14, 20}, "woo": {14, 17} | _CHEEKS,
    "pout": {19}, "blink": _LEFT_EYE | _RIGHT_EYE, "wink": _LEFT_EYE | {3, 17}, "eyebrow": _BROWS,
    "pupil_x": {11, 15}, "pupil_y": _LEFT_EYE | _RIGHT_EYE, "shift_x": {5}, "shift_y": {5},
}  # fmt: skip


@pytest.mark.parametrize("name", SLIDERS)
@pytest.mark.parametrize("end", ["ge", "le"])
def test_each_slider_moves_what_it_names_and_nothing_else(name: str, end: str) -> None:
    limits = {type(rule).__name__.lower(): rule for rule in OPTIONS.model_fields[name].metadata}
    value = getattr(limits[end], end)
    own = source()[0]
    moved = place_edit(own, Edit(sliders={name: value}), networks(), stitching=False) - own.keypoints
    touched = {int(i) for i in np.flatnonzero(np.abs(moved[0]).max(1) > 1e-6)}
    assert touched == _MOVES[name] or (value == 0 and not touched)


def test_sliders_add_up_and_are_options() -> None:
    apart = sum((slider_offset({name: value}) for name, value in _MIX.items()), np.zeros((21, 3)))
    assert np.abs(slider_offset(_MIX) - apart).max() < 1e-7
    assert {*SLIDERS, "zoom"} == set(OPTIONS.sliders)
    assert set(OPTIONS.edits) <= set(OPTIONS.model_fields)
    edit = Edit.of(OPTIONS(smile=0.5, zoom=1.2, eyes_open=0.3), None)
    assert edit == Edit(sliders={"smile": 0.5}, zoom=1.2, eyes_open=0.3)
    moving = Edit.of(OPTIONS(smile=0.5, zoom=1.2), None, {"smile": 0.25, "aaa": 10, "zoom": 0.5})
    assert moving == Edit(sliders={"smile": 0.75, "aaa": 10}, zoom=0.6)
    with pytest.raises(UsageError, match="no slider 'grimace'"):
        slider_offset({"grimace": 1})


def test_directions_of_the_sliders() -> None:
    """x right, y down, in the picture."""
    own = source()[0]
    for name, axis in (("shift_x", 0), ("shift_y", 1)):
        moved = place_edit(own, Edit(sliders={name: 0.1}), networks(), stitching=False) - own.keypoints
        assert moved[0, 5, axis] > 0.05 and np.abs(moved[0, 5, 1 - axis]) < 1e-6
    assert slider_offset({"pupil_x": 10})[[11, 15], 0].min() > 0
    assert slider_offset({"pupil_y": 10})[[11, 15], 1].max() < 0
    assert slider_offset({"aaa": 10})[19, 1] > 0 > slider_offset({"aaa": -10})[19, 1]


def test_angles_and_zoom() -> None:
    own = source()[0]
    turned = edited(own, Edit(angles=(3, -4, 5)))
    assert np.abs(turned.angles - own.angles - [3, -4, 5]).max() < 1e-3
    assert np.array_equal(turned.expression, own.expression)
    assert edited(own, Edit(zoom=1.1)).scale == pytest.approx(own.scale * 1.1)


def test_parts_of_a_sample() -> None:
    own, sample = source()[0], motion_of("drv")[0]

    def change(part: Any, ratio: float = 1.0) -> np.ndarray:
        return edited(own, Edit(sample=sample, part=part, sample_ratio=ratio)).expression - own.expression

    assert set(np.flatnonzero(np.abs(change("mouth")[0]).max(1))) == _MOUTH
    assert set(np.flatnonzero(np.abs(change("eyes")[0]).max(1))) == _LEFT_EYE | _RIGHT_EYE | _BROWS
    assert not change("rotation").any()
    assert not change("expression")[0, 5, :2].any()
    assert np.abs(change("expression", 0.5) - change("expression") / 2).max() < 1e-7
    kept = edited(own, Edit(source_ratio=0.0)).expression
    assert np.array_equal(kept[0, 5], own.expression[0, 5]) and np.abs(np.delete(kept, 5, 1)).max() == 0


def test_opening_needs_to_know_how_open_they_are() -> None:
    with pytest.raises(PortrayalError, match="how open the portrait's eyes are is not known"):
        place_edit(motion_of("src")[0], Edit(eyes_open=0.4), networks())


def test_a_time_line_ramps_and_keeps() -> None:
    steps = parse_timeline("1 = 4:2\n\n2=2 : 0   # a comment\n0=1:1")
    frames = list(play(steps, {1: {"smile": 1.0}, 2: {"smile": 0.5, "zoom": 1.2}}))
    assert [f["smile"] for f in frames] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0, 0])
    assert [f["zoom"] for f in frames] == pytest.approx([1, 1, 1, 1, 1, 1, 1.1, 1.2, 1, 1])


def test_a_step_without_change_is_a_jump() -> None:
    assert [f["aaa"] for f in play(parse_timeline("1=0:2\n0=0:1"), {1: {"aaa": 60}})] == [60, 60, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1=3", "line 1: '1=3' is not motion"),
        ("1=3:1\nsmile=2:2", "line 2"),
        ("1=-3:1", "line 1"),
        ("", "at least one frame"),
        ("1=0:0", "at least one frame"),
        ("1=9999999:9999999", "at most"),
        ("1=99999999:1", "too many"),
    ],
)
def test_what_is_no_time_line_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_timeline(text)


def test_a_motion_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="there is no motion 3"):
        list(play(parse_timeline("3=1:1"), {1: {"smile": 1}}))

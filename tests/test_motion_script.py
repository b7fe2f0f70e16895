"""Edit scripts: key frames over time, eased."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from portrayal.errors import PortrayalError
from portrayal.motion import SHAPE_INDEX, Motion

SCRIPT = """
fps: 20
duration: 2.0
keys:
  - {at: 0.0, pitch: 0}
  - {at: 0.5, pitch: 8, eyeBlinkLeft: 1, ease: linear}
  - {at: 1.0, pitch: 0, gaze-x: 0.5}
  - {at: 1.5, jaw-open: 0.4, y: 0.2, scale: 1.5, ease: hold}
"""


def blink(motion: Motion) -> np.ndarray:
    return motion.coefficients[:, SHAPE_INDEX["eyeBlinkLeft"]]


def test_a_script_moves_each_channel_by_its_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "nod and wink.yaml"
    path.write_text(SCRIPT)
    motion = Motion.from_script(path)
    assert motion.fps == 20 and len(motion) == 40
    assert motion.rotation[[0, 5, 10, 20, 39], 0] == pytest.approx([0, 4, 8, 0, 0])
    assert blink(motion)[[0, 5, 10, 39]] == pytest.approx([0, 0.5, 1, 1])  # held after its last key
    assert motion[10].gaze[0] == pytest.approx(0.25) and motion[30].gaze[0] == pytest.approx(0.5)
    jaw = motion.coefficients[:, SHAPE_INDEX["jawOpen"]]
    assert not jaw[:30].any() and np.allclose(jaw[30:], 0.4)
    assert np.allclose(motion.scale[:30], 1) and np.allclose(motion.scale[30:], 1.5)
    assert np.allclose(motion.translation[30:, 1], 0.2)


def test_json_and_dictionaries_are_scripts_too(tmp_path: Path) -> None:
    script = {"keys": [{"at": 1, "yaw": 10}]}
    (tmp_path / "s.json").write_text(json.dumps(script))
    motion = Motion.from_script(tmp_path / "s.json")
    assert motion.fps == 25 and len(motion) == 26  # until the last key is reached
    assert motion.rotation[-1, 1] == 10
    assert np.array_equal(motion.rotation, Motion.from_script(script).rotation)


@pytest.mark.parametrize(
    ("ease", "half"), [("linear", 5.0), ("in-out", 5.0), ("in", 2.5), ("out", 7.5), ("hold", 0.0)]
)
def test_easing(ease: str, half: float) -> None:
    motion = Motion.from_script({"keys": [{"at": 0, "roll": 0}, {"at": 2, "roll": 10, "ease": ease}]})
    assert motion.rotation[25, 2] == pytest.approx(half)
    assert (np.diff(motion.rotation[:, 2]) >= -1e-5).all() and motion.rotation[50, 2] == 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keys: [{at: 0, jaw-opn: 1}]", "did you mean jaw-open"),
        ("keys: [{at: 0, pitch: high}]", "pitch must be a number"),
        ("keys: [{at: 0, pitch: .nan}]", "must be a number"),
        ("keys: [{pitch: 1}]", "key 1 needs a time"),
        ("keys: [{at: -1, pitch: 1}]", "before the start"),
        ("keys: [{at: 0, pitch: 1, ease: bounce}]", "ease is in-out"),
        ("keys: []", "list of keys"),
        ("just words", "list of keys"),
        ("fps: 0\nkeys: [{at: 0, pitch: 1}]", "above 0"),
        ("duration: 1e9\nkeys: [{at: 0, pitch: 1}]", "must be"),
        ("speed: 2\nkeys: [{at: 0, pitch: 1}]", "no 'speed'"),
        ("keys: [{at: 0", "not YAML or JSON"),
        ("a: &a [1]\nkeys: [*a]", "aliases"),
        ("keys: !!python/object/apply:os.system ['true']", "not YAML"),
        ("[" * 5000, "not YAML"),
    ],
)
def test_what_is_wrong_with_a_script_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(PortrayalError, match=said) as error:
        Motion.from_script(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


TIMELINE = """
fps: 10
motions: {1: {jaw-open: 0.8, yaw: 10}, 2: {smile: 1.0, zoom: 1.2}}
timeline: |
  1 = 4:2     # open
  2 = 2:0
  0 = 1:1
"""


@pytest.fixture
def sliders(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if an engine had the sliders smile and zoom."""
    monkeypatch.setattr("portrayal.motion_script.engine_sliders", lambda: ("smile", "zoom"))


@pytest.mark.usefixtures("sliders")
def test_a_time_line_of_motions(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(TIMELINE)
    motion = Motion.from_script(path)
    assert motion.fps == 10 and len(motion) == 10
    jaw = motion.coefficients[:, SHAPE_INDEX["jawOpen"]]
    assert jaw == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.4, 0, 0, 0])
    assert motion.rotation[:, 1] == pytest.approx(jaw * 12.5)
    assert motion.sliders["smile"] == pytest.approx([0] * 6 + [0.5, 1, 0, 0])
    assert motion[7].sliders == pytest.approx({"smile": 1, "zoom": 1.2})
    assert motion.sliders["zoom"] == pytest.approx([1] * 6 + [1.1, 1.2, 1, 1])


@pytest.mark.usefixtures("sliders")
def test_sliders_of_an_engine_have_keys_and_travel_with_the_motion(tmp_path: Path) -> None:
    keys = [{"at": 0.4, "smile": 1, "ease": "linear"}, {"at": 0.8, "Zoom": 2, "ease": "linear"}]
    motion = Motion.from_script({"fps": 10, "duration": 1, "keys": keys})
    assert motion.sliders["smile"][[0, 2, 4, 9]] == pytest.approx([0, 0.5, 1, 1])
    assert motion.sliders["zoom"][[0, 4, 8]] == pytest.approx([1, 1.5, 2])
    more = motion.edited({"smile": 0.5, "zoom": 1.5}, add=True)
    assert more.sliders["smile"][4] == 1.5 and more.sliders["zoom"][8] == 3
    assert motion.cut(0.4, 0.6).sliders["smile"] == pytest.approx([1, 1])
    assert motion.resample(Fraction(20)).sliders["smile"][1] == pytest.approx(0.125)
    rest = Motion.from_sliders({"jaw-open": 1}, Fraction(10), 2)
    both = Motion.concatenate([rest, motion])
    assert both.sliders["zoom"][:3] == pytest.approx([1, 1, 1]) and len(both.sliders["smile"]) == 12
    assert motion.blend(rest, 0.5).sliders["zoom"] == pytest.approx([1, 1 + 0.125 / 2])
    again = Motion.from_frames(motion.fps, list(motion))
    assert np.array_equal(again.sliders["smile"], motion.sliders["smile"])
    motion.save(tmp_path / "m.npz")
    loaded = Motion.load(tmp_path / "m.npz")
    assert np.array_equal(loaded.sliders["zoom"], motion.sliders["zoom"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeline: 3", "a time line is lines of"),
        ("timeline: '1=2:2'", "there is no motion 1"),
        ("{timeline: '0=2:2', keys: []}", "but no 'keys'"),
        ("{timeline: '1=2', motions: {1: {yaw: 3}}}", "line 1"),
        ("{timeline: '1=2:1', motions: {a: {yaw: 3}}}", "motion 'a' is not a number"),
        ("{timeline: '1=2:1', motions: {1: {yaww: 3}}}", "no coefficient 'yaww'; did you mean yaw"),
        ("{timeline: '1=2:1', motions: {1: {yaw: x}}}", "yaw must be a number"),
        ("{timeline: '0=2:1', fps: 0}", "fps must be above 0"),
    ],
)
def test_a_broken_time_line_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(text)
    with pytest.raises(PortrayalError, match=said) as caught:
        Motion.from_script(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)

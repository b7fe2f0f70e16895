"""Edit scripts: key frames over time, eased."""

from __future__ import annotations

import json
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

"""Every combination of options that the published pipeline has, and where ours goes beyond it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from golden.liveportrait.cases import driving, golden, networks, source
from portrayal.engines.liveportrait.info import OPTIONS
from portrayal.engines.liveportrait.keypoints import FaceMotion, hull_multiplier
from portrayal.engines.liveportrait.regions import EYES, LIPS, expression_mask, parse_regions
from portrayal.engines.liveportrait.transfer import Rules, Transfer, image_reference, steadied
from portrayal.errors import PortrayalError, UsageError

CASES = [name[3:] for name in golden("motion_combos") if name.startswith("xd_")]


def rules_of(case: str) -> dict[str, Any]:
    """The options that a case's name stands for."""
    option = case.split("_", 1)[1]
    options: dict[str, Any] = {"compat": True, "absolute": option.startswith("abs")}
    name = option.removeprefix("abs").removeprefix("_")
    if name in ("all", "exp", "pose", "lip", "eyes"):
        options["region"] = name
    options["stitching"] = "nostitch" not in name
    options["normalize_lip"] = "normlip" in name
    options["hold_eyes"] = "eyefix" in name
    options["eye_retargeting"] = name in ("eye_ret", "both_ret")
    options["lip_retargeting"] = name in ("lip_ret", "both_ret")
    if "mult" in name:
        options["strength"] = float(name.split("mult")[1])
    if name == "smooth1e-3":
        options["smoothing"] = 1e-3
    return options


def play(kind: str, options: Any, driven: FaceMotion | None = None) -> np.ndarray:
    """Keypoints of all frames for a kind such as i2v, image source and driving video."""
    rules, own, seen = Rules.of(options), source(), driven or driving()
    moving, image = kind[0] == "v", kind[2] == "i"
    reference = image_reference(seen[0], rules.regions) if image else seen[0]
    transfer = Transfer(rules, networks(), own[0], reference, moving=moving)
    if not moving:
        return transfer.keypoints(seen[0] if image else seen)
    each = [seen[0] if image else seen[i] for i in range(4)]
    moved = [transfer.moved(frame, own[i]) for i, frame in enumerate(each)]
    if not image:
        moved = list(steadied(moved, options.smoothing))
    placed = [transfer.placed(transfer.limited(m, own[i]), each[i], own[i]) for i, m in enumerate(moved)]
    return np.concatenate(placed)


@pytest.mark.parametrize("case", CASES)
def test_every_combination_is_as_published(case: str) -> None:
    expected = golden("motion_combos")[f"xd_{case}"]
    assert np.abs(play(case[:3], OPTIONS(**rules_of(case))) - expected).max() <= 1e-5


def test_there_are_all_combinations() -> None:
    assert len(CASES) == 34


def test_frames_in_batches_are_frames_one_by_one() -> None:
    options = OPTIONS(eye_retargeting=True, lip_retargeting=True, normalize_lip=True)
    transfer = Transfer(Rules.of(options), networks(), source()[0], driving()[0])
    apart = np.concatenate([transfer.keypoints(driving()[i]) for i in range(4)])
    assert np.abs(transfer.keypoints(driving()) - apart).max() < 1e-6


def expressions(region: str) -> np.ndarray:
    """(4, 21, 3) how far the keypoints are from rest, without the networks."""
    points = play("i2v", OPTIONS(region=region, stitching=False))
    return points - golden("motion_combos")["xs_image"]


@pytest.mark.parametrize(("region", "points"), [("lip", LIPS), ("eyes", EYES), ("lip,eyes", LIPS + EYES)])
def test_regions_move_their_own_points_only(region: str, points: tuple[int, ...]) -> None:
    moved = np.abs(expressions(region)).max((0, 2))
    others = [i for i in range(21) if i not in points]
    assert moved[list(points)].min() > 1e-3
    assert moved[others].max() < 1e-6


def test_regions_add_up() -> None:
    both = expressions("lip,eyes")
    assert np.abs(both - expressions("lip") - expressions("eyes")).max() < 1e-6
    # the head turns and the lips move, the size stays: all else of the face is as with pose alone
    mixed = expressions("pose,lip") - expressions("pose")
    assert np.abs(mixed[:, [i for i in range(21) if i not in LIPS]]).max() < 1e-6
    assert np.abs(mixed[1:, list(LIPS)]).max() > 1e-3


def test_expression_and_pose_together_are_all_but_size() -> None:
    driven = driving()
    driven = replace(driven, scale=np.full(4, driven.scale[0]))
    everything = play("i2v", OPTIONS(), driven)
    assert np.abs(play("i2v", OPTIONS(region="exp,pose"), driven) - everything).max() < 1e-6
    grown = replace(driven, scale=driven.scale * [1, 1.2, 1.2, 1.2])
    assert np.abs(play("i2v", OPTIONS(region="exp,pose"), grown) - everything).max() < 1e-6
    assert np.abs(play("i2v", OPTIONS(), grown) - everything).max() > 0.02


def test_masks_have_the_published_size() -> None:
    assert expression_mask(frozenset({"exp"}), whole=False).sum() == 45
    assert expression_mask(frozenset({"exp"}), whole=True).all()
    assert not expression_mask(frozenset({"pose"}), whole=True).any()
    with pytest.raises(UsageError, match="no region 'lips'"):
        parse_regions("lips")


def test_retargeting_keeps_what_else_the_driving_does() -> None:
    """The published code drops it with relative motion: the head freezes."""
    kept = play("i2v", OPTIONS(eye_retargeting=True, stitching=False))
    frozen = play("i2v", OPTIONS(eye_retargeting=True, stitching=False, compat=True))
    driven = play("i2v", OPTIONS(stitching=False))
    rest = golden("motion_combos")["xs_image"]
    far = np.linalg.norm(driven - rest)
    assert np.linalg.norm(kept - driven) < 0.5 * far
    assert np.linalg.norm(frozen - rest) < 0.5 * far
    assert np.linalg.norm(frozen - driven) > 0.8 * far


def test_retargeting_lets_each_eye_do_its_own() -> None:
    winking = driving().with_ratios([[0.3, 0.02]] * 4, [0.1] * 4)
    other = driving().with_ratios([[0.3, 0.3]] * 4, [0.1] * 4)
    options = OPTIONS(eye_retargeting=True, stitching=False)
    change = play("i2v", options, winking) - play("i2v", options, other)
    assert np.abs(change[:, [11, 13]]).max() < 1e-6  # the eye that both keep open
    assert np.abs(change[:, [15, 16]]).max() > 1e-4
    published = OPTIONS(eye_retargeting=True, stitching=False, compat=True)
    assert np.array_equal(play("i2v", published, winking), play("i2v", published, other))


def test_lids_are_opened_once() -> None:
    """What retargeting opens, the driving's expression must not open or close once more."""
    blinking = driving()
    expression = blinking.expression.copy()
    expression[:, [11, 15], 1] += 0.02
    twice = replace(blinking, expression=expression)
    options = OPTIONS(eye_retargeting=True, stitching=False, reference_frame=0)
    assert np.abs(play("i2v", options, twice) - play("i2v", options, blinking)).max() < 1e-6


def test_strength_scales_the_way_from_rest() -> None:
    rest = golden("motion_combos")["xs_image"]
    full, half = (play("i2v", OPTIONS(strength=s)) - rest for s in (1, 0.5))
    assert np.abs(half - full / 2).max() < 1e-6
    assert np.abs(play("i2v", OPTIONS(strength=0)) - rest).max() < 1e-7


def test_animals_are_driven_absolutely_by_the_size_of_their_heads() -> None:
    own, seen = source()[0], driving()
    assert own.canonical is not None
    shift = seen.translation[:, None] * np.array([1, 1, 0])
    absolute = own.scale * (own.canonical @ seen.rotation + _live(own, seen)) + shift
    factor = hull_multiplier(own.keypoints[0], absolute[0])
    points = play("i2v", OPTIONS(animal=True, stitching=False))
    assert np.abs(points - (own.keypoints + factor * (absolute - absolute[:1]))).max() < 1e-5
    plain = play("i2v", OPTIONS(animal=True, stitching=False, driving_option="pose-friendly"))
    assert np.abs(plain - absolute).max() < 1e-5


def _live(own: FaceMotion, seen: FaceMotion) -> np.ndarray:
    mask = expression_mask(frozenset({"all"}), whole=False)
    return np.where(mask, seen.expression, own.expression)


def test_templates_without_ratios_say_so() -> None:
    bare = replace(driving(), eyes=None, lips=None)
    with pytest.raises(PortrayalError, match="how open the lips of the driving are is not known"):
        play("i2v", OPTIONS(lip_retargeting=True), bare)

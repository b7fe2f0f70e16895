"""The plain port of LivePortrait in benchmarks/, against what the published networks made."""

from __future__ import annotations

import pytest
import torch

import liveportrait_plain as plain
from golden.liveportrait import outputs
from golden.liveportrait.weights import seeded_state_dict
from golden.seeded import seeded_input


def published(name: str, network: torch.nn.Module) -> torch.nn.Module:
    network.load_state_dict(seeded_state_dict(name))
    return network.eval()


@torch.inference_mode()
def test_appearance() -> None:
    network = published("appearance_feature_extractor", plain.AppearanceFeatureExtractor())
    wanted = outputs.expected("appearance_feature_extractor")
    out = network(outputs.image("source"))
    part = outputs.PARTS["appearance_feature_extractor"]["out"]
    assert outputs.error(out[part], wanted["out"]) < 1e-4
    assert outputs.error(out[0].mean((2, 3)), wanted["out_mean_cd"]) < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("label", ["source", "driving0"])
def test_motion(label: str) -> None:
    network = published("motion_extractor", plain.MotionExtractor())
    wanted = outputs.expected("motion_extractor")
    heads = network(outputs.image(label))
    assert set(heads) == {"kp", "scale", "pitch", "yaw", "roll", "t", "exp"}
    for name, head in heads.items():
        assert outputs.error(head, wanted[f"{label}_{name}"]) < 1e-4
    if label == "source":
        for name in ("pitch", "yaw", "roll"):
            assert outputs.error(plain.degrees(heads[name]), wanted[f"source_{name}_deg"]) < 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("case", ["warping_module", "warping_module_wide"])
def test_warping(case: str) -> None:
    network = published("warping_module", plain.WarpingNetwork())
    wanted = outputs.expected(case)
    points = (torch.from_numpy(wanted[name]) for name in ("kp_source", "kp_driving"))
    taps = network(outputs.volume(), *points)
    for name, part in outputs.PARTS[case].items():
        assert outputs.error(taps[name][part], wanted[name]) < 1e-4, name


@torch.inference_mode()
def test_generator() -> None:
    network = published("spade_generator", plain.SpadeGenerator())
    wanted = outputs.expected("spade_generator")
    out = network(outputs.feature())
    parts = outputs.PARTS["spade_generator"]
    assert outputs.error(out[parts["out"]], wanted["out"]) < 1e-4
    assert outputs.error(out[parts["out_patch"]], wanted["out_patch"]) < 3e-3  # stored in half precision


@torch.inference_mode()
@pytest.mark.parametrize("name", list(plain.MLPS))
def test_mlps(name: str) -> None:
    widths = plain.MLPS[name]
    inputs = torch.from_numpy(seeded_input("mlp:" + name, (4, widths[0]), kind="normal")) * 0.4
    out = published(name, plain.Mlp(*widths))(inputs)
    assert outputs.error(out, outputs.expected("mlps_and_keypoints")[f"{name}_out"]) < 1e-4

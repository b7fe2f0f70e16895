"""The plain port of TPSMM in benchmarks/, against what the published networks made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tpsmm_plain as plain
from golden.tpsmm.cases import SHAPES, normal, recorded, seeded, smooth, uniform


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def network(name: str) -> nn.Module:
    return seeded(plain.NETWORKS[name]())


def error(actual: Tensor, wanted: Tensor) -> float:
    return float((actual - wanted.view_as(actual)).abs().max())


@pytest.mark.parametrize("name", plain.NETWORKS)
def test_every_key_and_shape_is_that_of_the_published_files(name: str) -> None:
    shapes = {key: list(value.shape) for key, value in plain.NETWORKS[name]().state_dict().items()}
    assert shapes == SHAPES[name]


def test_key_points_and_background() -> None:
    points = network("kp_detector")(smooth("kp_smooth", 1, 256))
    assert error(points, recorded("kp_detector")["smooth256"]) < 1e-5
    out = network("bg_predictor")(smooth("bg_source", 2, 256), smooth("bg_driving", 2, 256))
    assert error(out, recorded("bg_predictor")["out"]) < 1e-5


def test_splines() -> None:
    driving = uniform("tps_kd", 2, 50, 2) * 2 - 1
    source = driving + 0.1 * normal("tps_noise", 2, 50, 2)
    splines, wanted = plain.TPS(driving.view(2, 10, 5, 2), source.view(2, 10, 5, 2)), recorded("tps")
    assert error(splines.theta, wanted["theta"]) < 1e-5
    assert error(splines.control_params, wanted["control_params"]) < 1e-5
    assert error(splines.transform_frame(48, 64)[:, :, ::4, ::4], wanted["grid48x64_s4"]) < 1e-4
    points = splines.warp_coordinates(uniform("tps_points", 1, 7, 2)[None] * 2 - 1)
    assert error(points, wanted["points"]) < 1e-4


def test_grids_bumps_and_blurs() -> None:
    wanted = recorded("util")
    assert error(plain.coordinate_grid(5, 7), wanted["coord_grid_5x7"]) < 1e-6
    bumps = plain.kp2gaussian(uniform("util_kp", 1, 3, 2) * 2 - 1, 24, 32, 0.01)
    assert error(bumps, wanted["gaussian_24x32"]) < 1e-6
    for scale, key, step in ((0.25, "down_025", 1), (0.5, "down_05_s2", 2), (0.125, "down_0125", 1)):
        small = plain.AntiAliasInterpolation2d(3, scale)(uniform("util_img", 1, 3, 64, 96))
        assert error(small[..., ::step, ::step], wanted[key]) < 1e-6


@pytest.mark.parametrize("case", ["dense_motion", "dense_motion_bg", "dense_motion_dropout"])
def test_dense_motion(case: str) -> None:
    driving = 0.9 * (uniform("dm_kd", 1, 50, 2) * 2 - 1)
    source = driving + 0.1 * normal("dm_noise", 1, 50, 2)
    background, dropout, wanted = None, None, recorded(case)
    if case == "dense_motion_bg":
        background = torch.eye(3)[None].clone()
        background[:, :2] += 0.1 * normal("dm_bg", 1, 2, 3)
    elif case == "dense_motion_dropout":
        dropout = (uniform("dm_drop", 1, 11), 0.3)
    out = network("dense_motion_network")(smooth("dm_source", 1, 256), driving, source, background, dropout)
    assert error(out["deformation"][:, ::2, ::2], wanted["deformation"]) < 1e-4
    assert error(out["contribution_maps"][..., ::4, ::4], wanted["contribution"].float()) < 2e-3
    for i, occlusion in enumerate(out["occlusion_map"]):
        assert error(occlusion[..., :: 2**i, :: 2**i], wanted[f"occ{i}"]) < 1e-4


def test_inpainting() -> None:
    offset = F.interpolate(
        uniform("ip_offset", 1, 2, 8, 8) * 2 - 1, (64, 64), mode="bilinear", align_corners=True
    )
    flow = plain.coordinate_grid(64, 64)[None] + 0.3 * offset.permute(0, 2, 3, 1)
    occlusion = [smooth(f"ip_occ{i}", 1, 32 * 2**i, 8, 1) for i in range(4)]
    model, wanted = network("inpainting_network"), recorded("inpainting")
    out = model(smooth("ip_source", 1, 256), {"deformation": flow, "occlusion_map": occlusion})
    assert error(out["prediction"][..., ::8, ::8], wanted["prediction_s8"]) < 1e-4
    encoded = model.get_encode(smooth("ip_driving", 1, 256), occlusion)
    for i, maps in enumerate(encoded):
        seen = maps[:, ::16, :: 2 ** (4 - i), :: 2 ** (4 - i)]
        assert error(seen, wanted[f"encode{i}"].float()) < 2e-3
    apart = [(a - b).abs().mean() for a, b in zip(encoded, out["warped_encoder_maps"][::-1], strict=True)]
    assert error(torch.stack(apart), wanted["warp_l1"]) < 1e-4


def test_avd() -> None:
    source, driving = uniform("avd_source", 4, 50, 2) * 2 - 1, uniform("avd_driving", 4, 50, 2) * 2 - 1
    model, wanted = network("avd_network"), recorded("avd")
    assert error(model(source, driving), wanted["eval"]) < 1e-5
    assert error(model.train()(source, driving), wanted["train"]) < 1e-5

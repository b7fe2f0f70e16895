"""The Thin-Plate-Spline Motion Model's networks: equal to what the published code gave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from golden.tpsmm.cases import PUBLISHED, SHAPES, network, normal, recorded, smooth, uniform
from portrayal.engines.tpsmm.networks import (
    DenseMotion,
    DenseMotionNetwork,
    KeypointDetector,
    ThinPlateSplines,
)
from portrayal.engines.tpsmm.networks.blocks import AntiAliasedDown, coordinates, gaussians


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def close(actual: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(actual, wanted.to(actual.dtype), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_key_and_shape_is_that_of_the_published_files(name: str) -> None:
    shapes = {key: list(value.shape) for key, value in PUBLISHED[name]().state_dict().items()}
    assert shapes == SHAPES[name]


def test_key_points() -> None:
    detector, wanted = network("kp_detector"), recorded("kp_detector")
    close(detector(uniform("kp_noise", 2, 3, 256, 256)), wanted["noise256"], 1e-5)
    close(detector(smooth("kp_smooth", 1, 256)), wanted["smooth256"], 1e-5)
    close(detector(smooth("kp_384", 1, 384, 24)), wanted["smooth384"], 1e-5)


def test_key_points_may_be_sought_at_a_size_of_their_own() -> None:
    detector = KeypointDetector(size=64)
    detector.load_state_dict(network("kp_detector").state_dict())
    picture = smooth("kp_384", 1, 384, 24)
    small = F.interpolate(picture, (64, 64), mode="bilinear", antialias=True)
    close(detector.eval()(picture), network("kp_detector")(small), 1e-6)


def test_background() -> None:
    out = network("bg_predictor")(smooth("bg_source", 2, 256), smooth("bg_driving", 2, 256))
    close(out, recorded("bg_predictor")["out"], 1e-5)
    still = PUBLISHED["bg_predictor"]().eval()(uniform("a", 1, 3, 64, 64), uniform("b", 1, 3, 64, 64))
    close(still, torch.eye(3)[None], 0)


def test_splines() -> None:
    driving = uniform("tps_kd", 2, 50, 2) * 2 - 1
    source = driving + 0.1 * normal("tps_noise", 2, 50, 2)
    splines = ThinPlateSplines.between(*(points.view(2, 10, 5, 2) for points in (driving, source)))
    wanted = recorded("tps")
    close(splines.affine, wanted["theta"])
    close(splines.weights, wanted["control_params"])
    close(splines.grid(48, 64)[:, :, ::4, ::4], wanted["grid48x64_s4"])
    close(splines(uniform("tps_points", 1, 7, 2)[None] * 2 - 1), wanted["points"])


def test_grids_bumps_and_blurs() -> None:
    wanted = recorded("util")
    close(coordinates(5, 7, torch.zeros(1)), wanted["coord_grid_5x7"].view(5, 7, 2), 1e-6)
    bumps = gaussians(uniform("util_kp", 1, 3, 2) * 2 - 1, 24, 32, 0.01)
    close(bumps, wanted["gaussian_24x32"].view_as(bumps), 1e-6)
    picture = uniform("util_img", 1, 3, 64, 96)
    close(AntiAliasedDown(3, 4)(picture), wanted["down_025"], 1e-6)
    close(AntiAliasedDown(3, 2)(picture)[..., ::2, ::2], wanted["down_05_s2"], 1e-6)
    close(AntiAliasedDown(3, 8)(picture), wanted["down_0125"], 1e-6)
    close(AntiAliasedDown(3, 1)(picture), picture, 0)


def points() -> tuple[Tensor, Tensor]:
    driving = 0.9 * (uniform("dm_kd", 1, 50, 2) * 2 - 1)
    return driving, driving + 0.1 * normal("dm_noise", 1, 50, 2)


def same_motion(motion: DenseMotion, wanted: dict[str, Tensor], step: int, trust: tuple[int, ...]) -> None:
    close(motion.flow[:, ::step, ::step], wanted["deformation"])
    torch.testing.assert_close(
        motion.parts[..., :: 2 * step, :: 2 * step], wanted["contribution"].float(), rtol=0, atol=2e-3
    )
    for i, every in enumerate(trust):
        close(motion.trust[i][..., ::every, ::every], wanted[f"occ{i}"])


def test_dense_motion() -> None:
    model, source = network("dense_motion_network"), smooth("dm_source", 1, 256)
    same_motion(model(source, *points()), recorded("dense_motion"), 2, (1, 2, 4, 8))
    background = torch.eye(3)[None].clone()
    background[:, :2] += 0.1 * normal("dm_bg", 1, 2, 3)
    same_motion(model(source, *points(), background), recorded("dense_motion_bg"), 2, (1, 2, 4, 8))
    keep = (uniform("dm_drop", 1, 11) < 0.7)[:, 1:]
    assert not keep.all()
    same_motion(model(source, *points(), keep=keep), recorded("dense_motion_dropout"), 2, (1, 2, 4, 8))


def test_dense_motion_at_384() -> None:
    motion = network("dense_motion_network")(smooth("dm_source384", 1, 384, 24), *points())
    same_motion(motion, recorded("dense_motion_384"), 3, (1, 2, 4, 8))


def test_inpainting() -> None:
    offset = F.interpolate(
        uniform("ip_offset", 1, 2, 8, 8) * 2 - 1, (64, 64), mode="bilinear", align_corners=True
    )
    flow = coordinates(64, 64, offset)[None] + 0.3 * offset.permute(0, 2, 3, 1)
    trust = [smooth(f"ip_occ{i}", 1, 32 * 2**i, 8, 1) for i in range(4)]
    model, source = network("inpainting_network"), smooth("ip_source", 1, 256)
    out = model(source, model.encode(source), DenseMotion(flow, trust, flow))
    close(out[..., ::8, ::8], recorded("inpainting")["prediction_s8"])


def test_avd() -> None:
    source, driving = uniform("avd_source", 4, 50, 2) * 2 - 1, uniform("avd_driving", 4, 50, 2) * 2 - 1
    close(network("avd_network")(source, driving), recorded("avd")["eval"], 1e-5)


def test_mish_is_another_network() -> None:
    torch.manual_seed(0)
    small = {"splines": 2, "expansion": 4, "blocks": 2, "most": 8}
    relu, mish = DenseMotionNetwork(**small), DenseMotionNetwork(**small, activation="mish")
    mish.load_state_dict(relu.state_dict())
    source, points = uniform("mish", 1, 3, 64, 64), uniform("mish_kp", 1, 10, 2)
    assert not torch.allclose(relu(source, points, points).parts, mish(source, points, points).parts)

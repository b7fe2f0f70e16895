"""LivePortrait's networks: equal to the published outputs, and each saving equal to the plain order."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import liveportrait_plain as plain
from golden.liveportrait import outputs, tiny
from golden.liveportrait.weights import seeded_state_dict
from portrayal.engines.liveportrait import folding
from portrayal.engines.liveportrait.checkpoint import KINDS
from portrayal.engines.liveportrait.networks import WarpingNetwork
from portrayal.engines.liveportrait.networks.warping import heat_maps, translated
from portrayal.neural.convolution import PlanarConv3d, UpsampledConv
from portrayal.neural.transformed import FourierConv3d, WinogradConv, transformed


def network(name: str) -> nn.Module:
    """As it runs on a CPU."""
    return transformed(KINDS[name].network(seeded_state_dict(name)))


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def close(actual: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    """Equal to within this share of the largest value."""
    torch.testing.assert_close(actual, wanted, rtol=0, atol=tolerance * float(wanted.abs().max()))


def test_appearance_as_published() -> None:
    out = network("appearance_feature_extractor")(outputs.image("source"))
    wanted = outputs.expected("appearance_feature_extractor")
    part = outputs.PARTS["appearance_feature_extractor"]["out"]
    assert outputs.error(out[part], wanted["out"]) < 1e-4
    assert outputs.error(out[0].mean((2, 3)), wanted["out_mean_cd"]) < 1e-4


def test_motion_as_published() -> None:
    images = torch.cat([outputs.image("source"), outputs.image("driving0")])
    heads, wanted = network("motion_extractor")(images), outputs.expected("motion_extractor")
    for name in ("kp", "exp", "t", "scale"):
        for i, label in enumerate(("source", "driving0")):
            assert outputs.error(heads[name][i].reshape(1, -1), wanted[f"{label}_{name}"]) < 1e-4
    for name in ("pitch", "yaw", "roll"):
        assert abs(float(heads[name][0]) - wanted[f"source_{name}_deg"].item()) < 1e-4


def test_warping_as_published() -> None:
    warping = network("warping_module")
    assert isinstance(warping, WarpingNetwork)
    for case in ("warping_module", "warping_module_wide"):
        wanted, parts = outputs.expected(case), outputs.PARTS[case]
        source, driving = (torch.from_numpy(wanted[name]) for name in ("kp_source", "kp_driving"))
        prepared = warping.source(outputs.volume(), source)
        deformation, occlusion = warping.motion(prepared, driving)
        assert outputs.error(deformation[parts["deformation"]], wanted["deformation"]) < 1e-4
        assert outputs.error(occlusion[parts["occlusion_map"]], wanted["occlusion_map"]) < 1e-4
        assert outputs.error(warping(prepared, driving)[parts["out"]], wanted["out"]) < 1e-4


def test_generator_as_published() -> None:
    out, wanted = network("spade_generator")(outputs.feature()), outputs.expected("spade_generator")
    parts = outputs.PARTS["spade_generator"]
    assert outputs.error(out[parts["out"]], wanted["out"]) < 1e-4
    assert outputs.error(out[parts["out_patch"]], wanted["out_patch"]) < 3e-3  # stored in half precision


def test_spectral_norm_as_published() -> None:
    state = seeded_state_dict("spade_generator")
    wanted = outputs.expected("spade_generator")["sigma"]
    names = [key.removesuffix(".weight_orig") for key in state if key.endswith("weight_orig")]
    assert len(names) == 18
    for name, sigma in zip(names, wanted, strict=True):
        weight, _ = folding.spectral(state, name)
        close(weight * float(sigma), state[f"{name}.weight_orig"])


def test_tiny_networks_equal_the_plain_ones() -> None:
    published = tiny.plain_networks(tame=False)
    ours = {name: KINDS[name].network(published[name].state_dict()) for name in KINDS}
    image = torch.rand(2, 3, 64, 96)
    name = "appearance_feature_extractor"
    volume = ours[name](image)
    close(volume, published[name](image))
    heads = published["motion_extractor"](image)
    for key, value in ours["motion_extractor"](image).items():
        angle = key in ("pitch", "yaw", "roll")
        close(value.flatten(1) if not angle else value, plain.degrees(heads[key]) if angle else heads[key])
    source, driving = torch.rand(2, 2, 21, 3) * 2.4 - 1.2
    warping = ours["warping_module"]
    feature = warping(warping.source(volume, source), driving)
    close(feature, published["warping_module"](volume, source, driving)["out"], 1e-4)
    close(ours["spade_generator"](feature), published["spade_generator"](feature), 1e-4)


def test_frames_of_one_source_are_rendered_together() -> None:
    warping = KINDS["warping_module"].network(tiny.plain_networks()["warping_module"].state_dict())
    volume, points = torch.randn(1, 4, 2, 16, 16), torch.rand(4, 21, 3) * 2 - 1
    source = warping.source(volume, points[:1])
    together = warping(source, points[1:])
    for i in range(3):
        close(together[i : i + 1], warping(source, points[i + 1 : i + 2]))
    each = warping.source(volume.expand(3, -1, -1, -1, -1), points[:1].expand(3, -1, -1))
    close(warping(each, points[1:]), together)


def test_batch_norm_is_folded() -> None:
    conv, norm = nn.Conv3d(3, 5, 3, padding=1), nn.BatchNorm3d(5).eval()
    for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert value is not None
        value.copy_(torch.rand(5) + 0.5)
    state = {f"c.{k}": v for k, v in conv.state_dict().items()}
    state |= {f"n.{k}": v for k, v in norm.state_dict().items()}
    x = torch.randn(2, 3, 4, 6, 5)
    close(F.conv3d(x, *folding.normed(state, "c", "n"), padding=1), norm(conv(x)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upsampled_convolution(scale: int) -> None:
    weight, bias, x = torch.randn(5, 3, 3, 3), torch.randn(5), torch.randn(2, 3, 4, 6)
    ours = UpsampledConv(3, 5, scale)
    state = folding.upsampled("u", [(weight, bias)])
    ours.load_state_dict({key.removeprefix("u."): value for key, value in state.items()})
    close(ours(x), F.conv2d(F.interpolate(x, scale_factor=scale), weight, bias, padding=1))


def test_upsampled_convolution_of_volumes() -> None:
    weight, bias, x = torch.randn(5, 3, 3, 3, 3), torch.randn(5), torch.randn(2, 3, 4, 1, 6)
    ours = UpsampledConv(3, 5, 2, depth=True)
    state = folding.upsampled("u", [(weight, bias)])
    ours.load_state_dict({key.removeprefix("u."): value for key, value in state.items()})
    close(ours(x), F.conv3d(F.interpolate(x, scale_factor=(1, 2, 2)), weight, bias, padding=1))


def test_planar_convolution() -> None:
    weight, bias, x = torch.randn(5, 3, 7, 7, 7), torch.randn(5), torch.randn(2, 3, 4, 8, 9)
    ours = PlanarConv3d(3, 5, 7)
    ours.planes.weight.copy_(weight.permute(2, 0, 1, 3, 4).flatten(0, 1))
    ours.bias.copy_(bias.reshape(-1, 1, 1, 1))
    close(ours(x), F.conv3d(x, weight, bias, padding=3))


def test_heat_maps() -> None:
    points = torch.rand(2, 4, 3) * 2.4 - 1.2
    close(heat_maps(points, (3, 8, 6)), plain.heat_maps(points, (3, 8, 6)))


@pytest.mark.parametrize("reach", [0.0, 0.3, 2.0])
def test_translation_is_sampling_axis_by_axis(reach: float) -> None:
    volume, shift = torch.randn(1, 2, 4, 8, 6), (torch.rand(2, 5, 3) * 2 - 1) * reach
    grid = plain.identity_grid((4, 8, 6), volume) + shift[:, :, None, None, None]
    wanted = F.grid_sample(volume.expand(10, -1, -1, -1, -1), grid.flatten(0, 1), align_corners=False)
    close(translated(volume, shift).flatten(0, 1), wanted)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (1, 9), (14, 7)])
def test_winograd(size: tuple[int, int], bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portrayal.neural.transformed.CHUNK", 2000)
    conv, x = nn.Conv2d(5, 7, 3, padding=1, bias=bias), torch.randn(2, 5, *size)
    close(WinogradConv(conv)(x), conv(x))
    close(WinogradConv(conv)(x.to(memory_format=torch.channels_last)), conv(x))


def test_winograd_of_volumes() -> None:
    conv, x = nn.Conv3d(5, 7, 3, padding=1), torch.randn(2, 5, 3, 10, 6)
    close(WinogradConv(conv)(x), conv(x))


def test_winograd_rounds_little() -> None:
    conv, x = nn.Conv2d(256, 64, 3, padding=1), torch.randn(1, 256, 32, 32)
    wanted = conv.double()(x.double()).float()
    assert outputs.error(WinogradConv(conv.float())(x), wanted.numpy()) < 2e-5


@pytest.mark.parametrize("shape", [(16, 64, 64), (3, 20, 5)])
def test_fourier(shape: tuple[int, int, int]) -> None:
    direct, x = PlanarConv3d(3, 4, 7), torch.randn(2, 3, *shape)
    direct.bias.copy_(torch.randn(4, 1, 1, 1))
    ours = FourierConv3d(direct)
    close(ours(x), direct(x))
    close(ours(x[:, :, :2]), direct(x[:, :, :2]))


def test_what_pays_is_transformed(monkeypatch: pytest.MonkeyPatch) -> None:
    build = KINDS["warping_module"].network
    state = tiny.plain_networks()["warping_module"].state_dict()
    monkeypatch.setattr("portrayal.neural.transformed.CHANNELS", 1)
    direct, ours = build(state), transformed(build(state))
    kinds = [type(part) for part in ours.modules()]
    assert kinds.count(WinogradConv) == 5 and kinds.count(FourierConv3d) == 1
    volume, points = torch.randn(1, 4, 2, 16, 16), torch.rand(2, 21, 3) * 2 - 1
    wanted = direct(direct.source(volume, points[:1]), points)
    close(ours(ours.source(volume, points[:1]), points), wanted)

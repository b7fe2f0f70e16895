"""TPSMM's networks as they are fast at work: equal to those that are trained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from golden.tpsmm.cases import network, seeded, smooth, uniform
from portrayal.engines.tpsmm import networks
from portrayal.engines.tpsmm.checkpoint import Checkpoint
from portrayal.engines.tpsmm.folding import UpsampledBlock, for_processor, without_batch_norms
from portrayal.engines.tpsmm.inference import Inference
from portrayal.neural.convolution import RowwiseConv2d, UpsampledConv
from portrayal.neural.transformed import WinogradConv


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def close(actual: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(actual, wanted, rtol=0, atol=tolerance)


def kinds(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(part, kind) for part in model.modules())


@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_of_repeated_pixels_and_by_rows(bias: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 7, 9)
    conv = nn.Conv2d(5, 3, 3, padding=1, bias=bias)
    close(UpsampledConv.of(conv)(x), conv(F.interpolate(x, scale_factor=2.0)))
    conv = nn.Conv2d(5, 2, 7, padding=3, bias=bias)
    close(RowwiseConv2d(conv)(x), conv(x))
    close(RowwiseConv2d(conv)(x.to(memory_format=torch.channels_last)), conv(x))


@pytest.mark.parametrize("name", ["kp_detector", "bg_predictor"])
def test_batch_norms_are_part_of_the_convolutions(name: str) -> None:
    model = network(name)
    folded = without_batch_norms(model)
    assert kinds(folded, nn.BatchNorm2d) == 0 and kinds(model, nn.BatchNorm2d) == 20
    pictures = [smooth("a", 1, 128)] * (2 if name == "bg_predictor" else 1)
    close(folded(*pictures), model(*pictures), 2e-6)


def test_networks_for_processors_paint_the_same() -> None:
    dense = seeded(networks.DenseMotionNetwork(expansion=8, most=32))
    painting = seeded(networks.InpaintingNetwork(expansion=16, most=64))
    fast, direct, winograd = for_processor(dense), for_processor(painting), for_processor(painting, True)
    assert kinds(fast, UpsampledBlock) == 7 and kinds(fast, RowwiseConv2d) == 5
    assert kinds(direct, UpsampledBlock) == 3 and kinds(direct, WinogradConv) == 0
    assert kinds(winograd, WinogradConv) == 15
    assert kinds(dense, UpsampledBlock) == kinds(painting, RowwiseConv2d) == 0
    source, points = smooth("source", 1, 256), uniform("points", 2, 50, 2) * 1.6 - 0.8
    wanted, motion = (model(source, points[:1], points[1:]) for model in (dense, fast))
    close(motion.flow, wanted.flow)
    for ours, theirs in zip(motion.trust, wanted.trust, strict=True):
        close(ours, theirs)
    features = painting.encode(source)
    picture = painting(source, features, wanted)
    close(direct(source, features, wanted), picture)
    for ours, theirs in zip(winograd.encode(source), features, strict=True):
        close(ours, theirs, 1e-4)
    close(winograd(source, features, wanted), picture)


def test_what_is_trained_stays_as_it_is() -> None:
    model = seeded(networks.InpaintingNetwork(expansion=16, most=32)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fast = for_processor(model, winograd=True)
    for value in fast.parameters():
        value.zero_()
    assert model.training
    for key, value in model.state_dict().items():
        close(value, before[key], 0)


def tiny(overflow: bool = False) -> Checkpoint:
    widths = (4, 4, 8, 8)
    checkpoint = Checkpoint(
        seeded(networks.KeypointDetector(3, widths)),  # type: ignore[arg-type]
        seeded(networks.DenseMotionNetwork(3, expansion=4, blocks=5, most=8)),  # type: ignore[arg-type]
        seeded(networks.InpaintingNetwork(expansion=4, most=8)),  # type: ignore[arg-type]
        seeded(networks.BackgroundPredictor(widths)),  # type: ignore[arg-type]
        None,
    )
    if overflow:
        checkpoint.inpainting.resblock[0].conv2.weight.fill_(1e5)
    return checkpoint


def test_half_precision_is_near_and_places_stay_precise() -> None:
    checkpoint, cpu = tiny(), torch.device("cpu")
    picture = (smooth("half", 1, 256)[0].permute(1, 2, 0).numpy() * 255).astype("uint8")
    full, half = Inference(checkpoint, cpu, torch.float32), Inference(checkpoint, cpu, torch.bfloat16)
    source, rough = full.source(picture), half.source(picture)
    close(rough.points, source.points, 0)
    points = torch.cat([source.points, source.points + 0.05])
    painted = half.draw(rough, points)
    assert painted.dtype == torch.float32
    difference = (painted - full.draw(source, points)).abs()
    assert 0 < difference.mean() < 0.01


def test_what_overflows_is_painted_again_in_full() -> None:
    checkpoint, cpu = tiny(overflow=True), torch.device("cpu")
    picture = (smooth("half", 1, 256)[0].permute(1, 2, 0).numpy() * 255).astype("uint8")
    full, half = Inference(checkpoint, cpu, torch.float32), Inference(checkpoint, cpu, torch.float16)
    source, rough = full.source(picture), half.source(picture)
    with pytest.warns(UserWarning, match="fp32 from here"):
        first = half.draw(rough, rough.points)
    close(first, full.draw(source, source.points), 1e-6)
    close(half.draw(rough, rough.points), first, 0)

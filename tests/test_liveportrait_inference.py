"""LivePortrait's networks at work: batches, precisions, devices."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from golden.liveportrait import tiny
from portrayal.engines.liveportrait.checkpoint import Checkpoint, load_checkpoint
from portrayal.engines.liveportrait.inference import Inference
from portrayal.errors import UsageError
from portrayal.neural.device import device_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("weights")
    tiny.write_pth(folder, tiny.plain_networks())
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


def on_cpu(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Inference:
    return Inference(checkpoint, torch.device("cpu"), dtype)


def rendered(inference: Inference, pictures: np.ndarray) -> np.ndarray:
    """The first picture with the keypoints of all."""
    points = inference.motion(pictures).keypoints
    return inference.render(inference.source(pictures[0], points[:1]), points).astype(int)


def test_motion_and_frames(checkpoint: Checkpoint, pictures: np.ndarray) -> None:
    inference = on_cpu(checkpoint)
    motion = inference.motion(pictures)
    heads = checkpoint.motion(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    assert motion.expression.shape == (5, 21, 3)
    np.testing.assert_allclose(motion.expression, heads["exp"], atol=1e-5)
    np.testing.assert_allclose(motion.angles[:, 1], heads["yaw"], atol=1e-3)
    np.testing.assert_allclose(motion.scale, heads["scale"][:, 0], atol=1e-5)
    frames = rendered(inference, pictures)
    assert frames.shape == (5, 128, 128, 3) and frames.std() > 5
    assert not (frames[0] == frames[1]).all()


def test_batches_change_nothing(checkpoint: Checkpoint, pictures: np.ndarray) -> None:
    inference = on_cpu(checkpoint)
    points = inference.motion(pictures).keypoints
    source = inference.source(pictures[0], points[:1])
    together = inference.render(source, points).astype(int)
    for i in range(5):
        assert abs(inference.render(source, points[i : i + 1])[0] - together[i]).max() <= 1


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1.0), (torch.bfloat16, 4.0)])
def test_half_precision(
    dtype: torch.dtype, tolerance: float, checkpoint: Checkpoint, pictures: np.ndarray
) -> None:
    exact, half = on_cpu(checkpoint), on_cpu(checkpoint, dtype)
    assert (half.motion(pictures[:2]).expression == exact.motion(pictures[:2]).expression).all()
    difference = abs(rendered(half, pictures[:2]) - rendered(exact, pictures[:2]))
    assert 0 < difference.mean() < tolerance


@pytest.mark.parametrize("layer", ["warping.fourth", "generator.last"])
def test_overflow_is_rendered_again(layer: str, checkpoint: Checkpoint, pictures: np.ndarray) -> None:
    checkpoint = copy.deepcopy(checkpoint)
    network, name = layer.split(".")
    for parameter in getattr(getattr(checkpoint, network), name).parameters():
        parameter *= 1e7
    exact, half = on_cpu(checkpoint), on_cpu(checkpoint, torch.float16)
    with pytest.warns(UserWarning, match="half precision overflows") as told:
        first = rendered(half, pictures[:2])
        second = rendered(half, pictures[:2])
    assert len(told) == 1
    wanted = rendered(exact, pictures[:2])
    assert abs(first - wanted).max() <= 1 and abs(second - wanted).max() <= 1


def test_small_networks_are_functions_of_arrays(checkpoint: Checkpoint) -> None:
    networks = on_cpu(checkpoint).retargeting
    rest, points = np.random.default_rng(0).random((2, 3, 21, 3), dtype=np.float32)
    assert networks.stitched(rest[:1], points).shape == (3, 21, 3)
    answer = checkpoint.lips(torch.from_numpy(np.concatenate([rest[0].ravel(), [0.2, 0.1]]))[None].float())
    ours = networks.lips_to(rest[:1], np.float32([0.2]), np.float32([0.1]))
    np.testing.assert_allclose(ours.reshape(1, -1), answer, atol=1e-6)


def test_devices() -> None:
    assert device_of("cpu").type == "cpu"
    for name in ("quantum", "cuda:99"):
        with pytest.raises(UsageError, match=f"--device: '{name}' is not there"):
            device_of(name)

"""Training TPSMM: the published losses and gradients, data by seed, checkpoints that go on to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import Ran, swaying
from golden.tpsmm.cases import GOLDEN, PUBLISHED, normal, seeded, smooth, uniform
from portrayal.engines.tpsmm.checkpoint import load_checkpoint
from portrayal.engines.tpsmm.training.config import CONFIGS, dropout
from portrayal.engines.tpsmm.training.data import Pairs, augmented, grouped
from portrayal.engines.tpsmm.training.losses import Draws, TrainedModel
from portrayal.engines.tpsmm.training.state import State
from portrayal.engines.tpsmm.training.trainer import generator_of
from portrayal.engines.tpsmm.training.vgg import Vgg19, plain_features
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image, write_image
from portrayal.media.write import write_video

TRAINED = ("kp_detector", "dense_motion_network", "inpainting_network", "bg_predictor")


@pytest.mark.parametrize("epoch", [0, 50])
def test_losses_and_gradients_are_the_published_ones(epoch: int) -> None:
    with np.load(GOLDEN / "losses.npz") as file:
        case = dict(file)
    nets = [seeded(PUBLISHED[name]()).train() for name in TRAINED]
    keep = (uniform("ls_drop", 2, 11) < 0.9)[:, 1:] if epoch == 0 else None
    draws = Draws(keep, normal("ls_affine", 2, 2, 3), normal("ls_tps", 2, 1, 25)[:, 0])
    model = TrainedModel(*nets, seeded(Vgg19()))
    losses, predicted = model(smooth("ls_source", 2, 256), smooth("ls_driving", 2, 256), draws, epoch == 50)
    values = np.array([float(loss.detach()) for loss in losses.values()])
    np.testing.assert_allclose(values, case[f"e{epoch}_losses"], rtol=1e-4)
    np.testing.assert_allclose(
        predicted.detach()[..., ::8, ::8].numpy(), case[f"e{epoch}_prediction_s8"], atol=2e-4
    )
    if epoch == 0:
        return  # gradients of the same losses are compared at the other epoch
    parameters = [list(net.parameters()) for net in nets]
    flat = [p for group in parameters for p in group]
    norms = []
    for loss in losses.values():
        gradients = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True))
        squares = [
            sum(float((g**2).sum()) for g in [next(gradients) for _ in group] if g is not None)
            for group in parameters
        ]
        norms.append(np.sqrt(squares))
    wanted = case[f"e{epoch}_gradnorm_kp_dense_inpaint_bg"]
    np.testing.assert_allclose(norms, wanted, rtol=1e-2, atol=1e-6)


def test_the_dropout_schedule() -> None:
    assert [dropout(CONFIGS["vox"], epoch) for epoch in (0, 10, 34, 35)] == pytest.approx([0.1, 0.3, 0.3, 0])
    assert dropout(CONFIGS["ted"], 5) == pytest.approx(0.25)
    kept = Draws.of(1000, 10, 0.3, torch.Generator().manual_seed(0)).keep
    assert kept is not None and abs(float(kept.float().mean()) - 0.7) < 0.02


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Path:
    """A video and a folder of frames of one identity, and another video."""
    folder = tmp_path_factory.mktemp("clips") / "train"
    folder.mkdir(parents=True)
    face = np.ascontiguousarray(read_image(media / "hopper.png").rgb[:256])
    write_video(folder / "a#1.mp4", swaying(face, 8), Fraction(8), quality=100)
    write_video(folder / "b#1.mp4", swaying(face[::-1].copy(), 8), Fraction(8), quality=100)
    (folder / "a#2").mkdir()
    for i, rgb in enumerate(swaying(face, 4)):
        write_image(folder / "a#2" / f"{i}.png", rgb)
    return folder.parent


def test_pairs_follow_from_the_seed_alone(clips: Path) -> None:
    config = CONFIGS["vox"]
    pairs, again = Pairs(clips, config, 64, seed=1), Pairs(clips, config, 64, seed=1)
    assert pairs.per_epoch == 2 * config.repeats  # two identities
    for index in (0, 7, pairs.per_epoch + 3):
        source, driving = pairs[index]
        assert source.shape == driving.shape == (3, 64, 64)
        assert float(source.min()) >= 0 and float(source.max()) <= 1
        torch.testing.assert_close((source, driving), again[index], rtol=0, atol=0)
    other = Pairs(clips, config, 64, seed=2)
    assert any(not torch.equal(pairs[i][0], other[i][0]) for i in range(3))
    assert len(grouped([Path("a#1"), Path("a#2"), Path("b")], identities=True)) == 2
    assert len(grouped([Path("a#1"), Path("a#2"), Path("b")], identities=False)) == 3


def test_both_frames_are_changed_alike(media: Path) -> None:
    rgb = read_image(media / "hopper.png").rgb
    seen = set()
    for seed in range(6):
        for name in ("vox", "mgif"):
            a, b = augmented([rgb, rgb], 64, CONFIGS[name], np.random.default_rng(seed))
            np.testing.assert_array_equal(a, b)
            seen.add(a.tobytes())
    assert len(seen) == 12


def test_training_goes_on_to_the_bit(command: Callable[..., Ran], clips: Path) -> None:
    base = ("train", "tpsmm", "--data", clips, "--size", 256, "--expansion", 4, "--batch", 2, "--repeats", 2)
    ran = command(*base, "--epochs", 2, "--out", "whole")
    assert (ran.status, ran.out.strip()) == (0, "whole/latest.pth.tar")
    assert ran.err.count("epoch 0") == 2 and "perceptual" in ran.err
    assert command(*base, "--epochs", 1, "--out", "parts", "--quiet").status == 0
    assert "already exists" in command(*base, "--epochs", 2, "--out", "parts").err
    assert command(*base, "--epochs", 2, "--out", "parts", "--resume", "--quiet").status == 0
    whole, parts = (torch.load(f"{name}/latest.pth.tar", weights_only=True) for name in ("whole", "parts"))
    for name in TRAINED:
        for key, value in whole[name].items():
            torch.testing.assert_close(parts[name][key], value, rtol=0, atol=0)
    torch.testing.assert_close(parts["optimizer"]["state"], whole["optimizer"]["state"], rtol=0, atol=0)
    assert load_checkpoint("whole/latest.pth.tar").avd is None
    avd = (*base, "--stage", "avd", "--epochs", 1, "--out", "whole", "--quiet")
    assert command(*avd).status == 0
    assert load_checkpoint("whole/latest.pth.tar").avd is not None


def test_pictures_for_tensorboard(command: Callable[..., Ran], clips: Path) -> None:
    base = ("--size", 128, "--expansion", 4, "--batch", 2, "--repeats", 2, "--epochs", 1, "--out", "seen")
    ran = command("train", "tpsmm", "--data", clips, *base)
    assert ran.status == 0 and "step 2/2" in ran.err and "0:00:00 left" in ran.err
    events = EventAccumulator("seen/tensorboard").Reload()
    assert [event.step for event in events.Scalars("loss/perceptual")] == [1, 2]
    (picture,) = events.Images("source, driving, prediction, difference")
    shown = cv2.imdecode(np.frombuffer(picture.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (2 * 128, 4 * 128, 3)
    _, driving, made, difference = np.hsplit(shown.astype(int), 4)
    assert driving.std() > 5 and np.abs(np.abs(driving - made) - difference).max() <= 1


def test_two_processes_train_as_one_model(clips: Path, tmp_path: Path) -> None:
    """Each takes its share of a step; what is written went along the mean of their gradients."""
    arguments = [
        "--standalone", "--nproc-per-node", "2", "-m", "portrayal", "train", "tpsmm", "--data", clips,
        "--config", "mgif", "--size", "128", "--expansion", "4", "--batch", "2", "--repeats", "2",
        "--epochs", "1", "--out", tmp_path / "two",
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *arguments],
        capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stderr.count("epoch 0  step 1/1") == 1
    config = replace(CONFIGS["mgif"], repeats=2)
    pairs = Pairs(clips, config, 128, 0)
    nets = State.fresh(4, False, 0).networks
    before = {key: value.clone() for key, value in nets["kp_detector"].named_parameters()}
    model = TrainedModel(*(nets[name].train() for name in TRAINED[:3]), None, plain_features)
    for rank in (0, 1):
        source, driving = (
            torch.stack(part) for part in zip(*(pairs[2 * rank + i] for i in (0, 1)), strict=True)
        )
        draws = Draws.of(2, model.dense_motion.splines, dropout(config, 0), generator_of(0, 0, 0, rank))
        losses, _ = model(source, driving, draws, False)
        torch.stack(list(losses.values())).sum().backward()
    made = torch.load(tmp_path / "two" / "latest.pth.tar", weights_only=True)["kp_detector"]
    agreed = [
        (torch.sign(before[key] - made[key]) == torch.sign(value.grad))[value.grad.abs() > 1e-4]
        for key, value in nets["kp_detector"].named_parameters()
    ]
    assert len(torch.cat(agreed)) > 1000 and torch.cat(agreed).float().mean() > 0.99


def test_requests_that_cannot_be_met(command: Callable[..., Ran], clips: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for arguments, said in (
        (("tpsmm", "--data", tmp_path / "empty"), "no videos"),
        (("tpsmm", "--data", "missing"), "no folder"),
        (("puppet", "--data", clips), "cannot be trained"),
        (("tpsmm", "--data", clips, "--batch", 500), "--batch"),
        (("tpsmm", "--data", clips, "--batch", 2, "--vgg", tmp_path / "other.pth"), "vgg19"),
    ):  # fmt: skip
        ran = command("train", *arguments)
        assert ran.status != 0 and said in ran.err and ran.err.count("\n") == 1
    with pytest.raises(PortrayalError, match="vgg19"):
        Vgg19.load(tmp_path / "other.pth")

"""From files on the disk to frames: found, planned, read, changed by a LoRA, placed and run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import wan_networks
from portrayal import UsageError
from portrayal.engines.wananimate.assembly import Model
from portrayal.engines.wananimate.conditions import Condition
from portrayal.engines.wananimate.plan import GB, Machine, Plan, Work
from portrayal.engines.wananimate.segments import Prompt, Segments, Settings

MACHINE = Machine(None, 0, 100 * GB, cores=2)
WORK = Work(32, 32, 9, segment=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wan_networks.write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def _frames(model: Model, plan: Plan, words: torch.Tensor) -> np.ndarray:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (32, 32, 3), np.uint8)
    conditions = [
        Condition(rng.integers(0, 256, (32, 32, 3), np.uint8), rng.integers(0, 256, (16, 16, 3), np.uint8))
        for _ in range(WORK.frames)
    ]
    with model.networks(plan) as networks:
        made = Segments(networks, Prompt(words), reference, Settings(steps=2, length=5))
        return torch.cat(list(made(conditions)), dim=1).numpy()


def test_from_files_to_frames(folder: Path, tmp_path: Path) -> None:
    model = Model.find(str(folder), device="cpu")
    plan = model.plan(WORK, MACHINE)
    assert plan.weights == "bf16" and plan.work.copied  # the file is in float32
    words, same, other = model.words(plan, "one dances", " one\n dances ", "one")
    assert words.shape == (1, 512, 32) and torch.equal(words, same) and not torch.equal(words, other)
    assert words[0, 2:].abs().max() == 0 and words[0, 1].abs().min() > 0
    frames = _frames(model, plan, words)
    assert frames.shape == (3, 9, 32, 32) and np.isfinite(frames).all() and frames.std() > 0.01
    waiting = _frames(model, replace(plan, offload="blocks"), words)
    assert np.abs(waiting - frames).max() < 0.01

    name = "blocks.9.ffn.2"
    file = tmp_path / "lora.safetensors"
    save_file({f"{name}.lora_A.weight": torch.ones(4, 96), f"{name}.lora_B.weight": torch.ones(64, 4)}, file)
    changed = _frames(Model.find(str(folder), loras=((file, 1.0),), device="cpu"), plan, words)
    assert np.abs(changed - frames).max() > 0.05


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match="2 GPUs are asked for, and 1 is there"):
        Model.find(str(folder), device="cpu", cards=2)
    with pytest.raises(UsageError, match="--device: 'tpu:9' is not there"):
        Model.find(str(folder), device="tpu:9")
    gguf = Model.find(str(folder), transformer=str(folder / "model.gguf"), device="cpu")
    (folder / "model.gguf").write_bytes(b"GGUF" + bytes(1000))
    assert gguf.plan(WORK, MACHINE).work.quantised == 1004

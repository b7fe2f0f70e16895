"""Wan-Animate from the command line to the file, on tiny networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wan_networks
from conftest import Ran, voice, wav
from portrayal import Driving, Portrait, UsageError, load_engine
from portrayal.media.video import VideoReader

TINY = ("--pixels", 3072, "--segment", 5, "--steps", 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wan_networks.write_checkpoint(tmp_path_factory.mktemp("wan"))


def test_a_video_drives_a_portrait(command: Callable[..., Ran], media: Path, weights: Path) -> None:
    ran = command(
        "animate", media / "hopper.png", media / "talk.mp4", "--engine", "wananimate", "--weights", weights,
        *TINY, "--mode", "animate", "-o", "out.mp4",
    )  # fmt: skip
    assert (ran.status, ran.out.strip()) == (0, "out.mp4"), ran.err
    talk, out = VideoReader(media / "talk.mp4"), VideoReader("out.mp4")
    assert out.fps == talk.fps and len(list(out)) == len(list(talk))
    width, height = Portrait.open(media / "hopper.png").size
    got = next(iter(out)).shape
    assert got[0] % 16 == got[1] % 16 == 0 and abs(got[0] / got[1] - height / width) < 0.35


def test_the_seed_and_both_modes(media: Path, weights: Path) -> None:
    engine = load_engine("wananimate")
    portrait, driving = Portrait.open(media / "hopper.png"), Driving.open(media / "talk.mp4")

    def made(**options: Any) -> np.ndarray:
        tiny = {"weights": str(weights), "pixels": 3072, "segment": 5, "steps": 1}
        return np.stack(list(engine.animate(portrait, driving, **(tiny | options))))

    one = made(seed=1)
    np.testing.assert_array_equal(one, made(seed=1))
    assert np.abs(one.astype(int) - made(seed=2)).mean() > 1
    replaced = made(seed=1, mode="replace")
    assert replaced.shape[0] == one.shape[0]
    clip = engine.animate(portrait, driving, mode="replace", pixels=3072, weights=str(weights))
    assert clip.size == (replaced.shape[2], replaced.shape[1])


def test_what_has_no_pictures_is_acted(media: Path, weights: Path, command: Callable[..., Ran]) -> None:
    Path("voice.wav").write_bytes(wav(voice(0.4)))
    ran = command(
        "animate", media / "hopper.png", "voice.wav", "--engine", "wananimate", "--weights", weights,
        *TINY, "-o", "said.mp4",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert 9 <= len(list(VideoReader("said.mp4"))) <= 13


def test_requests_that_cannot_be_met(
    command: Callable[..., Ran], media: Path, weights: Path, tmp_path: Path
) -> None:
    base = ("animate", media / "hopper.png", media / "talk.mp4", "--engine", "wananimate")
    missing = command(*base)
    assert missing.status == 1 and "portrayal download wananimate" in missing.err and "GB" in missing.err
    assert command(*base, "--weights", weights, "--segment", "6").status == 2
    assert "--gpus" in command(*base, "--weights", weights, "--gpus", "9").err
    fast = command(*base, "--weights", weights, "--fast", "auto")
    assert fast.status == 1 and "wananimate-4steps" in fast.err
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    lora = command(*base, "--weights", weights, "--lora", tmp_path / "no.safetensors", *TINY)
    assert lora.status == 1 and "no.safetensors" in lora.err and lora.err.count("\n") == 1
    with pytest.raises(UsageError, match="pixels"):
        load_engine("wananimate").options(pixels=10)

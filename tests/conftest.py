"""Media that the tests make themselves, and the command line as a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from pydantic import Field

from portrayal import Driving, Engine, EngineInfo, EngineOptions, Portrait
from portrayal import engines as registry
from portrayal.media.audio import Waveform
from portrayal.media.image import read_image, write_image
from portrayal.media.write import write_video

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from portrayal.app.jobs import Jobs

# Threads that wait for work should not take the processor from those that have some.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # of the processes that run tests side by side, each has one core
    os.environ.setdefault("OMP_NUM_THREADS", "1")
Rgb = np.ndarray
RATE = 16000


@dataclass(frozen=True)
class Ran:
    """What a run of the command line left behind."""

    status: int
    out: str
    err: str


class BarsOptions(EngineOptions):
    sliders: ClassVar = ("bar_shift",)
    edits: ClassVar = ("bar_height", "bar_shift")

    bar_height: int = Field(4, ge=1, le=64, description="How high the bar is, in pixels")
    bar_ink: Literal["red", "blue"] = Field("red", description="Its colour")
    bar_shift: float = Field(0, ge=0, le=1, description="How much longer it is")


class Bars(Engine):
    """Draws a bar as long as the mouth is open: an engine as small as one can be."""

    info = EngineInfo("bars", "a bar for the jaw", "motion", "Apache-2.0", commercial="yes")
    Options = BarsOptions

    def render(self, portrait: Portrait, driving: Driving, options: BarsOptions) -> Iterator[Rgb]:
        for frame in driving.motion:
            rgb = portrait.rgb.copy()
            shift = options.bar_shift + frame.sliders.get("bar_shift", 0)
            length = round((options.strength * frame.coefficients[17] + shift) * rgb.shape[1])
            rgb[: options.bar_height] = 0
            rgb[: options.bar_height, :length, 0 if options.bar_ink == "red" else 2] = 255
            yield rgb


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """The command line, run in an empty folder, with the engine `bars`; what C++ writes to stderr counts."""
    from portrayal.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registered", {"bars": Bars})

    def run(*arguments: object) -> Ran:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """A queue whose worker runs nothing."""
    from app_support import Told
    from portrayal.app.jobs import Jobs, Limits

    made = Jobs(tmp_path / "data", Limits(per_owner=2, upload=1_000_000), Told())
    yield made
    made.close()


@pytest.fixture
def api(jobs: Jobs) -> Iterator[TestClient]:
    """The server of these jobs, as one of its users sees it."""
    from starlette.testclient import TestClient

    from app_support import ANNA, HERE, as_owner
    from portrayal.app.server import build

    with TestClient(build(jobs), base_url=HERE, headers=as_owner(ANNA)) as client:
        yield client


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hopper.png, talk.mp4 (her face moving about, with sound), voice.wav and scenery.mp4."""
    folder = tmp_path_factory.mktemp("media")
    hopper = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False)).rgb
    face = cv2.resize(hopper[:520], (256, 260), interpolation=cv2.INTER_AREA)
    write_image(folder / "hopper.png", face)
    write_video(folder / "talk.mp4", swaying(face, 12), Fraction(12), audio=voice(1.0))
    write_video(folder / "scenery.mp4", (scenery(i) for i in range(12)), Fraction(12))
    (folder / "voice.wav").write_bytes(wav(voice(0.8)))
    return folder


def swaying(rgb: Rgb, count: int) -> Iterator[Rgb]:
    height, width = rgb.shape[:2]
    for i in range(count):
        shift = np.float32([[1, 0, 6 * np.sin(i / 2)], [0, 1, 3 * np.cos(i / 2)]])
        yield cv2.warpAffine(rgb, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)


def scenery(i: int, size: int = 128) -> Rgb:
    y, x = np.mgrid[:size, :size]
    return np.stack([(x + i) % 256, y, (x + y) // 2], -1).astype(np.uint8)


def voice(seconds: float) -> Waveform:
    """Something like vowels: harmonics of 140 Hz that swell four times a second."""
    t = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 140 * n * t) / n for n in range(1, 12))
    return Waveform((0.15 * tone * np.sin(4 * np.pi * t) ** 2).astype(np.float32), RATE)


def wav(sound: Waveform) -> bytes:
    import io
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sound.rate)
        writer.writeframes((sound.samples(sound.rate) * 32767).astype("<i2").tobytes())
    return file.getvalue()

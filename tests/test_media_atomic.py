"""Targets are whole or not at all: nothing half written, nothing overwritten, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from media_samples import NAMES, Rgb, count_to, numbered, numbers, tone
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import Waveform
from portrayal.media.image import write_image
from portrayal.media.video import VideoReader
from portrayal.media.write import check_target, write_video

FPS = Fraction(25)
TARGETS = ["a.mp4", "a.webm", "a.gif", "folder", "folder/%03d.png"]


def never() -> Iterator[Rgb]:
    raise AssertionError("a frame was taken")
    yield


def breaking(error: BaseException) -> Iterator[Rgb]:
    yield from count_to(30)
    raise error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), RuntimeError("in the engine")], ids=repr
)
@pytest.mark.parametrize("target", TARGETS)
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, target: str, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        write_video(tmp_path / target, breaking(error), FPS, audio=Waveform(tone(2, 16000), 16000))
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_interrupted_run_keeps_what_was_there(tmp_path: Path, target: str) -> None:
    path = tmp_path / target
    write_video(path, count_to(8), FPS)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(KeyboardInterrupt):
        write_video(path, breaking(KeyboardInterrupt()), FPS, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    with pytest.raises(PortrayalError, match="already exists"):
        write_video(path, never(), FPS)
    write_video(path, count_to(4), FPS, overwrite=True)
    assert numbers(VideoReader(path, fps=FPS)) == [0, 1, 2, 3]


@pytest.mark.parametrize("target", TARGETS)
def test_a_run_without_frames_is_an_error_and_leaves_nothing(tmp_path: Path, target: str) -> None:
    with pytest.raises(PortrayalError, match="there are no frames to write"):
        write_video(tmp_path / target, [], FPS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["a.mp4", "a.gif", "folder", "folder/%05d.png"])
def test_what_appears_while_working_is_not_overwritten(tmp_path: Path, target: str) -> None:
    rival = tmp_path / ("folder/00001.png" if target.startswith("folder") else target)

    def frames() -> Iterator[Rgb]:
        yield from count_to(3)
        rival.parent.mkdir(exist_ok=True)
        rival.write_text("somebody else's")

    with pytest.raises(PortrayalError, match="already exists"):
        write_video(tmp_path / target, frames(), FPS)
    assert rival.read_text() == "somebody else's"
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [rival]


def test_a_file_system_without_hard_links_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: object, target: object) -> None:
        raise PermissionError(1, "Operation not permitted", source, None, target)

    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "a.png"
    write_image(path, numbered(1))
    with pytest.raises(PortrayalError, match=r"a\.png: already exists"):
        write_image(path, numbered(2))
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_pictures_take_the_place_of_a_longer_sequence_and_of_nothing_else(tmp_path: Path) -> None:
    write_video(tmp_path / "folder", count_to(9), FPS)
    (tmp_path / "folder" / "notes.txt").write_text("kept")
    write_video(tmp_path / "folder", count_to(3), FPS, overwrite=True)
    assert sorted(file.name for file in (tmp_path / "folder").iterdir()) == [
        "00000.png", "00001.png", "00002.png", "notes.txt",
    ]  # fmt: skip


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("real.png")
    write_image(tmp_path / "link.png", numbered(5))
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "real.png").is_file()


def test_wrong_targets_are_errors_before_work(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe.mp4")
    for target, message in {
        "folder.mp4": "is a folder",
        "missing/a.mp4": "the folder .*missing does not exist",
        "missing/more/%d.png": "the folder .*missing does not exist",
        "file/a.mp4": "is not a folder",
        "pipe.mp4": "not a regular file",
        "x" * 300 + ".mp4": "file name too long",
        "x\0.mp4": "null",
    }.items():
        for call in (check_target, lambda path: write_video(path, never(), FPS)):
            with pytest.raises(PortrayalError, match=message) as raised:
                call(tmp_path / target)
            assert "\n" not in str(raised.value)
    for target in ("a.mkv", "a.mp5"):
        with pytest.raises(UsageError, match=r"\.mp4, \.webm, \.gif or a folder"):
            check_target(tmp_path / target)


def test_a_folder_that_may_not_be_written_to_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    for target in TARGETS:
        with pytest.raises(PortrayalError, match="is not writable"):
            check_target(tmp_path / target)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(f"{name}.{suffix}", count_to(3), FPS)
    assert [file.name for file in tmp_path.iterdir()] == [f"{name}.{suffix}"]
    assert numbers(VideoReader(f"{name}.{suffix}")) == [0, 1, 2]


FULL = """
import resource, sys
import numpy as np
from fractions import Fraction
from portrayal.errors import PortrayalError
from portrayal.media.audio import Waveform
from portrayal.media.write import write_video

noise = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
hum = Waveform(noise.reshape(-1)[:16000].astype(np.float32) / 255 - 0.5, 16000)
for target, limit in zip(sys.argv[1::2], sys.argv[2::2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    try:
        write_video(target, (noise[i % 8] for i in range(25)), Fraction(25), audio=hum)
    except PortrayalError as error:
        print(error)
"""


def test_a_full_disk_is_an_error_of_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files fails at the same write on every machine."""
    whole = tmp_path / "whole.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
    hum = Waveform(noise.reshape(-1)[:16000].astype(np.float32) / 255 - 0.5, 16000)
    write_video(whole, (noise[i % 8] for i in range(25)), FPS, audio=hum)
    size = whole.stat().st_size
    limits = [("a.mp4", n) for n in (0, 1000, size // 2, size - 500)]
    limits += [(name, n) for name in ("b.webm", "c.gif", "d") for n in (0, 1000, 5000)]
    folder = tmp_path / "folder"
    folder.mkdir()
    arguments = [str(each) for pair in limits for each in pair]
    ran = subprocess.run(
        [sys.executable, "-c", FULL, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.splitlines() == [f"{name}: no space left on device" for name, _ in limits], ran.stderr
    assert list(folder.iterdir()) == []

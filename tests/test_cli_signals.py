"""Runs that are stopped, and readers that go away: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

#: A command line with an engine that never ends, and says when it is at work.
ENDLESS = """
import sys, time
from dataclasses import replace
import portrayal
from conftest import Bars
from portrayal.cli import main

class Endless(Bars):
    info = replace(Bars.info, name="endless")

    def render(self, portrait, driving, options):
        while True:
            yield portrait.rgb
            sys.stdout.write("x")
            sys.stdout.flush()
            time.sleep(0.02)

portrayal.register_engine(Endless)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def endless(media: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command line at work on out.mp4 and its sheet, with frames written already."""
    (tmp_path / "out.mp4").write_text("an older result")
    call = ["animate", str(media / "hopper.png"), str(media / "talk.mp4"), "--engine", "endless"]
    call += ["-o", "out.mp4", "--overwrite", "--sheet", "sheet.png"]
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *call], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in a shell's background
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.read(5) == b"xxxxx"
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_stopped_leaves_nothing(
    endless: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    assert any(".part" in each.name for each in tmp_path.iterdir())
    endless.send_signal(number)
    _, said = endless.communicate(timeout=30)
    assert endless.returncode == status
    assert said.decode() == f"error: stopped by {number.name}\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text() == "an older result"


def test_more_signals_do_not_stop_the_cleaning_up(endless: subprocess.Popen[bytes], tmp_path: Path) -> None:
    for _ in range(50):
        endless.send_signal(signal.SIGINT)
        time.sleep(0.001)
    _, said = endless.communicate(timeout=30)
    assert (endless.returncode, said) == (130, b"error: stopped by SIGINT\n")
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]


def test_a_reader_that_goes_away_is_no_error(media: Path, tmp_path: Path) -> None:
    """`portrayal track ... | true`: the file is there, and nobody complains."""
    read, write = os.pipe()
    os.close(read)
    call = [sys.executable, "-m", "portrayal", "track", str(media / "talk.mp4")]
    ran = subprocess.run(call, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (tmp_path / "talk.npz").exists()


def test_progress_is_shown_on_a_terminal_only(media: Path, tmp_path: Path) -> None:
    for options, shown in (([], True), (["--quiet"], False)):
        own, terminal = os.openpty()
        call = [sys.executable, "-m", "portrayal", "track", str(media / "talk.mp4"), "--overwrite", *options]
        ran = subprocess.run(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        said = _read(own)
        assert (ran.returncode, ran.stdout) == (0, b"talk.npz\n"), said
        assert (b"12/12" in said) is shown and (b"fps" in said) is shown, said


def _read(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not block:
            break
        said += block
    os.close(terminal)
    return said

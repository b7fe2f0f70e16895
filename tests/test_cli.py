"""The command line: what one types, what comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from portrayal import Motion, UsageError
from portrayal.cli import options
from portrayal.cli.commands import COMMANDS
from portrayal.media.audio import AudioTrack
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader
from portrayal.motion import SHAPES

Command = Callable[..., object]
FAST = ("--engine", "bars", "--size", 128)


def jaws(path: Path, count: int = 10, fps: Fraction = Fraction(10)) -> Path:
    """A motion whose mouth opens from 0 to 0.9."""
    coefficients = np.zeros((count, len(SHAPES)), np.float32)
    coefficients[:, SHAPES.index("jawOpen")] = np.arange(count) / 10
    Motion.from_coefficients(fps, coefficients).save(path)
    return path


def bar(rgb: np.ndarray, channel: int = 0) -> float:
    """The share of the top row that is red."""
    return float((rgb[1, :, channel] > 128).mean())


def without_heavy(arguments: list[str], heavy: set[str]) -> str:
    """What a command of its own process prints, which must not import any of `heavy`."""
    code = (
        f"import sys; from portrayal.cli import main; status = main({arguments}); "
        f"loaded = {heavy} & set(sys.modules); assert not loaded, loaded; sys.exit(status)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


HEAVY = {"numpy", "cv2", "av", "mediapipe", "scipy", "matplotlib", "torch"}


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    assert all(name in without_heavy(["--help"], HEAVY | {"pydantic"}) for name in COMMANDS)


def test_help_of_animate_loads_only_the_options() -> None:
    assert "--strength" in without_heavy(["animate", "--help"], HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: Command, name: str) -> None:
    ran = command(name, "--help")
    assert ran.status == 0 and "--debug" in ran.out and not ran.err


def test_the_flags_of_an_engine_come_from_its_options(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    own = command("animate", "--engine", "bars", "--help").out
    assert "--bar-height" in own and "How high the bar is, in pixels (1 to 64; default 4)." in own
    assert "red|blue" in own and "--strength" in own and "N|auto|neutral" in own
    assert "--bar-height" not in command("animate", "--help").out


def test_a_motion_drives_a_portrait(command: Command, media: Path, tmp_path: Path) -> None:
    ran = command("animate", media / "hopper.png", jaws(tmp_path / "jaws.npz"), *FAST, "--strength", 0.5)
    assert (ran.status, ran.out, ran.err) == (0, "hopper-jaws.mp4\n", "")
    video = VideoReader(tmp_path / "hopper-jaws.mp4")
    assert (video.fps, video.info.frame_count, video.info.width) == (10, 10, 126)
    assert [round(bar(rgb), 1) for rgb in video] == pytest.approx([0.05 * i for i in range(10)], abs=0.06)


def test_a_video_drives_a_portrait_with_its_sound(command: Command, media: Path, tmp_path: Path) -> None:
    ran = command("animate", media / "hopper.png", media / "talk.mp4", *FAST, "-o", "out.mp4", "--start", 0.5)
    assert (ran.status, ran.out, ran.err) == (0, "out.mp4\n", "")
    video = VideoReader(tmp_path / "out.mp4")
    assert (video.fps, video.info.frame_count) == (12, 6)
    assert float(AudioTrack(tmp_path / "out.mp4").duration) == pytest.approx(0.5, abs=0.03)


def test_a_text_and_a_voice_drive_a_portrait(command: Command, media: Path, tmp_path: Path) -> None:
    portrait = ("animate", media / "hopper.png")
    assert command(*portrait, "--text", "Papa", "--fps", 50, *FAST).out == "hopper-text.mp4\n"
    assert command(*portrait, media / "voice.wav", *FAST).out == "hopper-voice.mp4\n"
    spoken, voiced = VideoReader(tmp_path / "hopper-text.mp4"), VideoReader(tmp_path / "hopper-voice.mp4")
    assert (spoken.fps, voiced.fps, voiced.info.frame_count) == (50, 25, 20)
    assert voiced.info.has_audio and float(AudioTrack(spoken.info.path).duration) > 0.3
    opened = [bar(rgb) for rgb in spoken]
    assert max(opened) > min(opened) + 0.1


def test_the_demo_makes_its_folder_and_its_sheet(command: Command, tmp_path: Path) -> None:
    ran = command("demo", "--text", "Hi", "--sheet", "sheet.png")
    assert (ran.status, ran.out, ran.err) == (0, "out/grace_hopper.mp4\n", "")
    video = VideoReader(tmp_path / "out" / "grace_hopper.mp4")
    assert video.info.has_audio and video.info.width == 512
    assert read_image(tmp_path / "sheet.png").rgb.shape[0] > 300


@pytest.mark.parametrize("name", ["out.webm", "out.gif", "frames", "more.frames/", "f_%03d.png", "still.png"])
def test_the_suffix_says_what_is_written(command: Command, media: Path, tmp_path: Path, name: str) -> None:
    ran = command("animate", media / "hopper.png", jaws(tmp_path / "jaws.npz"), *FAST, "-o", name)
    assert ran.status == 0 and not ran.err
    if name == "still.png":
        assert read_image(tmp_path / name).rgb.shape[1] == 126
        return
    written = tmp_path / ran.out.rstrip("\n")
    assert VideoReader(written).info.frame_count == 10


def test_sheet_crop_compare_and_engine_options(command: Command, media: Path, tmp_path: Path) -> None:
    moved = jaws(tmp_path / "jaws.npz")
    extra = ("--sheet", "sheet.png", "--crop", "--compare", "--bar-ink", "blue", "--bar-height", 64)
    ran = command("animate", media / "hopper.png", moved, *FAST, *extra, "-o", "frames")
    assert ran.status == 0, ran.err
    last = read_image(tmp_path / "frames" / "00009.png").rgb
    assert last.shape[1] > last.shape[0]  # the portrait beside a square
    assert bar(last, 2) > 0.3 and bar(last, 0) < 0.2
    assert read_image(tmp_path / "sheet.png").rgb.shape[1] > 400


def test_nothing_is_overwritten_unless_asked_for(command: Command, media: Path, tmp_path: Path) -> None:
    (tmp_path / "hopper-jaws.mp4").write_text("mine")
    given = ("animate", media / "hopper.png", jaws(tmp_path / "jaws.npz"), *FAST)
    refused = command(*given)
    assert refused.status == 1 and "already exists; use --overwrite" in refused.err
    assert (tmp_path / "hopper-jaws.mp4").read_text() == "mine"
    assert command(*given, "--overwrite").status == 0
    assert VideoReader(tmp_path / "hopper-jaws.mp4").info.frame_count == 10


@pytest.mark.parametrize(
    "name", ["a b.npz", 'it\'s "so".npz', "two\nlines.npz", "Łódź 脸.npz", "-dash.npz", "50%d.npz"]
)
def test_any_file_name_works(command: Command, media: Path, tmp_path: Path, name: str) -> None:
    jaws(tmp_path / name)
    ran = command("animate", *FAST, f"--output=-{name}.mp4", "--", media / "hopper.png", name)
    assert (ran.status, ran.out, ran.err) == (0, f"-{name}.mp4\n", "")
    assert VideoReader(tmp_path / f"-{name}.mp4").info.frame_count == 10


def test_a_name_that_is_no_utf8_works(media: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.npz")
    jaws(tmp_path / "plain.npz").rename(tmp_path / name)
    call = [sys.executable, "-m", "portrayal", "track", name, "-o", os.fsdecode(b"\xfe.csv")]
    ran = subprocess.run(call, cwd=tmp_path, capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"\xfe.csv\n", b"")
    assert len(Motion.load(tmp_path / os.fsdecode(b"\xfe.csv"))) == 10


def test_sliders_edit_a_still(command: Command, media: Path, tmp_path: Path) -> None:
    ran = command("edit", media / "hopper.png", *FAST, "--jaw-open", 0.5, "--pitch", -10, "--gaze-x=-0.5")
    assert (ran.status, ran.out, ran.err) == (0, "hopper-edit.png\n", "")
    assert bar(read_image(tmp_path / "hopper-edit.png").rgb) == pytest.approx(0.5, abs=0.02)


def test_sliders_move_a_still_when_a_video_is_asked_for(
    command: Command, media: Path, tmp_path: Path
) -> None:
    assert (
        command("edit", media / "hopper.png", *FAST, "--jaw-open", 1, "-o", "o.mp4", "--fps", 10).status == 0
    )
    opened = [bar(rgb) for rgb in VideoReader(tmp_path / "o.mp4")]
    assert len(opened) == 20 and opened[0] < 0.1 and 0.2 < opened[3] < 0.8 and min(opened[7:]) > 0.95


def test_sliders_on_a_video_last_as_long_as_it_does(command: Command, media: Path, tmp_path: Path) -> None:
    ran = command("edit", media / "talk.mp4", *FAST, "--jaw-open", 1, "--end", 0.5)
    assert (ran.status, ran.out) == (0, "talk-edit.mp4\n")
    video = VideoReader(tmp_path / "talk-edit.mp4")
    assert video.info.frame_count == 6 and video.info.has_audio


def test_an_engines_own_sliders_edit_and_ease(command: Command, media: Path, tmp_path: Path) -> None:
    ran = command("edit", media / "hopper.png", *FAST, "--bar-shift", 0.4)
    assert (ran.status, ran.err) == (0, "")
    assert bar(read_image(tmp_path / "hopper-edit.png").rgb) == pytest.approx(0.4, abs=0.02)
    assert command("edit", media / "hopper.png", *FAST, "--bar-shift", 0.4, "-o", "o.mp4").status == 0
    opened = [bar(rgb) for rgb in VideoReader(tmp_path / "o.mp4")]
    assert opened[0] == pytest.approx(0, abs=0.05) and opened[-1] == pytest.approx(0.4, abs=0.05)
    (tmp_path / "s.yaml").write_text("{fps: 10, timeline: '1=4:2', motions: {1: {bar-shift: 0.4}}}")
    script = ("--script", "s.yaml", "--bar-shift", 0.2, "-o", "s.mp4")
    assert command("edit", media / "hopper.png", *FAST, *script).status == 0
    opened = [bar(rgb) for rgb in VideoReader(tmp_path / "s.mp4")]
    assert opened == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.6, 0.6], abs=0.05)
    ran = command("edit", media / "hopper.png", *FAST, "--bar-shift", 2, "-o", "x.png")
    assert ran.status == 2 and "--bar-shift: should be less than or equal to 1" in ran.err


def test_a_script_edits_over_time_and_sliders_add_to_it(
    command: Command, media: Path, tmp_path: Path
) -> None:
    (tmp_path / "nod.yaml").write_text("fps: 10\nduration: 1\nkeys:\n- {at: 0}\n- {at: 0.5, jaw-open: 0.5}\n")
    ran = command("edit", media / "hopper.png", *FAST, "--script", "nod.yaml", "--jaw-open", 0.3)
    assert (ran.status, ran.out) == (0, "hopper-edit.mp4\n"), ran.err
    opened = [bar(rgb) for rgb in VideoReader(tmp_path / "hopper-edit.mp4")]
    assert opened[0] == pytest.approx(0.3, abs=0.05) and opened[9] == pytest.approx(0.8, abs=0.05)


def test_a_flag_for_each_of_the_52_coefficients(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown = command("edit", "--help").out
    assert all(
        f"--{options_name}" in shown for options_name in ("mouth-roll-lower", "tongue-out", "gaze-y", "scale")
    )
    assert sum(line.lstrip("│ ").startswith("--") for line in shown.splitlines()) >= 52 + 8


def test_track_writes_the_motion_of_a_video(command: Command, media: Path, tmp_path: Path) -> None:
    assert command("track", media / "talk.mp4").out == "talk.npz\n"
    motion = Motion.load(tmp_path / "talk.npz")
    assert (len(motion), motion.fps) == (12, 12) and motion.tracked.all() and motion.shapes is not None
    assert np.ptp(motion.translation[:, 0]) > 0.02
    assert command("track", media / "talk.mp4", "-o", "talk.csv", "--end", 0.5).status == 0
    assert len(Motion.load(tmp_path / "talk.csv")) == 6


def test_evaluate_prints_a_table_or_json(command: Command, media: Path) -> None:
    same = ("evaluate", media / "talk.mp4", "--driving", media / "talk.mp4")
    assert "mouth" in command(*same).out
    report = json.loads(command(*same, "--json").out)
    assert report["frames"] == 12 and report["quality"]["result"]["lost"] == 0


def test_engines_lists_what_is_known(command: Command) -> None:
    table = command("engines").out
    assert "puppet" in table and "motion" in table and "Apache-2.0" in table and "yes" in table
    cards = {card["name"]: card for card in json.loads(command("engines", "--json").out)}
    assert cards["bars"]["installed"] is True and cards["puppet"]["commercial"] == "yes"


def test_version(command: Command) -> None:
    assert command("--version").out.startswith("portrayal 0.")


@pytest.mark.parametrize(
    ("text", "fps"),
    [("25", 25), ("29.97", Fraction(30000, 1001)), ("23.976", Fraction(24000, 1001)),
     ("59.94", Fraction(60000, 1001)), ("30000/1001", Fraction(30000, 1001)), ("12.5", Fraction(25, 2))],
)  # fmt: skip
def test_frame_rates(text: str, fps: Fraction) -> None:
    assert options.rate(text) == fps


def test_times() -> None:
    assert [options.seconds(t) for t in ("1.5", "1:02.5", "1:00:00")] == [1.5, 62.5, 3600]
    for wrong in ("-1", "x", "1:2:3:4", "nan", "inf", ""):
        with pytest.raises(UsageError, match="is no time"):
            options.seconds(wrong)

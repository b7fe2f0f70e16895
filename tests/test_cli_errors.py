"""What goes wrong: one line, the right exit status, nothing left behind, nothing overwritten."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from conftest import Bars, Ran, scenery, voice, wav
from portrayal import Motion, PortrayalError
from portrayal import engines as registry
from portrayal.media.image import write_image
from portrayal.media.write import write_video
from portrayal.motion import SHAPES

FAST = ("--engine", "bars", "--size", 128)
Command = Callable[..., Ran]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Path:
    """A folder of files that are not what they should be."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "folder").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is no video.\n" * 50)
    whole = (media / "talk.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[:9_000])
    (folder / "half.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "cut.png").write_bytes((media / "hopper.png").read_bytes()[:20_000])
    (folder / "silent.wav").write_bytes(wav(voice(0)))
    (folder / "broken.yaml").write_text("keys: [{at: 0, jaw-opne: 1}]")
    (folder / "broken.csv").write_text("a,b\n1,2\n")
    write_image(folder / "tiny.png", np.full((8, 8, 3), 90, np.uint8))
    write_image(folder / "scenery.png", scenery(0))
    write_video(folder / "scenery.mp4", (scenery(i) for i in range(5)), Fraction(5))
    _huge(folder / "huge.png", 20_000)
    return folder


def _huge(path: Path, side: int) -> None:
    """A PNG of side x side pixels in a few kilobytes, one bit each."""
    from PIL import Image

    Image.new("1", (side, side)).save(path)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A result of an earlier day, which no failure may touch."""
    path = tmp_path / "out.mp4"
    path.write_text("an older result")
    return path


def check(ran: Ran, status: int, said: str) -> None:
    assert ran.status == status, ran
    assert ran.out == ""
    assert re.fullmatch(r"error: [^\n]+\n", ran.err), ran.err
    assert re.search(said, ran.err), ran.err


def untouched(target: Path, *others: str) -> None:
    assert target.read_text() == "an older result"
    assert sorted(each.name for each in target.parent.iterdir()) == sorted(["out.mp4", *others])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.jpg", "missing.jpg: no such file"),
        ("folder", "folder: no pictures found"),
        ("empty.mp4", "empty.mp4: the file is empty"),
        ("text.mp4", "text.mp4: not a video"),
        ("cut.mp4", "cut.mp4: no picture in the video can be read"),
        ("half.mp4", "half.mp4: the video is cut short"),
        ("cut.png", "cut.png: the picture is cut short or damaged"),
        ("tiny.png", "tiny.png: no face found in 8x8 pixels"),
        ("scenery.png", "scenery.png: no face found in 128x128 pixels"),
        ("scenery.mp4", "scenery.mp4: no face found"),
        ("huge.png", r"huge.png: .*20000x20000.*the limit is 100.*max.pixels"),
        ("silent.wav", "silent.wav: "),
    ],
)
def test_portraits_that_cannot_be_used(
    command: Command, media: Path, bad: Path, target: Path, name: str, said: str
) -> None:
    given = ("--engine", "bars", "-o", target, "--overwrite")
    check(command("animate", bad / name, media / "talk.mp4", *given), 1, said)
    untouched(target)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.mp4", "missing.mp4: no such file"),
        ("folder", "folder: no pictures found"),
        ("empty.mp4", "empty.mp4: the file is empty"),
        ("text.mp4", "text.mp4: not a video"),
        ("cut.mp4", "cut.mp4: no picture in the video can be read"),
        ("half.mp4", "half.mp4: the video is cut short"),
        ("silent.wav", "silent.wav: "),
        ("scenery.mp4", "scenery.mp4: no face found in any frame"),
        ("scenery.png", "scenery.png: no face found"),
        ("broken.yaml", "broken.yaml: .*no coefficient 'jaw-opne'; did you mean jaw-open"),
        ("broken.csv", "broken.csv: "),
    ],
)
def test_drivings_that_cannot_be_used(
    command: Command, media: Path, bad: Path, target: Path, name: str, said: str
) -> None:
    given = (*FAST, "-o", target, "--overwrite", "--sheet", "sheet.png")
    check(command("animate", media / "hopper.png", bad / name, *given), 1, said)
    untouched(target)


def test_a_video_without_frames(command: Command, media: Path, bad: Path, target: Path) -> None:
    given = (*FAST, "-o", target, "--overwrite", "--start", 60)
    check(
        command("animate", media / "hopper.png", media / "talk.mp4", *given),
        1,
        "is 1.00 s long; there is nothing",
    )
    untouched(target)


def test_a_limit_on_pixels_can_be_raised(command: Command, media: Path, target: Path) -> None:
    given = ("animate", media / "hopper.png", media / "talk.mp4", *FAST, "-o", target, "--overwrite")
    check(command(*given, "--max-pixels", 1000), 1, "hopper.png: .*256x260")
    assert command(*given, "--max-pixels", 100_000).status == 0


def test_the_portrait_cannot_drive_itself(command: Command, media: Path, target: Path) -> None:
    given = (*FAST, "-o", target, "--overwrite")
    check(command("animate", media / "hopper.png", media / "hopper.png", *given), 1, "is the portrait itself")
    untouched(target)


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("none/out.mp4", 1, "the folder .*none does not exist"),
        ("out.mp4/out.mp4", 1, "out.mp4"),
        ("", 2, "-o: is empty"),
        ("out.avi", 2, "out.avi: videos are written as"),
        ("out.mp4", 1, "out.mp4: already exists; use --overwrite"),
        ("/dev/full", 1, "/dev/full is not a folder"),
        ("/proc/out.mp4", 1, "/proc/out.mp4: "),
        ("x" * 300 + ".mp4", 1, "file name too long"),
        ("nul\0.mp4", 1, "null"),
    ],
)
def test_targets_that_cannot_be_written(
    command: Command, media: Path, target: Path, name: str, status: int, said: str
) -> None:
    check(command("animate", media / "hopper.png", media / "talk.mp4", *FAST, "-o", name), status, said)
    untouched(target)


def test_what_is_read_is_not_overwritten(command: Command, media: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes((media / "talk.mp4").read_bytes())
    for given in (("animate", media / "hopper.png", own), ("edit", own, "--pitch", 5)):
        check(command(*given, *FAST, "-o", own, "--overwrite"), 1, "own.mp4: is read here")
    assert own.read_bytes() == (media / "talk.mp4").read_bytes()


@pytest.mark.parametrize("kind", ["mp4", "webm", "gif", "pictures"])
def test_a_full_disk(media: Path, target: Path, kind: str) -> None:
    """A limit on the size of files stands for a disk that is full."""
    code = (
        "import resource, sys; from portrayal.cli import main; from conftest import Bars; import portrayal; "
        "portrayal.register_engine(Bars); resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)); "
        "sys.exit(main(sys.argv[1:]))"
    )
    name = "frames" if kind == "pictures" else f"new.{kind}"
    call = ["animate", str(media / "hopper.png"), str(media / "talk.mp4"), "--engine", "bars", "-o", name]
    ran = subprocess.run(
        [sys.executable, "-c", code, *call], cwd=target.parent, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    check(Ran(ran.returncode, ran.stdout, ran.stderr), 1, f"{name}: no space left on device")
    untouched(target)


def test_an_unknown_engine(command: Command, media: Path, target: Path) -> None:
    given = ("animate", media / "hopper.png", media / "talk.mp4", "-o", target, "--overwrite")
    check(command(*given, "--engine", "pupet"), 1, "no engine 'pupet' .did you mean puppet")
    untouched(target)


def test_an_engine_whose_extra_is_not_installed(
    command: Command, media: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    point = EntryPoint("neural", "no_such_module_at_all:Engine", "portrayal.engines")
    monkeypatch.setattr(registry, "_plug_ins", lambda: {"neural": point})
    given = ("animate", media / "hopper.png", media / "talk.mp4", "-o", target, "--overwrite")
    check(command(*given, "--engine", "neural"), 1, "no_such_module_at_all is not installed: pip install")
    untouched(target)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "name one driving"),
        (("talk.mp4", "--text", "hello"), "name one driving"),
        (("talk.mp4", "--strength", "9"), "--strength: .*less than or equal to 5"),
        (("talk.mp4", "--strength", "much"), "--strength: .*number"),
        (("talk.mp4", "--bar-ink", "green"), "--bar-ink: .*'red' or 'blue'"),
        (("talk.mp4", "--fps", "0"), "--fps: '0' is no frame rate"),
        (("talk.mp4", "--fps", "fast"), "--fps: 'fast' is no frame rate"),
        (("talk.mp4", "--start", "soon"), "'soon' is no time"),
        (("talk.mp4", "--start", "2", "--end", "1"), "--end: 1 s is not after --start"),
        (("talk.mp4", "--face", "middle"), "'middle' is no face"),
        (("talk.mp4", "--quality", "101"), "--quality: '101'"),
        (("talk.mp4", "--size", "4"), "--size"),
        (("talk.mp4", "--voice", "de"), "--voice: goes with --text"),
        (("talk.mp4", "--transcript", "hi"), "--transcript: goes with a sound"),
        (("talk.mp4", "--sheet", "sheet.mp4"), "--sheet: sheet.mp4"),
        (("talk.mp4", "--sheet", "out.png", "-o", "out.png"), "--sheet: names the same file"),
        (("talk.mp4", "--nonsense"), "--nonsense"),
        (("talk.mp4", "more", "files"), "more"),
        (("--text", "  "), "no text"),
        (("--text", "hi", "--end", "2"), "--end: goes with a file"),
    ],
)
def test_wrong_usage(
    command: Command, media: Path, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    words = [str(media / word) if word == "talk.mp4" else word for word in given]
    check(command("animate", media / "hopper.png", *FAST, *words), 2, said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        (("nonsense",), 2, "nonsense"),
        (("edit", "hopper.png"), 2, "nothing to change"),
        (("edit", "hopper.png", "--engine", "bars", "--strength", "2"), 2, "nothing to change"),
        (("edit", "hopper.png", "--pitch", "up"), 2, "--pitch"),
        (("edit", "hopper.png", "--pitch", "5", "--start", "1"), 2, "--start and --end"),
        (
            ("edit", "hopper.png", "--engine", "bars", "--script", "missing.yaml"),
            1,
            "missing.yaml: no such",
        ),
        (("track", "scenery.mp4"), 1, "scenery.mp4: no face found"),
        (("track", "talk.mp4", "-o", "motion.txt"), 2, "motion is written as .npz or .csv"),
        (("track", "missing.mp4"), 1, "missing.mp4: no such file"),
        (("evaluate", "talk.mp4"), 2, "--driving"),
        (("evaluate", "missing.mp4", "--driving", "talk.mp4"), 1, "missing.mp4: no such file"),
        (("evaluate", "talk.mp4", "--driving", "scenery.mp4"), 1, "scenery.mp4: no face found"),
    ],
)
def test_the_other_commands(
    command: Command, media: Path, tmp_path: Path, given: tuple[str, ...], status: int, said: str
) -> None:
    words = [str(media / word) if (media / word).exists() else word for word in given]
    check(command(*words), status, said)
    assert not list(tmp_path.iterdir())


def test_track_keeps_an_old_motion(command: Command, media: Path, tmp_path: Path) -> None:
    Motion.from_coefficients(Fraction(5), np.zeros((2, len(SHAPES)), np.float32)).save(tmp_path / "m.npz")
    before = (tmp_path / "m.npz").read_bytes()
    check(command("track", media / "talk.mp4", "-o", "m.npz"), 1, "already exists")
    check(command("track", "m.npz", "-o", "m.npz", "--overwrite"), 1, "is read here")
    assert (tmp_path / "m.npz").read_bytes() == before


class Faulty(Bars):
    info = replace(Bars.info, name="faulty")

    def render(self, portrait: object, driving: object, options: object) -> object:  # type: ignore[override]
        yield from [portrait.rgb] * 3  # type: ignore[attr-defined]
        raise ZeroDivisionError("a fault\nof two lines")


def test_a_fault_of_the_program_is_one_line_too(command: Command, media: Path, target: Path) -> None:
    registry.register_engine(Faulty)
    given = (
        "animate",
        media / "hopper.png",
        media / "talk.mp4",
        "--engine",
        "faulty",
        "-o",
        target,
        "--overwrite",
    )
    check(command(*given), 1, "unexpected ZeroDivisionError: a fault of two lines .--debug shows where")
    untouched(target)
    shown = command(*given, "--debug").err
    assert "Traceback" in shown and shown.splitlines()[-1].startswith("error: ")


def test_a_library_that_the_system_lacks(
    command: Command, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(**values: object) -> object:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("portrayal.engines.load_engine", lambda name: lacking())
    check(
        command("animate", media / "hopper.png", media / "talk.mp4"), 1, "lacks libGL.so.1: .*install libgl1"
    )


def test_debug_shows_where_a_known_error_came_from(command: Command) -> None:
    shown = command("track", "missing.mp4", "--debug").err
    assert "Traceback" in shown and PortrayalError.__name__ in shown

"""Live: a camera drives a portrait, one picture out for one picture in, never behind."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from conftest import Bars, Ran
from portrayal import Portrait, load_engine
from portrayal.errors import PortrayalError, UsageError
from portrayal.live.newest import Newest
from portrayal.live.recording import Recording
from portrayal.live.session import Live, Shown
from portrayal.live.smoothing import OneEuro
from portrayal.media.image import read_image, write_image
from portrayal.media.video import VideoReader
from portrayal.track.find import find_faces

Rgb = np.ndarray
PATIENCE = 30


class Results:
    """Results as they come, in another thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.all: list[Shown] = []

    def __call__(self, shown: Shown) -> None:
        with self._changed:
            self.all.append(shown)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Shown]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= count, PATIENCE), len(self.all)
            return list(self.all)


class Gate(Bars):
    """Copies the camera's pictures, each once it may."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)

    def render(self, portrait: Portrait, driving: object, options: object) -> Iterator[Rgb]:
        for rgb in driving.frames:  # type: ignore[attr-defined]
            assert self.may.acquire(timeout=PATIENCE)
            yield rgb


def plain(value: int) -> Rgb:
    return np.full((8, 8, 3), value, np.uint8)


@pytest.fixture(scope="module")
def hopper(media: Path) -> Portrait:
    return Portrait.open(media / "hopper.png")


def shifted(rgb: Rgb, x: int) -> Rgb:
    move = np.float32([[1, 0, x], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(rgb, move, rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


def test_only_the_newest_is_kept() -> None:
    newest: Newest[int] = Newest()
    for item in range(5):
        newest.put(item)
    assert newest.take() == 4 and newest.dropped == 4
    assert newest.take(0.01) is None
    newest.close()
    newest.put(5)
    assert newest.take() is None


def test_a_slow_engine_misses_pictures_and_never_lags(hopper: Portrait) -> None:
    engine, results = Gate(), Results()
    with Live(engine, hopper, results) as live:
        live.feed(plain(0), "first")
        engine.may.release()
        assert results.wait(1)[0].taken.stamp == "first"
        for number in range(1, 40):
            live.feed(plain(number), number)
        for _ in range(4):
            engine.may.release()
        live.feed(plain(200), "last")
        while results.all[-1].taken.stamp != "last":
            results.wait(len(results.all) + 1)
            engine.may.release()
        engine.may.release(10)
    stamps = [shown.taken.stamp for shown in results.all]
    assert len(stamps) <= 6 and live.dropped >= 35
    assert stamps[1:-1] == sorted(stamps[1:-1])
    for shown in results.all[1:-1]:  # each result is that of its own picture
        assert (shown.rgb == shown.taken.stamp).all()


def test_the_puppet_follows_a_head_and_takes_a_new_neutral(hopper: Portrait) -> None:
    results = Results()
    with Live(load_engine("puppet"), hopper, results, smooth=0) as live:
        live.feed(hopper.rgb)
        results.wait(1)
        for step in range(2, 7):
            live.feed(shifted(hopper.rgb, 12))
            results.wait(step)
        moved = results.all[-1].rgb
        live.calibrate()
        live.feed(shifted(hopper.rgb, 12))
        neutral = results.wait(7)[-1].rgb
    own = find_faces(hopper.rgb)[0].centre
    assert results.all[-1].seen
    assert find_faces(moved)[0].centre - own == pytest.approx([12, 0], abs=2.5)
    assert find_faces(neutral)[0].centre - own == pytest.approx([0, 0], abs=1.0)


def test_options_change_while_it_runs_and_neutral_stays(hopper: Portrait) -> None:
    results = Results()
    with Live(load_engine("puppet"), hopper, results, smooth=0) as live:
        live.feed(hopper.rgb)
        results.wait(1)
        live.change(strength=0.0)
        live.feed(shifted(hopper.rgb, 12))
        still = results.wait(2)[-1].rgb
        with pytest.raises(UsageError, match="--strength"):
            live.change(strength=9)
    own = find_faces(hopper.rgb)[0].centre
    assert find_faces(still)[0].centre - own == pytest.approx([0, 0], abs=1.0)


def test_nothing_is_shown_before_a_face_and_the_last_is_held_without(hopper: Portrait) -> None:
    results = Results()
    with Live(load_engine("puppet"), hopper, results) as live:
        nobody = np.full_like(hopper.rgb, 90)
        for _ in range(3):
            live.feed(nobody)
        while not live.waiting:
            threading.Event().wait(0.01)
        assert not results.all
        live.feed(hopper.rgb)
        results.wait(1)
        live.feed(nobody)
        held = results.wait(2)[-1]
    assert held.seen is False
    assert np.abs(held.rgb.astype(int) - results.all[0].rgb).mean() < 1


def test_a_frozen_session_shows_nothing_new(hopper: Portrait) -> None:
    engine, results = Gate(), Results()
    engine.may.release(100)
    with Live(engine, hopper, results) as live:
        live.feed(plain(1))
        results.wait(1)
        live.frozen = True
        live.feed(plain(2))
        live.frozen = False
        live.feed(plain(3))
        results.wait(2)
    assert [int(shown.rgb[0, 0, 0]) for shown in results.all] == [1, 3]


def test_what_an_engine_fails_with_is_raised(hopper: Portrait) -> None:
    class Broken(Bars):
        def render(self, *_: object) -> Iterator[Rgb]:
            raise PortrayalError("no weights")
            yield

    live = Live(Broken(), hopper, Results())
    assert live.started.wait(PATIENCE)
    with pytest.raises(PortrayalError, match="no weights"):
        live.feed(plain(0))
    with pytest.raises(PortrayalError, match="no weights"):
        live.close()


def test_a_recording_keeps_the_real_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 0.6, 2.0])
    monkeypatch.setattr("portrayal.live.recording.monotonic", lambda: next(clock))
    recording = Recording(tmp_path / "out.mp4", Fraction(10))
    for grey in (0, 120, 250):
        recording.add(np.full((64, 64, 3), grey, np.uint8))
    recording.close()
    greys = [round(float(rgb.mean()), -1) for rgb in VideoReader(tmp_path / "out.mp4")]
    assert greys == [0] * 5 + [120] * 1 + [250] * 15
    with pytest.raises(PortrayalError, match="already exists"):
        Recording(tmp_path / "out.mp4", Fraction(10))
    empty = Recording(tmp_path / "empty.mp4", Fraction(10))
    with pytest.raises(PortrayalError, match="nothing was shown"):
        empty.close()
    assert not (tmp_path / "empty.mp4").exists()


def test_one_euro_calms_what_is_still_and_keeps_up_with_what_is_quick() -> None:
    random = np.random.default_rng(0)
    calm, times = OneEuro(still=1.5), np.arange(90) / 30
    noise = 0.006 * random.standard_normal((90, 4, 3)).astype(np.float32)
    out = np.array([calm(points, t) for points, t in zip(noise, times, strict=True)])
    assert out[10:].std() < 0.6 * noise[10:].std()
    quick = OneEuro(still=1.5)
    lids = np.zeros((90, 1, 2), np.float32)
    lids[40:44, 0, 1] = (0.1, 0.2, 0.2, 0.1)  # a blink
    seen = np.array([quick(points, t) for points, t in zip(lids, times, strict=True)])[:, 0, 1]
    assert seen.max() > 0.16 and seen.argmax() <= 43
    assert (quick(lids[41], 20.0) == lids[41]).all()  # after a pause it starts anew


def test_the_command_records_what_a_clip_as_camera_drives(
    media: Path, command: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = command("live", media / "hopper.png", "--camera", media / "talk.mp4", "--no-window",
                  "--record", "out.mp4", "--smooth", 0)  # fmt: skip
    assert (ran.status, ran.out, ran.err) == (0, "out.mp4\n", "")
    result = list(VideoReader(tmp_path / "out.mp4"))
    centres = np.array([find_faces(rgb)[0].centre for rgb in result[::4]])
    assert result[0].shape == read_image(media / "hopper.png").rgb.shape or result[0].shape[0] == 512
    assert np.ptp(centres[:, 0]) > 6  # the head sways as that of the clip does
    again = command("live", media / "hopper.png", "--camera", media / "talk.mp4", "--no-window",
                    "--record", "out.mp4")  # fmt: skip
    assert again.status == 1 and "already exists" in again.err


def test_the_command_says_what_is_missing(
    media: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    photo = media / "hopper.png"
    for arguments, status, said in (
        ((), 1, "no screen"),
        (("--no-window",), 2, "--record FILE or --virtual-camera"),
        (("--no-window", "--virtual-camera"), 1, "pip install pyvirtualcam"),
        (("--no-window", "--record", "out.txt"), 2, ".mp4"),
        (("--no-window", "--record", "out.mp4", "--camera", "97"), 1, "camera 97: cannot be opened"),
        (("--no-window", "--record", "out.mp4", "--camera", "none.mp4"), 1, "none.mp4: no such file"),
    ):
        ran = command("live", photo, *arguments)
        assert (ran.status, ran.err.count("\n")) == (status, 1), ran.err
        assert said in ran.err and not ran.out


def test_the_window_shows_it_and_takes_keys(
    media: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pictures: list[Rgb] = []
    keys = iter([*[""] * 2, "c", "r", *[""] * 5, " ", " ", "r", "\x1b"])
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, bgr: pictures.append(bgr))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord(next(keys) or chr(255)))
    clip = media / "talk.mp4"
    ran = command("live", media / "hopper.png", "--camera", clip, "--size", 256)
    assert (ran.status, ran.out, ran.err) == (0, "hopper-live.mp4\n", "")
    assert len(pictures) >= 5 and pictures[0].shape[:2] == (256, 252)
    assert (tmp_path / "hopper-live.mp4").is_file()
    monkeypatch.setattr(cv2, "namedWindow", raising(cv2.error("no windows")))
    ran = command("live", media / "hopper.png", "--camera", clip)
    assert ran.status == 1 and "came without windows" in ran.err


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_virtual_camera_gets_the_pictures(
    media: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[Rgb] = []

    class Camera:
        def __init__(self, width: int, height: int, fps: float) -> None:
            self.size = (width, height)

        def send(self, rgb: Rgb) -> None:
            assert rgb.shape[1::-1] == self.size
            sent.append(rgb)

        def close(self) -> None:
            sent.append(np.zeros(0))

    module = types.ModuleType("pyvirtualcam")
    module.Camera = Camera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    write_image(tmp_path / "small.png", read_image(media / "hopper.png").rgb)
    ran = command("live", "small.png", "--camera", media / "talk.mp4", "--no-window", "--virtual-camera")
    assert (ran.status, ran.err) == (0, "")
    assert len(sent) > 3 and sent[-1].size == 0

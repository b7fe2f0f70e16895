"""Clips: lazy frames, saved, cropped, tiled and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from portrayal import Clip, Driving, Motion, PortrayalError, UsageError
from portrayal.media.audio import AudioTrack, Waveform
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader
from portrayal.sheet import ContactSheet

FPS = Fraction(10)


def ramp(count: int, width: int = 64, height: int = 48) -> Iterator[np.ndarray]:
    for i in range(count):
        yield np.full((height, width, 3), 5 * i % 256, np.uint8)


def clip(count: int = 20, **values: object) -> Clip:
    made = Clip(lambda: ramp(count), FPS, size=(64, 48), count=count, name="ramp")
    return replace(made, **values)  # type: ignore[arg-type]


def tone(seconds: float, rate: int = 16000) -> Waveform:
    t = np.arange(int(seconds * rate)) / rate
    return Waveform((0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), rate)


def test_frames_are_made_when_they_are_read_and_anew_each_time() -> None:
    started = []

    def frames() -> Iterator[np.ndarray]:
        started.append(1)
        yield from ramp(3)

    made = Clip(frames, FPS, size=(64, 48))
    assert not started
    assert [f[0, 0, 0] for f in made] == [0, 5, 10] and [f[0, 0, 0] for f in made] == [0, 5, 10]
    assert len(started) == 2
    assert made.first()[0, 0, 0] == 0


def test_save_a_video_with_its_sound(tmp_path: Path) -> None:
    done: list[int] = []
    clip(audio=tone(2)).save(tmp_path / "out.mp4", progress=done.append)
    video = VideoReader(tmp_path / "out.mp4")
    assert video.fps == 10 and video.info.frame_count == 20 and video.info.has_audio
    assert abs(AudioTrack(tmp_path / "out.mp4").samples()).max() > 0.3
    assert done == list(range(1, 21))
    with pytest.raises(PortrayalError, match="already exists"):
        clip().save(tmp_path / "out.mp4")
    clip(5).save(tmp_path / "out.mp4", overwrite=True)
    assert VideoReader(tmp_path / "out.mp4").info.frame_count == 5


def test_save_pictures(tmp_path: Path) -> None:
    pulled: list[int] = []
    clip().tap(lambda rgb: pulled.append(1)).save(tmp_path / "still.png")
    assert np.array_equal(read_image(tmp_path / "still.png").rgb, next(ramp(1)))
    assert len(pulled) == 1
    with pytest.raises(PortrayalError, match="already exists"):
        clip().save(tmp_path / "still.png")
    clip().save(tmp_path / "%03d.png")
    assert len(list(tmp_path.glob("0*.png"))) == 20
    clip().save(tmp_path / "folder")
    assert len(list((tmp_path / "folder").iterdir())) == 20


def test_a_failure_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from ramp(5)
        raise PortrayalError("no more")

    for name in ("out.mp4", "out.gif", "frames"):
        with pytest.raises(PortrayalError, match="no more"):
            Clip(broken, FPS, size=(64, 48)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.mp4").write_text("precious")
    with pytest.raises(PortrayalError, match="no more"):
        Clip(broken, FPS, size=(64, 48)).save(tmp_path / "old.mp4", overwrite=True)
    assert (tmp_path / "old.mp4").read_text() == "precious" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(PortrayalError, match="no frames"):
        Clip(lambda: iter(()), FPS, size=(64, 48)).save(tmp_path / "none.png")


def test_crop() -> None:
    columns = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None], (48, 64, 3))
    made = Clip(lambda: iter([columns]), FPS, size=(64, 48), still=columns)
    part = made.crop((10, -5, 200, 20))
    assert part.size == (54, 20)
    assert part.first().shape == (20, 54, 3) and part.first()[0, 0, 0] == 10
    assert part.still is not None and part.still.shape == (20, 54, 3)
    with pytest.raises(UsageError, match="--crop"):
        made.crop((70, 0, 90, 20))


def shown(sheet: np.ndarray, columns: int, rows: int, tile: tuple[int, int]) -> list[int]:
    """Grey value in the middle of every cell."""
    width, height = tile
    return [
        int(sheet[6 + r * (height + 20) + height // 2, 6 + c * (width + 6) + width // 2, 0])
        for r in range(rows)
        for c in range(columns)
    ]


def test_a_sheet_shows_evenly_spaced_frames() -> None:
    for made in (clip(), replace(clip(), count=None)):
        sheet = made.sheet(columns=3, rows=2)
        assert sheet.dtype == np.uint8 and sheet.shape == (2 * 260 + 6, 3 * 326 + 6, 3)
        values = shown(sheet, 3, 2, (320, 240))
        assert values[0] == 0 and (np.diff(values) >= 10).all() and values[-1] >= 80
    assert shown(clip(20).sheet(columns=3, rows=2), 3, 2, (320, 240)) == [
        5 * i for i in (0, 4, 8, 11, 15, 19)
    ]
    label = clip(20).sheet(columns=3, rows=2)[6 + 240 : 6 + 260, 6:326]
    assert label.min() < 160 and label.max() == 250  # something is written below
    assert clip(2).sheet(columns=4, rows=3).shape == (266, 2 * 326 + 6, 3)
    with pytest.raises(PortrayalError, match="no frames"):
        Clip(lambda: iter(()), FPS, size=(64, 48)).sheet()


def test_a_sheet_of_an_endless_clip_keeps_few_pictures() -> None:
    sheet = ContactSheet(FPS, columns=2, rows=2, tile=32)
    for rgb in ramp(5000, 32, 32):
        sheet.add(rgb)
    assert len(sheet._tiles) < 8
    numbers = sorted(sheet._tiles)
    assert len({b - a for a, b in pairwise(numbers)}) == 1
    assert numbers[0] == 0 and numbers[-1] > 2500


def test_compare_shows_the_driving_on_the_left() -> None:
    driving = Driving.from_frames(lambda: (255 - f for f in ramp(12, 40, 24)), FPS, count=12)
    both = clip(audio=tone(2)).compare(driving)
    assert both.size == (80 + 64, 48) and both.audio is not None and both.count == 20 and both.fps == FPS
    frames = list(both)
    assert len(frames) == 20 and frames[0].shape == (48, 144, 3)
    assert frames[3][10, 10, 0] == 240 and frames[3][10, 100, 0] == 15
    assert frames[19][10, 10, 0] == 200  # the driving's last picture is held


def test_compare_with_a_voice_shows_its_waveform() -> None:
    sound = Waveform(np.concatenate([tone(1).data, np.zeros(16000, np.float32)]), 16000)
    both = clip().compare(Driving.from_audio(sound, fps=FPS))
    first, *_, last = (f[:, : both.size[0] - 64].astype(int) for f in both)
    wide = first.shape[1]

    def loud(panel: np.ndarray, part: slice) -> float:
        return float((panel[:, part, 2] > 200).mean())

    assert loud(first, slice(wide // 2 + 2, wide * 3 // 4)) > 0.5  # what comes next is loud
    assert loud(first, slice(0, wide // 2 - 2)) < 0.1  # nothing was before
    assert loud(last, slice(wide // 2 + 2, wide)) < 0.1  # and silence at the end


def test_compare_with_a_silent_motion_shows_the_portrait() -> None:
    still = np.full((96, 64, 3), 77, np.uint8)
    both = clip(still=still).compare(Driving.from_motion(Motion.from_sliders({"pitch": 3}, frames=20)))
    assert both.size == (32 + 64, 48)
    assert all((f[:, :32] == 77).all() for f in both)

"""Reading videos: every frame at its time, upright and in its colours, from whatever file holds it."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from media_samples import (
    MS,
    NAMES,
    centres,
    count_to,
    encode,
    encode_hdr,
    number_of,
    numbered,
    numbers,
    patches,
    tone,
    turn,
)
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.image import write_image
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video

RATES = [
    Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60000, 1001), Fraction(25), Fraction(25, 2),
    Fraction(1), Fraction(1, 2), Fraction(17), Fraction(120), Fraction(15000, 1001), Fraction(997, 41),
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
@pytest.mark.parametrize("fps", RATES, ids=str)
def test_rational_rates_are_kept_exactly(tmp_path: Path, fps: Fraction, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_video(path, count_to(40), fps)
    video = VideoReader(path)
    assert (video.fps, video.info.duration) == (fps, 40 / fps)
    assert video.info.frame_count == 40
    assert numbers(video) == list(range(40))


@pytest.mark.parametrize("suffix", ["mov", "mkv", "avi", "flv", "ts", "3gp"])
def test_any_container_is_read(tmp_path: Path, suffix: str) -> None:
    path = encode(tmp_path / f"a.{suffix}", count_to(50), sound=tone(2, 48000))
    video = VideoReader(path)
    assert video.fps == 25 and video.info.has_audio
    assert numbers(video) == list(range(50))
    assert video.info.frame_count == 50


def test_a_video_can_be_read_again_and_half(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", count_to(20))
    video = VideoReader(path)
    first = iter(video)
    assert [number_of(next(first)) for _ in range(3)] == [0, 1, 2]
    assert numbers(video) == list(range(20))
    assert number_of(next(first)) == 3
    assert (video.info.width, video.info.height) == (64, 32)
    assert next(iter(video)).dtype == np.uint8


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_uneven_frames_are_shown_at_their_times(tmp_path: Path, suffix: str) -> None:
    shown = [Fraction(n) * MS for n in (0, 33, 50, 200, 210, 500, 1000, 1033, 1400)]
    path = encode(tmp_path / f"a.{suffix}", count_to(9), times=shown)
    got = numbers(VideoReader(path, fps=Fraction(100)))
    assert len(got) >= 141
    half = Fraction(1, 200)
    for k, number in enumerate(got):
        time = Fraction(k, 100)
        assert shown[number] <= time + half
        assert number == 8 or shown[number + 1] > time - half


def test_a_camera_that_drops_frames_keeps_its_rate(tmp_path: Path) -> None:
    kept = [i for i in range(60) if i not in (7, 8, 30, 41)]
    path = encode(
        tmp_path / "a.mp4",
        (numbered(i) for i in kept),
        times=[Fraction(round(i * 1000 / 30)) * MS for i in kept],
    )
    video = VideoReader(path)
    assert video.fps == 30
    expected = [max(k for k in kept if k <= i) for i in range(60)]
    assert numbers(video) == expected


@pytest.mark.parametrize(("fps", "count"), [(Fraction(50), 100), (Fraction(10), 20), (Fraction(30), 60)])
def test_another_rate_shows_the_nearest_frames(tmp_path: Path, fps: Fraction, count: int) -> None:
    path = encode(tmp_path / "a.mp4", count_to(50))
    video = VideoReader(path, fps=fps)
    got = numbers(video)
    assert len(got) == video.info.frame_count == count and video.fps == fps
    assert all(abs(number / 25 - k / fps) <= 1 / 25 for k, number in enumerate(got))
    assert numbers(VideoReader(path).at(fps)) == got


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv", "avi", "ts"])
@pytest.mark.parametrize(("start", "end"), [(0.2, 0.6), (3.0, 4.0), (7.96, None), (None, 1.0), (1.0, 99.0)])
def test_a_part_is_the_part(tmp_path: Path, suffix: str, start: float | None, end: float | None) -> None:
    codec = "libvpx" if suffix == "webm" else "libx264"
    path = encode(tmp_path / f"a.{suffix}", count_to(200), codec=codec, options={"g": "40"})
    video = VideoReader(path, start=start, end=end)
    first, last = round((start or 0) * 25), min(200, round((end or 8) * 25))
    assert numbers(video) == list(range(first, last))
    assert video.info.frame_count == last - first


def test_parts_join_without_a_frame_twice_or_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, count_to(90), Fraction(30000, 1001))
    cuts = [None, 0.5, 1.0, 1.7, 2.345, None]
    parts = [numbers(VideoReader(path, start=a, end=b)) for a, b in pairwise(cuts)]
    assert list(chain(*parts)) == list(range(90))


def test_a_video_that_does_not_begin_at_zero_begins_with_its_first_frame(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", count_to(25), times=[Fraction(700 + 40 * i) * MS for i in range(25)])
    assert numbers(VideoReader(path)) == list(range(25))
    assert numbers(VideoReader(path, start=0.4, end=0.6)) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_rotation_is_applied(tmp_path: Path, degrees: int, turns: int, mirrored: bool) -> None:
    path = turn(encode(tmp_path / "a.mp4", [patches()] * 5, options={"crf": "5"}), degrees, mirrored)
    video = VideoReader(path)
    upright = np.rot90(patches()[:, ::-1] if mirrored else patches(), turns)
    rows, columns = (4, 3) if turns % 2 else (3, 4)
    got = next(iter(video))
    assert (video.info.width, video.info.height) == got.shape[1::-1] == upright.shape[1::-1]
    assert np.abs(centres(got, rows, columns) - centres(upright, rows, columns)).max() <= 3
    assert next(iter(VideoReader(path, size=48))).shape == ((48, 32, 3) if turns % 2 else (32, 48, 3))


def test_odd_sizes_and_anamorphic_pictures(tmp_path: Path) -> None:
    odd = encode(tmp_path / "odd.mkv", [patches(33, 51)] * 3, codec="ffv1", pix_fmt="bgr0")
    assert np.array_equal(next(iter(VideoReader(odd))), patches(33, 51))
    wide = encode(tmp_path / "wide.mp4", count_to(3), aspect=Fraction(3, 2))
    assert [rgb.shape for rgb in VideoReader(wide)] == [(32, 96, 3)] * 3
    small = VideoReader(odd, size=17)
    assert (small.info.width, small.info.height) == (17, 11)
    assert next(iter(small)).shape == (11, 17, 3)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "colorspace"),
    [
        ("libx264", "yuv420p", (1, 1)), ("libx264", "yuvj420p", (1, 2)), ("libx264", "yuv444p", (5, 1)),
        ("libx264", "yuv420p10le", (1, 1)), ("libx264", "yuv422p", (5, 1)), ("ffv1", "yuv444p16le", (1, 1)),
        ("ffv1", "bgra", None), ("png", "rgb48be", None),
    ],
)  # fmt: skip
def test_colours_are_right_at_any_depth_matrix_and_range(
    tmp_path: Path, codec: str, pix_fmt: str, colorspace: tuple[int, int] | None
) -> None:
    path = encode(
        tmp_path / f"a.{'mov' if codec == 'png' else 'mkv'}", [patches()] * 2, codec=codec, pix_fmt=pix_fmt,
        colorspace=colorspace, options={"crf": "5"} if codec == "libx264" else {},
    )  # fmt: skip
    got = next(iter(VideoReader(path)))
    assert np.abs(centres(got) - centres(patches())).max() <= 3


def linear(rgb: np.ndarray) -> np.ndarray:
    code = rgb / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("transfer", "primaries"), [(16, 9), (18, 9), (16, 12), (1, 9), (1, 12)])
def test_high_dynamic_range_and_wide_gamut_become_plain_colours(
    tmp_path: Path, transfer: int, primaries: int
) -> None:
    shown = patches(96, 128)
    shown = np.round(255 * (np.maximum(linear(shown), 0) * 0.7) ** (1 / 2.2)).astype(np.uint8)
    path = encode_hdr(tmp_path / "a.mp4", transfer, primaries, linear(shown))
    got = next(iter(VideoReader(path)))
    assert np.abs(centres(got) - centres(shown)).max() <= 6


def test_highlights_are_rolled_off_and_not_cut(tmp_path: Path) -> None:
    levels = np.array([0.5, 0.8, 1.0, 2.0, 3.0, 4.5])
    light = np.repeat(np.repeat(levels, 16)[None, :, None], 48, 0) * np.ones(3)
    got = next(iter(VideoReader(encode_hdr(tmp_path / "a.mp4", 16, 9, light))))[24, 8::16].mean(1)
    assert got[0] == pytest.approx(188, abs=2)  # below: as it is
    assert 235 < got[2] < 248  # paper is nearly white
    assert (np.diff(got) > 0.5).all() and got[-1] <= 255


def pictures(count: int) -> list[Image.Image]:
    return [Image.fromarray(numbered(i)) for i in range(count)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_keep_their_times(tmp_path: Path, suffix: str) -> None:
    path, (first, *rest) = tmp_path / f"a.{suffix}", pictures(5)
    first.save(path, save_all=True, append_images=rest, duration=[100, 100, 400, 100, 100], lossless=True)
    video = VideoReader(path, fps=Fraction(10))
    assert numbers(video) == [0, 1, 2, 2, 2, 2, 3, 4]
    assert video.info.frame_count == 8


@pytest.mark.parametrize(
    ("fps", "suffix"), [(10, "gif"), (10, "webp"), (25, "gif"), (30, "webp"), (50, "gif")]
)
def test_even_animations_have_their_rate(tmp_path: Path, fps: int, suffix: str) -> None:
    path, (first, *rest) = tmp_path / f"a.{suffix}", pictures(12)
    ends = [round((i + 1) * 1000 / fps) for i in range(12)]
    first.save(path, save_all=True, append_images=rest, duration=list(np.diff([0, *ends])), lossless=True)
    video = VideoReader(path)
    assert video.fps == fps
    assert numbers(video) == list(range(12))


def test_folders_and_patterns_are_sequences_in_natural_order(tmp_path: Path) -> None:
    for i in range(12):
        write_image(tmp_path / f"shot {i}.png", numbered(i))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_text("not a picture")
    for path in (tmp_path, tmp_path / "shot %d.png"):
        video = VideoReader(path)
        assert (video.fps, video.info.frame_count) == (25, 12)
        assert numbers(video) == list(range(12))
    part = VideoReader(tmp_path, fps=Fraction(10), start=0.3, end=0.7, size=32)
    assert numbers(part) == [3, 4, 5, 6]
    write_image(tmp_path / "shot 12.png", numbered(1, 16, 16))
    with pytest.raises(
        PortrayalError, match=r"shot 12\.png: is 16x16, but the first of its sequence is 64x32"
    ):
        list(VideoReader(tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    encode(tmp_path / "a.mp4", count_to(3))
    (tmp_path / "a.mp4").rename(tmp_path / f"{name}.mp4")
    monkeypatch.chdir(tmp_path)
    assert numbers(VideoReader(f"{name}.mp4")) == [0, 1, 2]
    (tmp_path / f"{name}.mp4").rename(tmp_path / name)
    assert numbers(VideoReader(name)) == [0, 1, 2]


@pytest.mark.parametrize(
    "options",
    [
        {"start": 2.0, "end": 1.0}, {"start": -1.0}, {"start": float("nan")}, {"end": float("inf")},
        {"fps": Fraction(0)}, {"fps": Fraction(-5)}, {"size": 0},
    ],
)  # fmt: skip
def test_wrong_requests_are_usage_errors(tmp_path: Path, options: dict[str, Any]) -> None:
    path = encode(tmp_path / "a.mp4", count_to(3))
    with pytest.raises(UsageError):
        VideoReader(path, **options)


def test_beyond_the_end_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(PortrayalError, match=r"a\.mp4: is 1\.00 s long; there is nothing at 5 s"):
        VideoReader(encode(tmp_path / "a.mp4", count_to(25)), start=5)

"""Writing: what comes back is what went in; whole files or none, and never over another by mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from media_samples import NAMES, Rgb, centres, count_to, numbered, numbers, patches, tone
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import Waveform
from portrayal.media.image import read_image
from portrayal.media.sniff import sniff
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video

FPS = Fraction(25)
SOUND = Waveform(tone(1, 48000), 48000)
VIDEOS = ["a.mp4", "a.webm", "a.gif", "frames", "p%03d.png"]


def listing(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


@pytest.mark.parametrize(
    ("suffix", "video", "sound"), [("mp4", "h264", "aac"), ("webm", "vp9", "opus"), ("gif", "gif", None)]
)
def test_each_suffix_has_its_codecs(tmp_path: Path, suffix: str, video: str, sound: str | None) -> None:
    path = tmp_path / f"a.{suffix}"
    write_video(path, count_to(25), FPS, audio=SOUND)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec.canonical_name == video
        assert [s.codec.canonical_name for s in container.streams.audio] == ([sound] if sound else [])
    assert numbers(VideoReader(path)) == list(range(25))
    assert sniff(path) == "video"


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_colours_are_tagged_as_bt709(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / f"a.{suffix}", count_to(3), FPS)
    with av.open(str(tmp_path / f"a.{suffix}")) as container:
        context: Any = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        assert context.color_range == 1  # limited


def test_mp4_starts_at_once(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", count_to(25), FPS, audio=SOUND)
    data, at, boxes = (tmp_path / "a.mp4").read_bytes(), 0, []
    while at < len(data):
        boxes.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    assert boxes[0] == "ftyp" and boxes.index("moov") < boxes.index("mdat")


def test_sound_and_pictures_lie_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, count_to(250), FPS, audio=Waveform(tone(10, 16000), 16000))
    with av.open(str(path)) as container:
        packets = [(p.pos, p.stream.type, p.dts * p.time_base) for p in container.demux() if p.size]
    latest = {"video": Fraction(0), "audio": Fraction(0)}
    for _, kind, time in sorted(packets):
        latest[kind] = time
        assert abs(latest["video"] - latest["audio"]) < 3


@pytest.mark.parametrize(("name", "off"), [("a.mp4", 3), ("a.webm", 3), ("a.gif", 3), ("frames", 0)])
def test_colours_come_back(tmp_path: Path, name: str, off: float) -> None:
    write_video(tmp_path / name, [patches()] * 5, FPS)
    for rgb in VideoReader(tmp_path / name):
        assert np.abs(centres(rgb) - centres(patches())).max() <= off


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
@pytest.mark.parametrize("axis", [0, 1])
def test_colours_stay_in_their_place(tmp_path: Path, name: str, axis: int) -> None:
    position = 2j * np.pi * np.arange(256) / 32
    blue = np.expand_dims(128 + 80 * np.sin(position.imag), 1 - axis)
    rgb = np.stack(np.broadcast_arrays(np.full((256, 256), 90), 110, blue), -1).round().astype(np.uint8)
    write_video(tmp_path / name, [rgb], FPS, quality=100)
    waves = (
        x[..., 2].mean(axis=1 - axis) @ np.exp(-position)
        for x in (next(iter(VideoReader(tmp_path / name))), rgb)
    )
    shift = np.angle(next(waves) / next(waves)) / (2 * np.pi) * 32
    assert abs(shift) < 0.1  # pixels; half of one where a colour sample is taken to be between its two pixels


@pytest.mark.parametrize("quality", ["high", 100])
def test_a_photo_comes_back(tmp_path: Path, quality: int | str) -> None:
    from matplotlib.cbook import get_sample_data

    rgb = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False)).rgb[:600, :512]
    write_video(tmp_path / "a.mp4", [rgb] * 3, FPS, quality=quality)
    got = next(iter(VideoReader(tmp_path / "a.mp4")))
    error = got.astype(float) - rgb
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.5
    assert 10 * np.log10(255**2 / (error**2).mean()) > 41


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_quality_costs_bytes(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (4, 96, 96, 3), np.uint8)
    sizes = []
    for quality in ("low", "medium", "high", 100):
        write_video(tmp_path / name, noise, FPS, quality=quality, overwrite=True)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes == sorted(sizes) and len(set(sizes)) == 4


@pytest.mark.parametrize(
    ("name", "even"), [("a.mp4", True), ("a.webm", True), ("a.gif", False), ("f", False)]
)
@pytest.mark.parametrize(("height", "width"), [(33, 65), (34, 65), (33, 64), (1, 1)])
def test_odd_sizes_lose_nothing(tmp_path: Path, name: str, even: bool, height: int, width: int) -> None:
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x * 3, y * 5, 200 - x], -1).astype(np.uint8)
    write_video(tmp_path / name, [rgb] * 2, FPS, quality=100)
    got = next(iter(VideoReader(tmp_path / name))).astype(int)
    wanted = (height + height % 2, width + width % 2) if even else (height, width)
    assert got.shape[:2] == wanted
    assert np.abs(got[:height, :width] - rgb.astype(int)).mean() < 4
    edge = got[height - 1 :, : width // 2], got[: height // 2, width - 1 :]
    assert [np.ptp(edge[0], axis=0).max(initial=0) < 8, np.ptp(edge[1], axis=1).max(initial=0) < 8] == [
        True
    ] * 2


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24), Fraction(60), Fraction(10)], ids=str)
def test_a_gif_keeps_its_length(tmp_path: Path, fps: Fraction) -> None:
    write_video(tmp_path / "a.gif", count_to(60), fps)
    info = VideoReader(tmp_path / "a.gif").info
    assert abs(info.duration - 60 / fps) <= Fraction(3, 100)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info.get("loop") == 0 and (
            image.n_frames == 60 if fps <= 50 else 40 <= image.n_frames <= 50
        )


@pytest.mark.parametrize("name", VIDEOS)
def test_every_file_says_that_it_is_synthetic(tmp_path: Path, name: str) -> None:
    write_video(tmp_path / name, count_to(4), FPS, audio=SOUND)
    said = "Synthetic media made with Portrayal"
    for file in [p for p in tmp_path.rglob("*") if p.is_file()]:
        if file.suffix in (".mp4", ".webm"):
            with av.open(str(file)) as container:
                tags = {key.lower(): value for key, value in container.metadata.items()}
            assert said in tags["comment"] and tags["title"] == "Synthetic media"
        else:
            with Image.open(file) as image:
                comment = image.info.get("comment") or image.info["Comment"]
            assert said in (comment.decode() if isinstance(comment, bytes) else comment)


@pytest.mark.parametrize("suffix", [".webm", ""])
@pytest.mark.parametrize("name", [name for name in NAMES if "%d" not in name])
def test_any_name_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(name + suffix, count_to(2), FPS)
    assert [file.name for file in tmp_path.iterdir()] == [name + suffix]
    assert numbers(VideoReader(name + suffix)) == [0, 1]


def test_frames_are_taken_one_by_one_and_counted(tmp_path: Path) -> None:
    log: list[str] = []

    def frames() -> Iterator[Rgb]:
        for i, rgb in enumerate(count_to(3)):
            log.append(f"frame {i}")
            yield rgb

    write_video(tmp_path / "a.mp4", frames(), FPS, progress=lambda n: log.append(f"done {n}"))
    assert log == ["frame 0", "done 1", "frame 1", "done 2", "frame 2", "done 3"]


@pytest.mark.parametrize("name", VIDEOS)
def test_what_umask_says_holds(tmp_path: Path, name: str) -> None:
    before = os.umask(0o027)
    try:
        write_video(tmp_path / name, count_to(2), FPS)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()} == {0o640}


class Broken(Waveform):
    """Sound that breaks off with an error."""

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[Rgb]:
        yield next(super().blocks(rate, mono))
        raise RuntimeError("broken")


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_sound_that_fails_or_frames_that_change_leave_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        write_video(tmp_path / name, count_to(100), FPS, audio=Broken(tone(4, 48000), 48000))
    with pytest.raises(ValueError, match="frames must all be"):
        write_video(tmp_path / name, [numbered(1), numbered(2, 64, 64)], FPS)
    assert list(tmp_path.iterdir()) == []


def test_wrong_qualities_and_rates_are_usage_errors(tmp_path: Path) -> None:
    for quality in (-1, 101, "best"):
        with pytest.raises(UsageError, match="quality is 0 to 100, low, medium or high, not"):
            write_video(tmp_path / "a.mp4", count_to(3), FPS, quality=quality)
    with pytest.raises(UsageError, match="frames per second must be above 0"):
        write_video(tmp_path / "a.mp4", count_to(3), Fraction(0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/proc/a.mp4", "/sys/a.gif", "/proc/frames", "/dev/full"])
def test_places_where_no_file_can_be(name: str) -> None:
    with pytest.raises(PortrayalError, match=f"^{name}: "):
        write_video(name, count_to(2), FPS)


MEMORY = """
import resource, sys
import numpy as np
from fractions import Fraction
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video
from portrayal.media.audio import AudioTrack, Waveform
sound = Waveform(np.zeros(80 * 8000, np.float32), 8000)
peaks = []
for count in (200, 2000):
    y, x = np.mgrid[:144, :144]
    frames = (np.stack([(x + i) // 4 * 4, y, x // 2], -1).astype(np.uint8) for i in range(count))
    write_video(sys.argv[1], frames, Fraction(25), audio=sound, overwrite=True)
    assert sum(1 for _ in VideoReader(sys.argv[1])) == count
    assert abs(sum(map(len, AudioTrack(sys.argv[1]).blocks())) - count * 320) <= 320
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(peaks[1] - peaks[0])
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_memory_does_not_grow_with_length(tmp_path: Path, name: str) -> None:
    code = (
        MEMORY
        if name == "a.mp4"
        else MEMORY.replace("    assert abs", "    # assert abs").replace("2000", "1200")
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    assert float(ran.stdout) < 20  # MB; 1000 frames are 62

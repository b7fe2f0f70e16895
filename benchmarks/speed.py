"""Speed and memory of the real command line: frames per second, peak memory by length, cost by size.

python benchmarks/speed.py [MEDIA] [--minutes 10] [--only speed,memory,size]
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2

from media import find_media, grace_hopper
from portrayal.media.image import read_image, write_image
from portrayal.media.video import VideoReader

SIDES = (512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Run:
    """seconds: wall clock. peak: largest resident memory in MB. frames: of the output."""

    seconds: float
    peak: float
    frames: int


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        driving = _driving(options.media, folder)
        tests = {"speed": _speed, "memory": _memory, "size": _size}
        print(f"{machine()}; driving {driving.name}\n")
        for name in options.only.split(","):
            print(tests[name](driving, folder, options) + "\n", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    media = os.environ.get("PORTRAYAL_MEDIA")
    parser.add_argument("media", nargs="?", type=Path, default=Path(media) if media else None)
    parser.add_argument("--minutes", type=float, default=10, help="length of the long driving (10)")
    parser.add_argument("--only", default="speed,memory,size", help="which of speed,memory,size")
    return parser.parse_args()


def machine() -> str:
    """Cores and processor, as the tables name them."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {model}, Python {platform.python_version()}"


def _driving(media: Path | None, folder: Path) -> Path:
    """The driving with the most pixels a second that is 512 pixels high or less; sound preferred."""
    _, drivings = find_media(media, folder / "made")
    infos = [VideoReader(path).info for path in drivings.values()]
    usual = [info for info in infos if max(info.width, info.height) <= 512] or infos
    return max(usual, key=lambda info: (info.has_audio, info.width * info.height * info.fps)).path


def animate(portrait: Path, driving: Path, target: Path, *options: str) -> Run:
    """Run `portrayal animate` in a process of its own and watch it."""
    portrayal = Path(sys.executable).with_name("portrayal")
    command = [str(portrayal), "animate", str(portrait), str(driving), "-o", str(target), "--quiet", *options]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--overwrite"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    seconds = time.perf_counter() - started
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(seconds, kilobytes / 1024, VideoReader(target).info.frame_count)


def _speed(driving: Path, folder: Path, options: argparse.Namespace) -> str:
    """Decode, track, render, encode. Starting up is told apart by running a tenth as well."""
    portrait = square_portrait(512, folder)
    looped = loop(driving, folder / "loop.mp4", 30)
    long = animate(portrait, looped, folder / "long.mp4")
    short = animate(portrait, looped, folder / "short.mp4", "--end", "3")
    steady = (long.frames - short.frames) / (long.seconds - short.seconds)
    rows = [
        f"| frames | {long.frames} |",
        f"| seconds, from start to end | {long.seconds:.1f} |",
        f"| frames a second, from start to end | {long.frames / long.seconds:.1f} |",
        f"| frames a second, once running | {steady:.1f} |",
        f"| seconds to start | {max(short.seconds - short.frames / steady, 0):.1f} |",
    ]
    return "\n".join(["| speed at 512x512 | |", "| --- | --: |", *rows])


def _memory(driving: Path, folder: Path, options: argparse.Namespace) -> str:
    portrait = square_portrait(512, folder)
    lines = ["| length of the driving | frames | peak memory, MB | ratio |", "| --- | --: | --: | --: |"]
    first = None
    for seconds in (10, round(60 * options.minutes)):
        run = animate(portrait, loop(driving, folder / "loop.mp4", seconds), folder / "out.mp4")
        first = first or run
        lines.append(f"| {seconds} s | {run.frames} | {run.peak:.0f} | {run.peak / first.peak:.3f} |")
    return "\n".join(lines)


def _size(driving: Path, folder: Path, options: argparse.Namespace) -> str:
    """Cost of a frame by the portrait's size, from the frames beyond the first second."""
    head = "| portrait | ms a frame | ms a megapixel | to start, s | peak memory, MB |"
    lines = [head, "| --- " + "| --: " * 4 + "|"]
    looped = loop(driving, folder / "loop.mp4", 4)
    for side in SIDES:
        portrait = square_portrait(side, folder)
        short = animate(portrait, looped, folder / "short.mp4", "--end", "1")
        long = animate(portrait, looped, folder / "out.mp4", "--end", "3")
        each = (long.seconds - short.seconds) / (long.frames - short.frames)
        start = max(short.seconds - short.frames * each, 0)
        figures = f"{1000 * each:.0f} | {1e9 * each / side**2:.0f} | {start:.1f} | {long.peak:.0f}"
        lines.append(f"| {side}x{side} | {figures} |")
    return "\n".join(lines)


def square_portrait(side: int, folder: Path) -> Path:
    """The photo of Grace Hopper, cut square around the head, in this size."""
    path = folder / f"portrait{side}.png"
    if not path.exists():
        rgb = read_image(grace_hopper()).rgb[:512, :512]
        write_image(path, cv2.resize(rgb, (side, side), interpolation=cv2.INTER_CUBIC))
    return path


def loop(source: Path, target: Path, seconds: float) -> Path:
    """The video again and again for so many seconds, its packets copied as they are."""
    length = float(VideoReader(source).info.duration)
    with av.open(str(source)) as first, av.open(str(target), "w") as out:
        kept = [stream for stream in first.streams if stream.type in ("video", "audio")]
        streams = {stream.index: out.add_stream_from_template(stream) for stream in kept}
        for turn in range(math.ceil(seconds / length)):
            _copy(source, out, streams, turn * length, min(length, seconds - turn * length))
    return target


def _copy(source: Path, out: Any, streams: dict[int, Any], offset: float, length: float) -> None:
    """Append the first `length` seconds at `offset`; sound that reaches back over the seam is left out."""
    with av.open(str(source)) as container:
        for packet in container.demux(*(container.streams[index] for index in streams)):
            sound = packet.stream.type == "audio"
            if packet.dts is None or packet.pts is None:
                continue
            time = float(packet.dts * packet.time_base)
            if time >= length or (sound and offset and time < 0) or (sound and time > length - 0.05):
                continue
            shift = round(offset / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = streams[packet.stream.index]
            out.mux(packet)


if __name__ == "__main__":
    main()

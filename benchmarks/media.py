"""What the benchmarks run on: a folder of media, or what can be made from one photo."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

from portrayal import Driving, Motion, Portrait, load_engine
from portrayal.errors import PortrayalError
from portrayal.media.sniff import sniff
from portrayal.motion import SHAPE_INDEX, SHAPES

FPS = Fraction(25)
Named = dict[str, Path]


def grace_hopper() -> Path:
    """Matplotlib's public-domain photo."""
    with get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        return Path(file.name)


def find_media(folder: Path | None, made: Path) -> tuple[Named, Named]:
    """Portraits and drivings by name: pictures of `folder`/portraits with Grace Hopper, videos of
    `folder`/driving. Without a folder: her photo, and clips made from it into the folder `made`."""
    portraits = {"grace_hopper": grace_hopper()}
    if folder is None:
        return portraits, made_clips(made)
    portraits |= _of_kind(folder / "portraits", "image")
    return portraits, _of_kind(folder / "driving", "video")


def _of_kind(folder: Path, kind: str) -> Named:
    if not folder.is_dir():
        raise PortrayalError(f"{folder}: no such folder (a media folder has portraits/ and driving/)")
    found = {}
    for path in sorted(folder.iterdir()):
        try:
            if path.is_file() and sniff(path) == kind:
                found[path.stem] = path
        except PortrayalError:
            continue  # a text beside the media
    return found


def options_for(parser: argparse.ArgumentParser) -> None:
    """What every benchmark over portraits and drivings is asked for."""
    media = os.environ.get("PORTRAYAL_MEDIA")
    parser.add_argument("media", nargs="?", type=Path, default=Path(media) if media else None)
    parser.add_argument("--portraits", help="names, with commas between (all)")
    parser.add_argument("--drivings", help="names, with commas between (all)")
    parser.add_argument("--seconds", type=float, help="use the beginning of each driving only")
    parser.add_argument("--size", type=int, default=512, help="longest side of the portraits (512)")


def opened(portraits: Named, size: int) -> Iterator[tuple[str, Portrait]]:
    """Portraits by name; pictures without a face are told and passed over."""
    for name, path in portraits.items():
        try:
            yield name, Portrait.open(path, size=size)
        except PortrayalError as error:
            print(error, file=sys.stderr)


def chosen(media: Named, names: str | None) -> Named:
    """Those of the media that are named, with commas between; all unless given."""
    if names is None:
        return media
    missing = [name for name in names.split(",") if name not in media]
    if missing:
        raise SystemExit(f"not among the media: {', '.join(missing)} (there are {', '.join(media)})")
    return {name: media[name] for name in names.split(",")}


def made_clips(folder: Path) -> Named:
    """The puppet acting on the photo: talking with the eyes about, and turning the head."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = {}
    for name, motion in {"made_talk": _talking(), "made_turn": _turning()}.items():
        clips[name] = folder / f"{name}.mp4"
        if not clips[name].exists():
            portrait = Portrait.open(grace_hopper(), size=512)
            load_engine("puppet").animate(portrait, Driving.from_motion(motion)).save(clips[name])
    return clips


def _motion(shapes: dict[str, np.ndarray], rotation: np.ndarray) -> Motion:
    coefficients = np.zeros((len(rotation), len(SHAPES)), np.float32)
    for name, values in shapes.items():
        coefficients[:, SHAPE_INDEX[name]] = values
    return Motion.from_coefficients(FPS, coefficients, rotation.astype(np.float32))


def _talking(seconds: int = 5) -> Motion:
    t = np.arange(seconds * int(FPS)) / float(FPS)
    blink = np.maximum(0, 1 - np.abs((t % 2.5) - 1.5) / 0.12)
    look = 0.7 * np.sin(2 * np.pi * t / 4)
    shapes = {
        "jawOpen": 0.25 * (1 - np.cos(2 * np.pi * 2.2 * t)) * (0.5 + 0.5 * np.sin(2 * np.pi * t / 3)),
        "mouthSmileLeft": 0.5 * np.sin(np.pi * t / seconds) ** 2,
        "mouthSmileRight": 0.5 * np.sin(np.pi * t / seconds) ** 2,
        "eyeBlinkLeft": blink, "eyeBlinkRight": blink,
        "eyeLookOutLeft": np.maximum(look, 0), "eyeLookInRight": np.maximum(look, 0),
        "eyeLookInLeft": np.maximum(-look, 0), "eyeLookOutRight": np.maximum(-look, 0),
        "browInnerUp": 0.6 * np.maximum(0, np.sin(2 * np.pi * t / 3.3)),
    }  # fmt: skip
    return _motion(shapes, np.zeros((len(t), 3)))


def _turning(seconds: int = 5) -> Motion:
    t = np.arange(seconds * int(FPS)) / float(FPS)
    rotation = np.stack(
        [6 * np.sin(2 * np.pi * t / 2.1), 14 * np.sin(2 * np.pi * t / 5), 5 * np.sin(2 * np.pi * t / 3.3)], 1
    )
    return _motion({"jawOpen": 0.15 * (1 - np.cos(2 * np.pi * t))}, rotation)

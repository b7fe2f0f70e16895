"""Pairs of frames of one clip, from videos or folders of frames, augmented; the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from portrayal.engines.tpsmm.crop import resized
from portrayal.engines.tpsmm.training.config import Config
from portrayal.errors import PortrayalError
from portrayal.media.clips import find_clips, pictures
from portrayal.media.files import shown
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader

Rgb = NDArray[np.uint8]


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Source and driving (3, S, S) in [0, 1], the source earlier.

    Items are numbered through all epochs: item i is the same in every run with this seed, whatever came
    before.
    """

    def __init__(self, folder: Path, config: Config, size: int, seed: int) -> None:
        self._clips = grouped(find_clips(folder, "train"), config.identities)
        self._config, self._size, self._seed = config, size, seed
        self.per_epoch = len(self._clips) * config.repeats

    def __len__(self) -> int:
        return self.per_epoch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(index, self.per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self.per_epoch)
        rng = np.random.default_rng((self._seed, epoch, place))
        clips = self._clips[order[place] % len(self._clips)]
        clip = clips[rng.integers(len(clips))]
        count = frame_count(clip)
        first, second = sorted(rng.integers(count, size=2))
        pair = [read_frame(clip, int(number)) for number in (first, second)]
        source, driving = augmented(pair, self._size, self._config, rng)
        return _tensor(source), _tensor(driving)


def grouped(clips: list[Path], identities: bool) -> list[list[Path]]:
    """Clips of one identity (the name before '#') together, or each alone."""
    groups: dict[str, list[Path]] = {}
    for clip in clips:
        groups.setdefault(clip.name.split("#")[0] if identities else clip.name, []).append(clip)
    return list(groups.values())


def frame_count(clip: Path) -> int:
    return len(pictures(clip)) if clip.is_dir() else VideoReader(clip).info.frame_count


def read_frame(clip: Path, number: int) -> Rgb:
    """One frame of a clip; of a video the last one there is, where it has fewer than it says."""
    if clip.is_dir():
        return read_image(pictures(clip)[number]).rgb
    video = VideoReader(clip)
    if number > 0:
        video = VideoReader(clip, start=float(number / video.fps))
    for rgb in video:
        return rgb
    for rgb in VideoReader(clip):
        return rgb
    raise PortrayalError(f"{shown(clip)}: has no frames")


def augmented(pair: list[Rgb], size: int, config: Config, rng: np.random.Generator) -> list[Rgb]:
    """Both frames changed alike: time or mirror, size (where the config says), colours."""
    if rng.random() < 0.5:
        pair = pair[::-1]
    elif rng.random() < 0.5:
        pair = [np.ascontiguousarray(rgb[:, ::-1]) for rgb in pair]
    if config.zoom:
        pair = _zoomed(pair, size, config.zoom, rng)
    pair = [rgb if rgb.shape[:2] == (size, size) else resized(rgb, size) for rgb in pair]
    steps = _colour_steps(config.hue, rng)
    return [_coloured(rgb, steps) for rgb in pair]


def _zoomed(pair: list[Rgb], size: int, zoom: float, rng: np.random.Generator) -> list[Rgb]:
    """Resized by a random factor, then a random square of `size`, edges repeated where it is too small."""
    factor = 1 + rng.uniform(-zoom, zoom)
    offset = rng.random(2)
    result = []
    for rgb in pair:
        large = resized(rgb, max(1, round(size * factor)))
        missing = max(size - len(large), 0)
        if missing:
            large = np.pad(large, ((0, missing), (0, missing), (0, 0)), mode="edge")
        top, left = (offset * (len(large) - size + 1)).astype(int)
        result.append(np.ascontiguousarray(large[top : top + size, left : left + size]))
    return result


Step = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _colour_steps(hue: float, rng: np.random.Generator) -> list[Step]:
    """Brightness, contrast, saturation and hue, in random order; each takes and gives levels 0 to 255."""
    bright, contrast, saturation = (float(v) for v in 1 + rng.uniform(-0.1, 0.1, 3))
    turn = float(rng.uniform(-hue, hue))

    def contrasted(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        mean = _grey(rgb).mean()
        return mean + contrast * (rgb - mean)

    def saturated(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        grey = _grey(rgb)[..., None]
        return grey + saturation * (rgb - grey)

    def turned(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        hsv = cv2.cvtColor(rgb / 255, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + 360 * turn) % 360
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, np.float32)

    steps: list[Step] = [lambda rgb: bright * rgb, contrasted, saturated, turned]
    return [steps[i] for i in rng.permutation(4)]


def _coloured(rgb: Rgb, steps: list[Step]) -> Rgb:
    picture = rgb.astype(np.float32)
    for step in steps:
        picture = np.clip(step(picture), 0, 255).astype(np.float32)
    return np.rint(picture).astype(np.uint8)


def _grey(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _tensor(rgb: Rgb) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).float() / 255

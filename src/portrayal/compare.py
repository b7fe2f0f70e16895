"""Two clips side by side: what drove, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.clip import Clip

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.media.audio import Audio

Rgb = NDArray[np.uint8]

#: Peaks of the sound per second, and seconds of it shown at a time.
_PEAKS, _SHOWN = 100, 3.0
_PAPER, _WAVE, _NOW = (24, 26, 30), (120, 190, 250), (240, 240, 240)


def beside(clip: Clip, driving: Driving) -> Clip:
    """`driving` on the left and `clip` on the right, of equal heights; see :meth:`Clip.compare`."""
    width, height = clip.size
    panel, left_width = _panel(clip, driving)

    def frames() -> Iterator[Rgb]:
        for left, right in zip(_held(panel()), clip, strict=False):
            yield np.concatenate([_to_height(left, height, left_width), right], axis=1)

    return replace(clip, frames=frames, size=(left_width + width, height))


def _panel(clip: Clip, driving: Driving) -> tuple[Callable[[], Iterator[Rgb]], int]:
    """The pictures on the left, and how wide they are at the clip's height."""
    height = clip.size[1]
    if driving.kind in ("video", "frames", "image"):
        shape = next(iter(driving.frames)).shape
        return (lambda: iter(driving.frames)), max(1, round(shape[1] * height / shape[0]))
    if driving.audio is not None:
        audio, fps, wide = driving.audio, float(clip.fps), max(64, height * 2 // 3)
        return (lambda: waveform(audio, fps, wide, height)), wide
    still = clip.still if clip.still is not None else np.full((height, height, 3), _PAPER, np.uint8)
    return (lambda: iter([still])), max(1, round(still.shape[1] * height / still.shape[0]))


def _held(frames: Iterable[Rgb]) -> Iterator[Rgb]:
    """The frames, the last of them for ever."""
    last: Rgb | None = None
    for last in frames:
        yield last
    if last is not None:
        yield from repeat(last)


def _to_height(rgb: Rgb, height: int, width: int) -> Rgb:
    if rgb.shape[:2] == (height, width):
        return rgb
    how = cv2.INTER_AREA if rgb.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=how), np.uint8)


def waveform(audio: Audio, fps: float, width: int, height: int) -> Iterator[Rgb]:
    """The sound scrolling by, one picture (height, width, 3) for every frame; now is in the middle."""
    peaks = _peaks(audio)
    loudest = max(float(peaks.max(initial=0)), 1e-3)
    offsets = (np.arange(width) / width - 0.5) * _SHOWN
    rows = np.abs(np.arange(height) - (height - 1) / 2)[:, None]
    frame = 0
    while frame / fps < len(peaks) / _PEAKS:
        at = np.floor((frame / fps + offsets) * _PEAKS).astype(int)
        level = np.where((at >= 0) & (at < len(peaks)), peaks[np.clip(at, 0, len(peaks) - 1)], 0) / loudest
        picture = np.full((height, width, 3), _PAPER, np.uint8)
        picture[rows <= np.maximum(level * 0.4 * height, 0.5)[None]] = _WAVE
        picture[:, width // 2] = _NOW
        yield picture
        frame += 1


def _peaks(audio: Audio) -> NDArray[np.float32]:
    """The loudest sample of every hundredth of a second."""
    size, peaks, rest = 80, [], np.zeros(0, np.float32)
    for block in audio.blocks(_PEAKS * size, mono=True):
        rest = np.concatenate([rest, np.abs(block[:, 0])])
        whole = len(rest) // size * size
        peaks.append(rest[:whole].reshape(-1, size).max(1))
        rest = rest[whole:]
    return np.concatenate([*peaks, rest.max(keepdims=True)] if len(rest) else [*peaks, rest])

"""How well one series of measures follows another."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Series = NDArray[np.floating]

#: Frames by which a voice may be early or late.
LAGS = 8


@dataclass(frozen=True)
class Agreement:
    """How one measure of a candidate follows the driving's.

    r: Pearson correlation; NaN where one of them stands still. error: mean absolute difference, each about
    its own mean. gain: deviation of the candidate over the driving's.
    """

    r: float
    error: float
    gain: float


def agreement(candidate: Series, driving: Series) -> Agreement:
    """Of two (T,) series; frames where one is NaN do not count."""
    both = ~(np.isnan(candidate) | np.isnan(driving))
    if both.sum() < 2:
        return Agreement(float("nan"), float("nan"), float("nan"))
    x, y = (s[both].astype(np.float64) - s[both].mean(dtype=np.float64) for s in (candidate, driving))
    spread = float(y.std())
    return Agreement(
        correlation(x, y),
        float(np.abs(x - y).mean()),
        float(x.std()) / spread if spread > 0 else float("nan"),
    )


def correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's r of two (T,) series without NaN; NaN where one of them is constant."""
    a, b = (s - s.mean() for s in (np.asarray(x, np.float64), np.asarray(y, np.float64)))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 1e-12 else float("nan")


def best_lag(candidate: Series, driving: Series) -> tuple[float, int]:
    """The highest r of two (T,) series shifted by up to :data:`LAGS` frames, and that shift.

    A positive lag means that the candidate is late.
    """
    best = (float("nan"), 0)
    for lag in sorted(range(-LAGS, LAGS + 1), key=abs):
        if abs(lag) >= len(driving):
            continue
        late = candidate[max(lag, 0) : len(candidate) + min(lag, 0)]
        early = driving[max(-lag, 0) : len(driving) + min(-lag, 0)]
        r = agreement(late, early).r
        if not np.isnan(r) and not r <= best[0]:
            best = (r, lag)
    return best


def noise(first: Series, second: Series) -> float:
    """Deviation of the error of one measurement, from two independent ones of the same (T,) frames.

    A constant difference between them does not count.
    """
    difference = (first - second)[~np.isnan(first - second)]
    return float(difference.std() / np.sqrt(2)) if len(difference) else float("nan")


def tremble(points: Series, scale: Series) -> float:
    """Mean size of the second difference over time of (T, N, 2) points in pixels, in eye distances.

    scale: (T,) pixels per eye distance, of which the median counts. NaN without three frames in a row.
    """
    bend = np.linalg.norm(np.diff(points.astype(np.float64), 2, axis=0), axis=2)
    bend = bend[~np.isnan(bend).any(1)]
    return float(bend.mean() / np.nanmedian(scale)) if len(bend) else float("nan")


def frame_at(number: int, fps: Fraction, other_fps: Fraction) -> int:
    """The frame of a video at `other_fps` that is shown with frame `number` of one at `fps`.

    The rule is that of :func:`portrayal.media.rates.at_constant_rate`: half a frame early still counts.
    """
    return int((number / fps + 1 / (2 * max(fps, other_fps))) * other_fps)


def same_time(count: int, fps: Fraction, other_count: int, other_fps: Fraction) -> NDArray[np.int64]:
    """:func:`frame_at` for the first `count` frames, up to the end of a video of `other_count` frames."""
    frames = np.array([frame_at(k, fps, other_fps) for k in range(count)], np.int64)
    return frames[frames < other_count]

"""From two tracks to scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from portrayal.evaluate.agreement import Agreement, agreement, best_lag, noise, tremble
from portrayal.evaluate.follow import Track
from portrayal.evaluate.pictures import PSNR_LIMIT
from portrayal.evaluate.report import Candidates, Movement, Quality
from portrayal.track.measures import COLUMN, MEASURES

Array = NDArray[np.float32]

#: A driving moves a measure if it deviates by more than this many times the tracker's noise. At 2, two looks
#: at the same frames correlate with r = 0.75.
MOVED = 2.0
#: A head moves if its angle spans more than this, degrees.
HEAD_MOVED = 3.0
#: Gaze and brows count while both eyes are more open than this share of how far they usually are: of shut
#: eyes the mesh reads the brows as raised, where by optical flow they have not moved.
EYES_OPEN = 0.5
_HEAD = ("pitch", "yaw", "roll")
_SEEN_IN_OPEN_EYES = ("gaze_x", "gaze_y", "brow_right", "brow_left")


def movements(result: Track, driving: Track) -> tuple[Movement, ...]:
    """Each measure of two tracks of the same length."""
    watched = _eyes_open(driving)
    found = []
    for column, measure in enumerate(MEASURES):
        rows = watched if measure.key in _SEEN_IN_OPEN_EYES else driving.seen
        ours, theirs, again = (
            np.where(rows, values[:, column], np.nan)
            for values in (result.values, driving.values, driving.looks)
        )
        deviation, span = _spread(theirs)
        error = noise(theirs, again)
        moved = span > HEAD_MOVED if measure.key in _HEAD else deviation > MOVED * error
        still = Agreement(float("nan"), agreement(np.zeros_like(theirs), theirs).error, 0.0)
        scores = Candidates(agreement(ours, theirs), still, agreement(again, theirs))
        found.append(Movement(measure, deviation, span, error, moved, scores))
    return tuple(found)


def _eyes_open(driving: Track) -> NDArray[np.bool_]:
    eyes = driving.values[:, [COLUMN["eye_right"], COLUMN["eye_left"]]].min(1)
    usual = np.nanpercentile(eyes, 80) if driving.seen.any() else np.nan
    return np.asarray(eyes > EYES_OPEN * usual)


def _spread(values: Array) -> tuple[float, float]:
    """Standard deviation, and distance from the 1st to the 99th percentile."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return float("nan"), float("nan")
    low, high = np.percentile(seen, (1, 99))
    return float(seen.std()), float(high - low)


def qualities(result: Track, driving: Track, still: Track, border_psnr: float) -> Candidates[Quality]:
    """See :class:`Quality`. result and driving are of the same length; still: the portrait, held."""
    nan = float("nan")
    sharp = _median(still.sharpness)
    lost = int((driving.seen & ~result.seen).sum())
    mouth = COLUMN["mouth_open"]
    said = driving.values[:, mouth]
    return Candidates(
        Quality(
            _jitter(result, driving), _median(result.sharpness) / sharp, border_psnr, lost,
            *best_lag(result.values[:, mouth], said),
        ),
        Quality(_jitter(still, driving), 1.0, PSNR_LIMIT, 0, nan, 0),
        Quality(1.0, _median(driving.sharpness) / sharp, nan, 0, *best_lag(driving.looks[:, mouth], said)),
    )  # fmt: skip


def _jitter(track: Track, driving: Track) -> float:
    trembling = tremble(driving.steady, driving.scale)
    return tremble(track.steady, track.scale) / trembling if trembling > 0 else float("nan")


def _median(values: Array) -> float:
    return float("nan") if np.isnan(values).all() else float(np.nanmedian(values))

"""Frame rates: exact from a container, sane where it does not know; steady frames from uneven ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]

#: Rates that cameras, editors and screens use.
STANDARD = tuple(
    Fraction(n, d)
    for n, d in (
        (25, 1), (30, 1), (24, 1), (50, 1), (60, 1), (15, 1), (10, 1), (12, 1), (20, 1), (5, 1), (8, 1),
        (48, 1), (100, 1), (120, 1), (30000, 1001), (24000, 1001), (60000, 1001), (15000, 1001),
    )
)  # fmt: skip
DEFAULT = Fraction(25)
_FASTEST = 1000


@dataclass(frozen=True)
class TimedFrame:
    """A source frame: when it is shown, for how long (0: until the next), and how to get it as uint8 RGB."""

    time: Fraction
    duration: Fraction
    rgb: Callable[[], RGB]


def stream_rate(average: Fraction | None, base: Fraction | None, guessed: Fraction | None) -> Fraction:
    """The constant rate to show a stream at, from what FFmpeg knows of it.

    The average rate is exact for a constant rate. Where it is a little below the base rate, frames were
    dropped; where it is near a standard rate, the length was rounded.
    """
    rate, base, guessed = _sane(average), _sane(base), _sane(guessed)
    if rate is None:
        return base or guessed or DEFAULT
    if rate == base:
        return _ntsc(rate) or rate
    near = next((s for s in STANDARD if abs(rate / s - 1) < Fraction(3, 10000)), None)
    if near is not None:
        return near
    if base is not None and base <= 120 and rate < base <= rate * Fraction(10, 9):
        return base
    return rate.limit_denominator(1001)


def _ntsc(rate: Fraction) -> Fraction | None:
    """n·1000/1001 where the rate is that but for rounding (Matroska holds a frame's nanoseconds)."""
    near = Fraction(round(rate * Fraction(1001, 1000)) * 1000, 1001)
    return near if abs(rate - near) < near / 10**6 else None


def _sane(rate: Any) -> Fraction | None:
    return Fraction(rate) if rate and Fraction(1, 3600) <= rate <= _FASTEST else None


def even_rate(times: Sequence[Fraction], duration: Fraction, tick: Fraction) -> Fraction | None:
    """The rate of frames at these times (seconds from 0) that were rounded to `tick`; None where uneven.

    A file that stores hundredths or thousandths of a second shows 30 frames a second as 3, 3, 4.
    """
    if len(times) < 2:
        return 1 / duration if duration else None
    step = times[1] - times[0]
    if step and all(b - a == step for a, b in pairwise(times)):
        exact = _sane(1 / step)
        if exact is not None and (step >= 20 * tick or exact in STANDARD):
            return exact
    return next((r for r in STANDARD if all(abs(t - i / r) < tick for i, t in enumerate(times))), None)


def tolerance(source: Fraction, shown: Fraction) -> Fraction:
    """How far after an output time (seconds) a source frame may lie to be shown at it: half a frame."""
    return 1 / (2 * max(source, shown))


def frame_count(duration: Fraction, rate: Fraction, slack: Fraction) -> int:
    """Frames that :func:`at_constant_rate` gives for a source of `duration` seconds."""
    return max(0, math.ceil((duration - slack) * rate))


def at_constant_rate(
    frames: Iterable[TimedFrame], rate: Fraction, start: Fraction, source_rate: Fraction, count: int | None
) -> Iterator[RGB]:
    """Frame k is the source frame shown at `start` + k / `rate` seconds, give or take half a frame.

    Passes a constant rate through as it is; before the first source frame that one is shown. Stops after
    `count` frames, or when the source ends.
    """
    slack = tolerance(source_rate, rate)
    given = 0
    current: TimedFrame | None = None
    for following in frames:
        if current is not None:
            due = frame_count(following.time - start, rate, slack)
            yield from _repeat(current, (due if count is None else min(due, count)) - given)
            given = max(given, due)
            if count is not None and given >= count:
                return
        current = following
    if current is not None:
        ends = current.time + (current.duration or 1 / source_rate)
        due = frame_count(ends - start, rate, slack)
        yield from _repeat(current, (due if count is None else min(due, count)) - given)


def _repeat(frame: TimedFrame, times: int) -> Iterator[RGB]:
    if times > 0:
        picture = frame.rgb()
        for _ in range(times - 1):
            yield picture.copy()
        yield picture

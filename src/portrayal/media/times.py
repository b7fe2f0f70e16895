"""Spans of time as a user gives them, in seconds."""

from __future__ import annotations

from fractions import Fraction

from portrayal.errors import UsageError


def checked_span(start: float | None, end: float | None) -> tuple[Fraction, Fraction | None]:
    """Start (0 if None) and end in seconds as exact numbers; UsageError unless 0 <= start < end."""
    first = seconds(start or 0)
    last = None if end is None else seconds(end)
    if first < 0 or (last is not None and last <= first):
        until = "the end" if end is None else f"{end:g} s"
        raise UsageError(f"there is nothing from {start or 0:g} s to {until}")
    return first, last


def seconds(value: float) -> Fraction:
    """A time in seconds to the microsecond."""
    try:
        return Fraction(value).limit_denominator(1_000_000)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{value} is not a time in seconds") from error

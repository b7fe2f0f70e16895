"""Options that several commands share: what they are called, what they take, their help."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Any, Literal

import typer

from portrayal.errors import UsageError

#: Rates that are written 29.97 but mean 30000/1001.
_NTSC = {f"{n * 1000 / 1001:.{digits}f}": Fraction(n * 1000, 1001) for n in (24, 30, 60) for digits in (2, 3)}
_FASTEST = 1000


def rate(text: str) -> Fraction:
    """Frames per second: 25, 29.97 (which means 30000/1001), 23.976 or 30000/1001."""
    try:
        fps = _NTSC[text] if text in _NTSC else Fraction(text)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if not 0 < fps <= _FASTEST:
        raise UsageError(f"--fps: {text!r} is no frame rate; use for example 25, 29.97 or 30000/1001")
    return fps.limit_denominator(10**6)


def seconds(text: str) -> float:
    """A time: 12.5, 1:02.5 (minutes) or 1:00:00 (hours)."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = [math.nan]
    if len(parts) > 3 or not all(0 <= value < math.inf for value in values):
        raise UsageError(f"{text!r} is no time; use for example 12.5 (seconds) or 1:02.5")
    return sum(value * 60**place for place, value in enumerate(reversed(values)))


def one_face(text: str) -> Literal["largest", "left", "right"] | int:
    """largest, left, right, or a number counted from the left, 0 first."""
    if text in ("largest", "left", "right"):
        return text  # type: ignore[return-value]
    if text.isascii() and text.isdigit():
        return int(text)
    raise UsageError(
        f"{text!r} is no face; use largest, left, right or a number counted from the left (0 first)"
    )


def faces(text: str) -> Literal["largest", "left", "right", "all"] | int:
    """What :func:`one_face` takes, or all."""
    return "all" if text == "all" else one_face(text)


def quality(text: str) -> int | str:
    """low, medium, high, or 0 to 100."""
    if text in ("low", "medium", "high"):
        return text
    if text.isascii() and text.isdigit() and int(text) <= 100:
        return int(text)
    raise UsageError(f"--quality: {text!r} is not low, medium, high or a number from 0 to 100")


_DRIVING, _PICTURE, _RESULT, _RUN = "Driving", "Portrait", "Result", "Run"

Engine = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="Which engine (see portrayal engines).")
]
Start = Annotated[
    float | None,
    typer.Option(
        parser=seconds, metavar="TIME", help="Begin here: 12.5 or 1:02.5.", rich_help_panel=_DRIVING
    ),
]
End = Annotated[
    float | None, typer.Option(parser=seconds, metavar="TIME", help="Stop here.", rich_help_panel=_DRIVING)
]
Fps = Annotated[
    Fraction | None,
    typer.Option(
        parser=rate,
        metavar="RATE",
        help="Frames per second: 25, 29.97, 30000/1001. Its own unless given.",
        rich_help_panel=_DRIVING,
    ),
]
DrivingFace = Annotated[
    Any,
    typer.Option(
        parser=one_face,
        metavar="FACE",
        help="Which face drives: largest, left, right, or N from the left.",
        rich_help_panel=_DRIVING,
    ),
]
Voice = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Voice that speaks the text: en-us, en-gb, de, fr ...", rich_help_panel=_DRIVING
    ),
]
OneFace = Annotated[
    Any,
    typer.Option(
        "--face",
        parser=one_face,
        metavar="FACE",
        help="Which face: largest, left, right, or N from the left.",
    ),
]
Transcript = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="What the voice says, for exact lips.", rich_help_panel=_DRIVING),
]
Faces = Annotated[
    Any,
    typer.Option(
        parser=faces,
        metavar="FACE",
        help="Which face moves: largest, left, right, all, or N from the left (0 first).",
        rich_help_panel=_PICTURE,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        min=16,
        metavar="PIXELS",
        help="Longest side. The portrait's own unless given.",
        rich_help_panel=_PICTURE,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Largest portrait to accept, in pixels.", rich_help_panel=_PICTURE),
]
Crop = Annotated[
    bool,
    typer.Option(
        "--crop/--full", help="A square around the face, or the whole picture.", rich_help_panel=_RESULT
    ),
]
Compare = Annotated[
    bool, typer.Option("--compare", help="Show the driving beside the result.", rich_help_panel=_RESULT)
]
Sheet = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write a contact sheet too (.png, .jpg).", rich_help_panel=_RESULT),
]
Quality = Annotated[
    str,
    typer.Option(
        parser=quality, metavar="Q", help="low, medium, high, or 0 to 100.", rich_help_panel=_RESULT
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what exists.", rich_help_panel=_RESULT)]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=_RUN)]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.", rich_help_panel=_RUN)]

"""Options that several commands share: what they are called, what they take, their help."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import typer

from portrayal.requests import AnimateRequest, faces, one_face, quality, rate, seconds


def _said(name: str) -> str:
    """The help of a field of the requests."""
    return f"{AnimateRequest.model_fields[name].description}."


_DRIVING, _PICTURE, _RESULT, _RUN = "Driving", "Portrait", "Result", "Run"

Engine = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="Which engine (see portrayal engines).")
]
Start = Annotated[
    float | None,
    typer.Option(parser=seconds, metavar="TIME", help=_said("start"), rich_help_panel=_DRIVING),
]
End = Annotated[
    float | None, typer.Option(parser=seconds, metavar="TIME", help=_said("end"), rich_help_panel=_DRIVING)
]
Fps = Annotated[
    Fraction | None,
    typer.Option(
        parser=rate,
        metavar="RATE",
        help=_said("fps"),
        rich_help_panel=_DRIVING,
    ),
]
DrivingFace = Annotated[
    Any,
    typer.Option(
        parser=one_face,
        metavar="FACE",
        help=_said("driving_face"),
        rich_help_panel=_DRIVING,
    ),
]
Voice = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=_said("voice"), rich_help_panel=_DRIVING),
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
    typer.Option(metavar="TEXT", help=_said("transcript"), rich_help_panel=_DRIVING),
]
Faces = Annotated[
    Any,
    typer.Option(
        parser=faces,
        metavar="FACE",
        help=_said("face"),
        rich_help_panel=_PICTURE,
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        min=16,
        metavar="PIXELS",
        help=_said("size"),
        rich_help_panel=_PICTURE,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help=_said("max_pixels"), rich_help_panel=_PICTURE),
]
Crop = Annotated[
    bool,
    typer.Option("--crop/--full", help=_said("crop"), rich_help_panel=_RESULT),
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
    typer.Option(parser=quality, metavar="Q", help=_said("quality"), rich_help_panel=_RESULT),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what exists.", rich_help_panel=_RESULT)]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=_RUN)]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.", rich_help_panel=_RUN)]

"""`portrayal track`: a driving in, its motion out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from portrayal.cli import options as o
from portrayal.cli.result import progress, say_path, stem, target_path
from portrayal.errors import PortrayalError, UsageError


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return track


def track(
    driving: Annotated[
        str,
        typer.Argument(metavar="DRIVING", help="A video; or anything else that drives.", show_default=False),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel="Result",
            help=".npz (everything) or .csv (Live Link Face). DRIVING.npz in this folder unless given.",
        ),
    ] = None,
    start: o.Start = None,
    end: o.End = None,
    fps: o.Fps = None,
    face: o.OneFace = "largest",
    transcript: o.Transcript = None,
    smooth: Annotated[
        float, typer.Option(min=0, max=1, help="Smoothing: 0 none, 1 strong.", rich_help_panel="Result")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of the acting to a voice.", rich_help_panel="Result")] = 0,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Measure the motion and save it."""
    from portrayal.cli.animate import open_driving
    from portrayal.media.atomic import check_target
    from portrayal.media.files import shown
    from portrayal.motion import Motion

    path = target_path(output, f"{stem(driving)}.npz")
    if not path.lower().endswith((".npz", ".csv")):
        raise UsageError(f"{shown(path)}: motion is written as .npz or .csv")
    target = check_target(path, overwrite)
    source = open_driving(driving, None, transcript, start, end, fps, face, seed)
    if source.path is not None and target.exists() and target.samefile(source.path):
        raise PortrayalError(f"{shown(path)}: is read here; write to another file")
    frames = []
    with progress(source.count, quiet=quiet) as step:
        for frame in source.smoothed(smooth):
            frames.append(frame)
            step(len(frames))
    Motion.from_frames(source.fps, frames).save(path, overwrite)
    say_path(path)

"""`portrayal track`: a driving in, its motion out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, with_flags
from portrayal.cli.result import progress, say_path, stem, target_path
from portrayal.errors import PortrayalError, UsageError


def command(arguments: list[str]) -> Callable[..., object]:
    """The command with the options of the engine that `arguments` name."""
    return with_flags(track, engine_flags(arguments))


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
            help=".npz (everything) or .csv (Live Link Face). DRIVING.npz in this folder unless given; "
            "of the engine liveportrait a motion template (.npz).",
        ),
    ] = None,
    start: o.Start = None,
    end: o.End = None,
    fps: o.Fps = None,
    face: o.OneFace = "largest",
    transcript: o.Transcript = None,
    engine: o.Engine = DEFAULT_ENGINE,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
    **flags: Any,
) -> None:
    """Measure the motion, as the engine plays it, and save it."""
    from portrayal.engines import load_engine
    from portrayal.media.atomic import check_target
    from portrayal.media.files import shown
    from portrayal.requests import AnimateRequest

    path = target_path(output, f"{stem(driving)}.npz")
    if not path.lower().endswith((".npz", ".csv")):
        raise UsageError(f"{shown(path)}: motion is written as .npz or .csv")
    target = check_target(path, overwrite)
    actor = load_engine(engine)
    chosen = actor.options(**given(flags))
    request = AnimateRequest(start=start, end=end, fps=fps, transcript=transcript, driving_face=face)
    source = request.driving(driving, chosen.seed)
    if source.path is not None and target.exists() and target.samefile(source.path):
        raise PortrayalError(f"{shown(path)}: is read here; write to another file")
    with progress(source.count, quiet=quiet) as step:
        recorded = actor.track(source, chosen, step)
    recorded.save(path, overwrite)
    say_path(path)

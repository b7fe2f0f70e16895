"""`portrayal evaluate`: a result and its driving in, the metrics out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from portrayal.cli import options as o
from portrayal.cli.result import progress, table_console


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return evaluate


def evaluate(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The video to judge.", show_default=False)],
    driving: Annotated[str | None, typer.Option(metavar="FILE", help="The video that drove it.")] = None,
    truth: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The true video of what the result shows, if there is one."),
    ] = None,
    portrait: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The picture that was animated. The first frame stands for it unless given."
        ),
    ] = None,
    face: o.OneFace = "largest",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Track the result and what drove it again, and print how they agree, beside two baselines."""
    from portrayal.driving import Driving
    from portrayal.evaluate import evaluate as measured

    count = Driving.open(result).count
    with progress(count, quiet=quiet) as step:
        report = measured(result, driving, truth, portrait, face=face, progress=step)
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    else:
        table_console().print(report.table())

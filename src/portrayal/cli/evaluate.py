"""`portrayal evaluate`: a result and its driving in, the metrics out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import engine_flags, given, option_value, with_flags
from portrayal.cli.result import progress, table_console
from portrayal.errors import UsageError


def command(arguments: list[str]) -> Callable[..., object]:
    """The command; of a protocol with the options of its engine."""
    engine = option_value(arguments, "--protocol")
    return with_flags(evaluate, [] if engine is None else engine_flags(["--engine", engine]))


def evaluate(
    result: Annotated[
        str,
        typer.Argument(
            metavar="RESULT", help="The video to judge; of a protocol a folder of clips.", show_default=False
        ),
    ],
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
    protocol: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Judge an engine as its paper did: tpsmm.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="SFace's ONNX model for a protocol's AED; else `portrayal download sface`."
        ),
    ] = None,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
    **flags: Any,
) -> None:
    """Track the result and what drove it again, and print how they agree, beside two baselines."""
    if protocol is not None:
        _by_protocol(protocol, Path(result), identity, given(flags), as_json, quiet)
        return
    from portrayal.driving import Driving
    from portrayal.evaluate import evaluate as measured

    count = Driving.open(result).count
    with progress(count, quiet=quiet) as step:
        report = measured(result, driving, truth, portrait, face=face, progress=step)
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    else:
        table_console().print(report.table())


def _by_protocol(
    engine: str, folder: Path, identity: str | None, flags: dict[str, Any], as_json: bool, quiet: bool
) -> None:
    """The figures of an engine's paper, from a folder of clips."""
    from portrayal.engines import load_engine
    from portrayal.evaluate.identity import Identity
    from portrayal.evaluate.protocol import reconstruction

    if engine != "tpsmm":
        raise UsageError(f"--protocol: there is one for tpsmm, not for {engine}")
    options = load_engine(engine).options(**flags)
    from portrayal.engines.tpsmm.info import TpsmmOptions
    from portrayal.engines.tpsmm.reconstruction import reconstructed

    assert isinstance(options, TpsmmOptions)
    embed = Identity.downloaded() if identity is None else Identity(Path(identity))
    with progress(None, quiet=quiet) as step:
        scores = asdict(reconstruction(folder, lambda clips: reconstructed(clips, options), embed, step))
    if as_json:
        sys.stdout.write(json.dumps(scores, indent=2) + "\n")
        return
    for name, value in scores.items():
        said = "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
        sys.stdout.write(f"{name:10} {said}\n")

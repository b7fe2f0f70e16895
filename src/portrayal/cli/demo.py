"""`portrayal demo`: a first result, from nothing but what is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from portrayal.cli import options as o
from portrayal.errors import PortrayalError

#: Lips that close, round, part and rest.
SENTENCE = (
    "A ship in port is safe, but that is not what ships are built for. Sail out to sea, and do new things."
)


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return demo


def demo(
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it.", rich_help_panel="Result"),
    ] = "out/grace_hopper.mp4",
    text: Annotated[str, typer.Option(metavar="TEXT", help="What she says.")] = SENTENCE,
    crop: o.Crop = False,
    sheet: o.Sheet = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Animate the photo that comes with matplotlib."""
    from portrayal.cli.animate import animate

    portrait = _photo()
    Path(output).parent.mkdir(exist_ok=True)
    animate(portrait, text=text, output=output, crop=crop, sheet=sheet, overwrite=overwrite, quiet=quiet)


def _photo() -> str:
    """The official portrait of Grace Hopper, a work of the US Navy in the public domain."""
    try:
        from matplotlib.cbook import get_sample_data
    except ModuleNotFoundError as error:
        raise PortrayalError(
            "the demo's photo comes with matplotlib: pip install 'portrayal[demo]'"
        ) from error
    return str(get_sample_data("grace_hopper.jpg", asfileobj=False))

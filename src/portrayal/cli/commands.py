"""The commands. Only the module of the one asked for is imported, so that `portrayal --help` is quick."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

#: Every command and what it does; command x lives in the module portrayal.cli.x.
COMMANDS = {
    "animate": "Have a portrait act out a video, a voice, a text, a motion or a picture.",
    "edit": "Change a portrait's expression, gaze and head by sliders, or over time by a script.",
    "live": "Have a camera drive a portrait, in a window or as a camera for other programs.",
    "app": "Serve a page to do it on, and an HTTP API.",
    "track": "Measure the motion of a video (or make that of a voice) and save it for reuse.",
    "pose": "Draw the skeleton that Wan-Animate sees in a video.",
    "evaluate": "Measure how well a result follows its driving.",
    "train": "Train a model on a folder of clips.",
    "download": "Fetch the weights of an engine.",
    "engines": "List the engines: what is installed, what each reads, its licences.",
    "demo": "Have the public-domain photo of Grace Hopper say a sentence.",
}


def run(arguments: list[str]) -> object:
    """Parse the arguments and run the command; what goes wrong is raised, an exit status returned."""
    return _app(arguments)(args=arguments, prog_name="portrayal", standalone_mode=False)


def options_of(arguments: list[str]) -> list[str]:
    """The arguments before a lone --, after which everything is the name of a file."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _app(arguments: list[str]) -> typer.Typer:
    app = typer.Typer(
        help="One portrait speaks and moves: driven by a video, a voice, a text, a motion or a few sliders.",
        epilog="For example: portrayal animate photo.jpg talk.mp4 -o out.mp4",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top_level)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        module = import_module(f"portrayal.cli.{name}") if name == asked else None
        function = _nothing if module is None else module.command(options_of(arguments))
        app.command(name, help=summary)(function)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        import portrayal

        typer.echo(f"portrayal {portrayal.__version__}")
        raise typer.Exit


def _top_level(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _nothing() -> None:
    """Stands for a command that was not asked for: its name and help are all that is shown."""

"""`portrayal edit`: sliders, or a script of key frames, in; a picture or a video out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, slider, with_flags
from portrayal.cli.result import Target, stem, target_path
from portrayal.errors import UsageError

if TYPE_CHECKING:
    import inspect


def command(arguments: list[str]) -> Callable[..., object]:
    """The command with the options of the engine that `arguments` name, and every slider."""
    return with_flags(edit, [*sliders(), *engine_flags(arguments)])


def sliders() -> list[inspect.Parameter]:
    """The head's flags and the 52 coefficients of a face."""
    from portrayal.requests import sliders as known

    return [
        slider(each.name, f"{each.description}." if each.description else "", each.group) for each in known()
    ]


def edit(
    portrait: Annotated[
        str, typer.Argument(metavar="PORTRAIT", help="A picture with a face, or a video.", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel="Result",
            help="A picture or a video, by its suffix. PORTRAIT-edit.png (or .mp4) unless given.",
        ),
    ] = None,
    script: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Key frames over time (.yaml, .json).", rich_help_panel="Portrait"),
    ] = None,
    start: o.Start = None,
    end: o.End = None,
    fps: o.Fps = None,
    face: o.Faces = "largest",
    size: o.Size = None,
    max_pixels: o.MaxPixels = None,
    engine: o.Engine = DEFAULT_ENGINE,
    crop: o.Crop = False,
    compare: o.Compare = False,
    sheet: o.Sheet = None,
    quality: o.Quality = "high",
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
    **flags: Any,
) -> None:
    """Change the portrait and write the result."""
    from portrayal.clip import is_picture
    from portrayal.engines import engine_options, load_engine
    from portrayal.media.sniff import sniff
    from portrayal.requests import EditRequest, apart

    names = {parameter.name for parameter in sliders()}
    values = {name: value for name, value in given(flags).items() if name in names}
    others = {name: value for name, value in given(flags).items() if name not in names}
    if not values and script is None and not others.keys() & set(engine_options(engine).edits):
        raise UsageError("nothing to change: use sliders such as --pitch 10 --jaw-open 0.3, or --script")
    moving = script is not None or sniff(portrait) == "video"
    path = target_path(output, f"{stem(portrait)}-edit.{'mp4' if moving else 'png'}")
    target = Target(path, overwrite, sheet, quality, quiet)
    target.check([portrait, script])
    if not moving and (start is not None or end is not None):
        raise UsageError("--start and --end: go with a script or a portrait that is a video")
    actor = load_engine(engine)
    values, chosen = apart(actor, values, others)
    request = EditRequest(
        start=start, end=end, fps=fps, face=face, size=size, max_pixels=max_pixels, crop=crop,
        quality=quality, values=values, moving=not is_picture(path),
    )  # fmt: skip
    clip, driving = request.clip(portrait, script, actor, chosen)
    target.write(clip.compare(driving) if compare else clip)

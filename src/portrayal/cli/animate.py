"""`portrayal animate`: portrait and driving in, a video out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, with_flags
from portrayal.cli.result import Target, stem, target_path
from portrayal.errors import UsageError

_PORTRAIT_HELP = "A picture with a face, or a video."
_DRIVING_HELP = (
    "A video, a sound, a motion (.npz, Live Link Face .csv, LivePortrait .pkl), a script (.yaml, .json) or a "
    "picture. What it is is told by its content."
)
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=".mp4, .webm, .gif, .png (first frame), or a folder or pattern of pictures: frames/, %05d.png. "
        "PORTRAIT-DRIVING.mp4 in this folder unless given.",
        rich_help_panel="Result",
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="TEXT", help="What to say, in place of DRIVING.", rich_help_panel="Driving"
    ),
]


def command(arguments: list[str]) -> Callable[..., object]:
    """The command with the options of the engine that `arguments` name."""
    return with_flags(animate, engine_flags(arguments))


def animate(
    portrait: Annotated[str, typer.Argument(metavar="PORTRAIT", help=_PORTRAIT_HELP, show_default=False)],
    driving: Annotated[
        str | None, typer.Argument(metavar="DRIVING", help=_DRIVING_HELP, show_default=False)
    ] = None,
    output: Output = None,
    text: Text = None,
    voice: o.Voice = None,
    transcript: o.Transcript = None,
    start: o.Start = None,
    end: o.End = None,
    fps: o.Fps = None,
    driving_face: o.DrivingFace = "largest",
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
    """Make the portrait act out the driving and write the result."""
    from portrayal.engines import load_engine
    from portrayal.requests import AnimateRequest

    if (driving is None) == (text is None):
        raise UsageError("name one driving: a file, or --text (see portrayal animate --help)")
    name = f"{stem(portrait)}-{'text' if driving is None else stem(driving)}.mp4"
    target = Target(target_path(output, name), overwrite, sheet, quality, quiet)
    target.check([portrait, driving])
    request = AnimateRequest(
        text=text, voice=voice, transcript=transcript, start=start, end=end, fps=fps,
        driving_face=driving_face, face=face, size=size, max_pixels=max_pixels, crop=crop, quality=quality,
    )  # fmt: skip
    actor = load_engine(engine)
    clip, source = request.clip(portrait, driving, actor, actor.options(**given(flags)))
    target.write(clip.compare(source) if compare else clip)

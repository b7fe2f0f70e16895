"""`portrayal animate`: portrait and driving in, a video out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, with_flags
from portrayal.cli.result import Target, stem, target_path
from portrayal.errors import UsageError

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait
    from portrayal.track.face import FaceChoice

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

    if (driving is None) == (text is None):
        raise UsageError("name one driving: a file, or --text (see portrayal animate --help)")
    name = f"{stem(portrait)}-{'text' if driving is None else stem(driving)}.mp4"
    target = Target(target_path(output, name), overwrite, sheet, quality, quiet)
    target.check([portrait, driving])
    actor = load_engine(engine)
    chosen = actor.options(**given(flags))
    if driving is None:
        source = _spoken(text or "", voice, fps, chosen.seed, start=start, end=end, transcript=transcript)
    else:
        source = open_driving(driving, voice, transcript, start, end, fps, driving_face, chosen.seed)
    face = face if actor.needs_face(chosen) else "none"
    person = open_portrait(portrait, face, size, max_pixels=max_pixels)
    clip = actor.animate(person, source, chosen)
    clip = clip.crop(person.crop_box()) if crop and clip.size == person.size else clip
    target.write(clip.compare(source) if compare else clip)


def open_portrait(
    path: str, face: FaceChoice | Literal["all", "none"], size: int | None, **others: Any
) -> Portrait:
    """The portrait; others: start and end of a video, max_pixels, as far as they were given."""
    from portrayal.portrait import Portrait

    return Portrait.open(path, face=face, size=size, **given(others))


def _spoken(text: str, voice: str | None, fps: Fraction | None, seed: int, **others: object) -> Driving:
    """A text as driving; others: what only a file has."""
    from portrayal.driving import Driving

    for name in given(others):
        raise UsageError(f"--{name}: goes with a file, not with --text")
    return Driving.from_text(text, fps=fps, seed=seed, **given({"voice": voice}))


def open_driving(
    path: str,
    voice: str | None,
    transcript: str | None,
    start: float | None,
    end: float | None,
    fps: Fraction | None,
    face: FaceChoice,
    seed: int,
) -> Driving:
    """A file as driving."""
    from portrayal.driving import Driving, described

    if voice is not None:
        raise UsageError("--voice: goes with --text")
    if start is not None and end is not None and end <= start:
        raise UsageError(f"--end: {end:g} s is not after --start, {start:g} s")
    source = Driving.open(path, start=start, end=end, fps=fps, face=face, transcript=transcript, seed=seed)
    if transcript is not None and source.kind != "audio":
        raise UsageError(f"--transcript: goes with a sound, but {source.name} is {described(source.kind)}")
    return source

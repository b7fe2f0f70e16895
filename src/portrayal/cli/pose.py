"""`portrayal pose`: a video in, the skeleton that Wan-Animate sees in it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from portrayal.cli import options as o
from portrayal.cli.result import Target, stem, target_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from portrayal.driving import Driving

    Rgb = NDArray[np.uint8]
    Size = tuple[int, int]


def command(arguments: list[str]) -> Callable[..., object]:
    """The command; its options are always the same."""
    return pose


def pose(
    driving: Annotated[
        str, typer.Argument(metavar="DRIVING", help="A video that shows a body.", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel="Result",
            help=".mp4, .webm, .gif, .png (first frame), or a folder or pattern of pictures. "
            "DRIVING-pose.mp4 in this folder unless given.",
        ),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw over the video, not on black.", rich_help_panel="Result")
    ] = False,
    portrait: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw over this picture, with its person's limbs and in its place.",
            rich_help_panel="Portrait",
        ),
    ] = None,
    smooth: Annotated[bool, typer.Option("--smooth/--no-smooth", help="Steady the points over time.")] = True,
    start: o.Start = None,
    end: o.End = None,
    fps: o.Fps = None,
    sheet: o.Sheet = None,
    quality: o.Quality = "high",
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Draw the skeleton of every frame and write the video, with its sound."""
    from portrayal.clip import Clip
    from portrayal.driving import Driving
    from portrayal.track.followed import STRENGTH

    target = Target(target_path(output, f"{stem(driving)}-pose.mp4"), overwrite, sheet, quality, quiet)
    target.check([driving, portrait])
    source = Driving.open(driving, start=start, end=end, fps=fps)
    strength = STRENGTH if smooth else 0
    if portrait is None:
        frames, size = _on_driving(source, overlay, strength)
    else:
        frames, size = _on_portrait(source, portrait, strength)
    target.write(
        Clip(frames, source.fps, size=size, audio=source.audio, count=source.count, name=source.name)
    )


def _on_driving(source: Driving, overlay: bool, smooth: float) -> tuple[Callable[[], Iterator[Rgb]], Size]:
    """The driving's skeleton, at the driving's size."""
    from portrayal.engines.wananimate.skeleton import Skeleton
    from portrayal.track.followed import followed

    height, width = next(iter(source.frames)).shape[:2]

    def frames() -> Iterator[Rgb]:
        for rgb, points in followed(source.frames, smooth):
            canvas = rgb.copy()
            if not overlay:
                canvas[:] = 0
            if points is not None:
                Skeleton.of(points).draw_on(canvas)
            yield canvas

    return frames, (width, height)


def _on_portrait(source: Driving, portrait: str, smooth: float) -> tuple[Callable[[], Iterator[Rgb]], Size]:
    """The portrait's skeleton moving over the portrait, at the size at which the engine works."""
    from portrayal.engines.wananimate.framing import letterbox, size_for
    from portrayal.engines.wananimate.info import OPTIONS
    from portrayal.engines.wananimate.preprocess import portrayed
    from portrayal.portrait import Portrait
    from portrayal.track.followed import followed

    person = Portrait.open(portrait, face="none")
    size = size_for(OPTIONS.model_validate({}).pixels, person.size)
    picture = letterbox(person.rgb, size)

    def frames() -> Iterator[Rgb]:
        poser = portrayed(person.rgb, size)
        for rgb, points in followed(source.frames, smooth):
            canvas = picture.copy()
            if points is not None:
                poser(rgb, points).draw_on(canvas)
            yield canvas

    return frames, size

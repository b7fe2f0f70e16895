"""`portrayal edit`: sliders, or a script of key frames, in; a picture or a video out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.animate import open_portrait
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, slider, with_flags
from portrayal.cli.result import Target, stem, target_path
from portrayal.errors import UsageError

if TYPE_CHECKING:
    import inspect
    from fractions import Fraction

    from portrayal.driving import Driving
    from portrayal.motion import Motion
    from portrayal.portrait import Portrait

#: The head and the gaze: what each number means.
_HEAD = {
    "pitch": "Degrees; up is negative, down positive.",
    "yaw": "Degrees; positive turns towards its own left.",
    "roll": "Degrees; positive tilts towards its own right shoulder.",
    "x": "Move right, in eye distances.",
    "y": "Move down, in eye distances.",
    "scale": "Size; 1 as it is.",
    "gaze-x": "Look sideways: -1 own right, 1 own left.",
    "gaze-y": "Look up (-1) or down (1).",
}
#: Seconds in which a still moves to where the sliders are when a video of it is asked for, and its length.
_EASE, _LENGTH = 0.6, 2.0


def command(arguments: list[str]) -> Callable[..., object]:
    """The command with the options of the engine that `arguments` name, and every slider."""
    return with_flags(edit, [*sliders(), *engine_flags(arguments)])


def sliders() -> list[inspect.Parameter]:
    """The head's flags and the 52 coefficients of a face."""
    from portrayal.motion import SHAPES
    from portrayal.motion_script import kebab

    head = [slider(name, text, "Head and gaze") for name, text in _HEAD.items()]
    return head + [slider(kebab(name), "", "Face (0 neutral, 1 full)") for name in SHAPES]


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
    chosen = actor.options(**others)
    own = {name: getattr(chosen, name) for name in chosen.sliders if name in others}
    values |= own  # they move over time, too
    chosen = actor.options(**{name: value for name, value in others.items() if name not in own})
    face = face if actor.needs_face(chosen) else "none"
    if script is not None:
        motion = _scripted(script, values, start, end)
        person = open_portrait(portrait, face, size, max_pixels=max_pixels)
    else:
        person = open_portrait(portrait, face, size, max_pixels=max_pixels, start=start, end=end)
        motion = _held(values, person, fps) if moving or is_picture(path) else _eased(values)
    driving = _driving(motion if fps is None else motion.resample(fps), person, script, start, end)
    clip = actor.animate(person, driving, chosen)
    clip = clip.crop(person.crop_box()) if crop and clip.size == person.size else clip
    target.write(clip.compare(driving) if compare else clip)


def _scripted(script: str, values: dict[str, float], start: float | None, end: float | None) -> Motion:
    """The script, and what the sliders add to it."""
    from portrayal.motion import Motion

    return Motion.from_script(script).cut(start, end).edited(values, add=True)


def _held(values: dict[str, float], portrait: Portrait, fps: Fraction | None) -> Motion:
    """The sliders for as long as the portrait lasts: one frame, or its video."""
    from portrayal.motion import Motion

    if portrait.video is None:
        return Motion.from_sliders(values)
    video = portrait.video.at(fps or portrait.video.fps)
    return Motion.from_sliders(values, video.fps, video.info.frame_count)


def _eased(values: dict[str, float]) -> Motion:
    """A still that moves to where the sliders are, and stays."""
    from portrayal.motion import Motion

    return Motion.from_script({"duration": _LENGTH, "keys": [{"at": _EASE, **values}]})


def _driving(
    motion: Motion, portrait: Portrait, script: str | None, start: float | None, end: float | None
) -> Driving:
    """The motion, with the sound of a portrait that is a video and sets the time."""
    from portrayal.driving import Driving

    if script is not None:
        return replace(Driving.from_motion(motion), name=script)
    if portrait.path is None or portrait.video is None or not portrait.video.info.has_audio:
        return replace(Driving.from_motion(motion), name="the sliders")
    own = Driving.open(portrait.path, start=start, end=end)
    return replace(Driving.from_motion(motion, own.audio), name="the sliders")

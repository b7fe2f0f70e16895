"""`portrayal live`: a camera drives a portrait, in a window or as a camera that other programs see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portrayal.cli import options as o
from portrayal.cli.flags import DEFAULT_ENGINE, engine_flags, given, with_flags
from portrayal.cli.result import say_path, stem
from portrayal.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from portrayal.live.outputs import VirtualCamera, Window
    from portrayal.live.session import Live, Shown

    Rgb = NDArray[np.uint8]

#: The longest side of a portrait unless told: what two cores draw 25 times a second and more.
_SIZE = 512
#: Seconds that the first picture is given to be the first result.
_READY = 5.0
#: The rate at which a virtual camera says it runs.
_FPS = 30


def command(arguments: list[str]) -> Callable[..., object]:
    """The command with the options of the engine that `arguments` name."""
    return with_flags(live, engine_flags(arguments))


def live(
    portrait: Annotated[str, typer.Argument(metavar="PORTRAIT", help="A picture.", show_default=False)],
    camera: Annotated[
        str,
        typer.Option(metavar="CAMERA", help="Its number, or a video file that plays as one, once."),
    ] = "0",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Exchange left and right, as one sees oneself in a mirror.")
    ] = False,
    virtual_camera: Annotated[
        bool,
        typer.Option("--virtual-camera", help="Be a camera for other programs; needs pyvirtualcam."),
    ] = False,
    record: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a video (.mp4, .webm, .gif) from the start.")
    ] = None,
    window: Annotated[bool, typer.Option("--window/--no-window", help="Show it in a window.")] = True,
    driving_face: o.DrivingFace = "largest",
    face: o.Faces = "largest",
    size: o.Size = _SIZE,
    max_pixels: o.MaxPixels = None,
    engine: o.Engine = DEFAULT_ENGINE,
    overwrite: o.Overwrite = False,
    debug: o.Debug = False,
    **flags: Any,
) -> None:
    """Have the portrait act out what the camera sees, until q is pressed or the video ends.

    In the window: c calibrates (what you do now is what the portrait shows as it is), space freezes, r
    records to --record or PORTRAIT-live.mp4, q ends.
    """
    from portrayal.engines import load_engine
    from portrayal.live.camera import camera_frames
    from portrayal.live.outputs import VirtualCamera, Window
    from portrayal.live.session import Live
    from portrayal.media.write import check_target
    from portrayal.portrait import Portrait

    if not (window or virtual_camera or record):
        raise UsageError("--no-window: name --record FILE or --virtual-camera, or nothing is seen of it")
    if record is not None:
        check_target(record, overwrite)
    actor = load_engine(engine)
    chosen = actor.options(**given(flags))
    face = face if actor.needs_face(chosen) else "none"
    person = Portrait.open(portrait, face=face, size=size, **given({"max_pixels": max_pixels}))
    with ExitStack() as stack:
        screen = Window() if window else None
        twin = VirtualCamera(actor.frame_size(person, chosen), _FPS) if virtual_camera else None
        for output in (screen, twin):
            if output is not None:
                stack.callback(output.close)
        default = f"{stem(portrait)}-live.mp4"
        stage = _Stage(screen, twin, record or default, overwrite)
        session = stack.enter_context(Live(actor, person, stage.show, driving_face, **given(flags)))
        stage.play(session, camera_frames(camera, mirror), at_once=record is not None)
    if stage.recorded is not None:
        say_path(stage.recorded)


class _Stage:
    """Feeds a session with pictures and shows what comes of them; the window belongs to the main thread."""

    def __init__(self, screen: Window | None, twin: VirtualCamera | None, path: str, overwrite: bool) -> None:
        self._screen, self._twin = screen, twin
        self._path, self._overwrite = path, overwrite
        self._latest: Shown | None = None
        self._lock = threading.Lock()
        self._recording = False
        self.recorded: str | None = None

    def show(self, shown: Shown) -> None:
        """A result; called in the session's thread."""
        with self._lock:
            self._latest = shown
        if self._twin is not None:
            self._twin.show(shown.rgb)

    def play(self, session: Live, frames: Iterator[Rgb], at_once: bool) -> None:
        """Until the camera ends or the window is closed. at_once: record from the start."""
        if at_once:
            self._record(session)
        for number, rgb in enumerate(frames):
            session.feed(rgb)
            if not number:
                session.started.wait(_READY)
            if self._screen is not None and not self._act(session, self._screen):
                break
        if self._recording:
            self._record(session)

    def _act(self, session: Live, screen: Window) -> bool:
        """Show the latest picture and do as the keys say; False where it is to end."""
        with self._lock:
            latest = self._latest
        if latest is not None:
            screen.show(latest.rgb, _state(session, self._recording))
        key = screen.key()
        if key == "c":
            session.calibrate()
        elif key == " ":
            session.frozen = not session.frozen
        elif key == "r":
            self._record(session)
        return key != "q"

    def _record(self, session: Live) -> None:
        """Begin a recording, or finish the one that runs."""
        if self._recording:
            session.stop_recording()
            self.recorded = self._path
        else:
            session.record(self._path, overwrite=self._overwrite or self._path == self.recorded)
        self._recording = not self._recording


def _state(session: Live, recording: bool) -> str:
    said = "no face in sight" if session.waiting else "frozen" if session.frozen else ""
    return " - ".join(filter(None, ("recording" if recording else "", said)))

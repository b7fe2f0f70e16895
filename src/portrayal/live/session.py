"""A live session: pictures of a camera in, pictures of the portrait out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from portrayal.driving import Driving
from portrayal.errors import PortrayalError
from portrayal.live.newest import Newest
from portrayal.live.recording import Recording
from portrayal.live.source import LiveSource, Taken

if TYPE_CHECKING:
    from portrayal.engines.engine import Engine
    from portrayal.portrait import Portrait
    from portrayal.track.face import FaceChoice

Rgb = NDArray[np.uint8]
#: The rate that engines are told; pictures come when they come.
NOMINAL = Fraction(30)


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture of the portrait (H, W, 3) uint8. taken: the camera's picture that it shows. seen: whether a
    face was in sight; None where the engine looks for none."""

    rgb: Rgb
    taken: Taken
    seen: bool | None


class Live:
    """Has `portrait` act out what a camera sees, on any engine, in a thread of its own.

    show: called in that thread with every result, in order. options: of the engine; the reference frame is
    the first that shows a face, and anew at each :meth:`calibrate`. Close it, or use it in a with statement.
    """

    def __init__(
        self,
        engine: Engine,
        portrait: Portrait,
        show: Callable[[Shown], object],
        face: FaceChoice = "largest",
        **options: Any,
    ) -> None:
        self._engine, self._portrait, self._show = engine, portrait, show
        self._options = engine.options(**options, reference_frame=0)
        self._newest: Newest[Taken] = Newest()
        depth = 1 + getattr(self._options, "batch", 1)
        self._source = LiveSource(self._newest, NOMINAL, depth, face)
        self._recording: Recording | None = None
        self._lock = threading.Lock()
        self.frozen = False
        #: Set with the first result: until then the engine makes ready.
        self.started = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    def feed(self, rgb: Rgb, stamp: Any = None) -> None:
        """A picture (H, W, 3) uint8 that the camera took just now; it replaces one that nobody came to.

        stamp: given back with the result. Raises what the engine failed with.
        """
        if self.error is not None:
            raise self.error
        if not self.frozen:
            self._newest.put(Taken(rgb, time.monotonic(), stamp))

    def calibrate(self) -> None:
        """The next picture of the camera is what the portrait shows as it is."""
        self._source.restart(calibrate=True)

    def change(self, **options: Any) -> None:
        """Go on with other options; what is neutral stays so. UsageError for a bad one."""
        self._options = self._engine.options(self._options, **options)
        self._source.restart(calibrate=False)

    @property
    def waiting(self) -> bool:
        """Whether no face has come into sight yet, or it is out of sight now."""
        return self._source.seen is False

    @property
    def dropped(self) -> int:
        """Pictures of the camera that were passed over for newer ones."""
        return self._newest.dropped

    def record(self, path: str | os.PathLike[str], fps: Fraction = NOMINAL, overwrite: bool = False) -> None:
        """Write what is shown from now on to a video at `fps`, each picture for as long as it was shown."""
        recording = Recording(path, fps, overwrite)
        with self._lock:
            before, self._recording = self._recording, recording
        if before is not None:
            before.close()

    def stop_recording(self) -> None:
        """Finish the file; PortrayalError where it could not be written or nothing was shown."""
        with self._lock:
            recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()

    def close(self) -> None:
        """Stop, and finish a recording. Raises what the engine failed with."""
        self._newest.close()
        self._source.restart(calibrate=False)
        self._thread.join()
        self._source.close()
        self.stop_recording()
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(*(() if kind is None else (PortrayalError,))):  # what came first is what counts
            self.close()

    def _run(self) -> None:
        try:
            while not self._newest.closed:
                self._play()
        except Exception as error:  # raised again where pictures are fed
            self.error = error
            self.started.set()

    def _play(self) -> None:
        """One run of the engine, until the source is restarted or closed."""
        number = self._source.round
        driving = Driving(self._source, "the camera")
        try:
            for rgb in self._engine.animate(self._portrait, driving, self._options):
                self._deliver(Shown(rgb, self._source.delivered(), self._source.seen))
        except PortrayalError:
            if self._source.round == number and not self._newest.closed:
                raise
            # An engine says that a driving has no frames; this one was ended before there were any.

    def _deliver(self, shown: Shown) -> None:
        if not shown.taken.shown:
            return
        with self._lock:
            if self._recording is not None:
                self._recording.add(shown.rgb)
        self.started.set()
        self._show(shown)

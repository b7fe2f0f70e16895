"""What is shown, written to a file while it is shown."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.media.rates import TimedFrame, at_constant_rate
from portrayal.media.write import check_target, write_video

Rgb = NDArray[np.uint8]
#: Pictures that may wait for the encoder; what comes when all are waiting is passed over.
_WAITING = 60


class Recording:
    """A video of constant rate in which every picture lasts as long as it was shown.

    Raises PortrayalError at once where `path` cannot be written; the file is there after :meth:`close`.
    """

    def __init__(self, path: str | os.PathLike[str], fps: Fraction, overwrite: bool = False) -> None:
        check_target(path, overwrite)
        self._path, self._fps, self._overwrite = path, fps, overwrite
        self._frames: queue.Queue[TimedFrame | None] = queue.Queue()
        self._started: float | None = None
        self._failure: PortrayalError | None = None
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def add(self, rgb: Rgb) -> None:
        """A picture (H, W, 3) uint8 that is shown from now on."""
        if self._frames.qsize() < _WAITING:
            self._frames.put(TimedFrame(self._now(), Fraction(0), lambda: rgb))
            self._last = rgb

    def close(self) -> None:
        """Finish the file; PortrayalError where it failed or nothing was shown."""
        if self._started is None:
            name = os.fspath(self._path)
            self._failure = PortrayalError(f"{name}: nothing was shown while it was recorded")
        else:
            last = self._last
            self._frames.put(TimedFrame(self._now(), 1 / self._fps, lambda: last))
        self._frames.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _now(self) -> Fraction:
        now = monotonic()
        self._started = now if self._started is None else self._started
        return Fraction(round(1e6 * (now - self._started)), 1_000_000)

    def _timed(self) -> Iterator[TimedFrame]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def _write(self) -> None:
        frames = at_constant_rate(self._timed(), self._fps, Fraction(0), self._fps, None)
        try:
            first = next(frames, None)
            if first is not None:
                write_video(self._path, _and(first, frames), self._fps, overwrite=self._overwrite, threads=1)
        except PortrayalError as error:
            self._failure = error
            for _ in self._timed():  # let go of what still comes
                pass


def _and(first: Rgb, rest: Iterator[Rgb]) -> Iterator[Rgb]:
    yield first
    yield from rest

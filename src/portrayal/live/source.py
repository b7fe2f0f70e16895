"""A camera as a driving: pictures without end, the newest first, and the motion tracked in them at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from portrayal.live.newest import Newest
from portrayal.live.smoothing import SteadyBody, SteadyFace, held
from portrayal.motion import MotionFrame, MotionStream
from portrayal.sources import Kind, Restartable
from portrayal.track.face import FaceChoice
from portrayal.track.geometry import HeadPose
from portrayal.track.tracker import FaceTracker

if TYPE_CHECKING:
    from portrayal.media.audio import Audio

Rgb = NDArray[np.uint8]
#: Seconds after which whoever waits for a picture looks whether it still should.
_PATIENCE = 0.1


@dataclass(frozen=True, eq=False)
class Taken:
    """A picture (H, W, 3) uint8 of the camera. time: when it was taken, in seconds of a steady clock. stamp:
    whatever the one who fed it wants back with the result. shown: whether its result is to be shown."""

    rgb: Rgb
    time: float
    stamp: Any = None
    shown: bool = True


class LiveSource:
    """The newest pictures of a camera, as a kind of :class:`portrayal.sources.Source`.

    Engines work ahead in threads of their own; so that they never fall behind, a picture is only handed out
    while fewer than `depth` are on their way. Results come in the order of the pictures.
    """

    kind: Kind = "frames"
    count: int | None = None

    def __init__(self, newest: Newest[Taken], fps: Fraction, depth: int, face: FaceChoice) -> None:
        self.fps, self.face = fps, face
        self._newest, self._depth = newest, depth
        self._tracker = FaceTracker(face)
        self._first: HeadPose | None = None
        self._neutral: Taken | None = None
        self._flowing = False
        self._round = 0
        self._changed = threading.Condition()
        self._under_way: deque[Taken] = deque()
        #: Whether a face is in sight; None before the first picture, and where no face is tracked.
        self.seen: bool | None = None

    def restart(self, calibrate: bool) -> None:
        """End what is under way; the next reader begins anew, from the same neutral picture unless
        `calibrate`: then the next picture is neutral."""
        with self._changed:
            self._round += 1
            self._flowing = False
            self._neutral = None if calibrate else self._neutral
            self._changed.notify_all()

    @property
    def round(self) -> int:
        """How many times it was restarted."""
        return self._round

    def delivered(self) -> Taken:
        """The picture that the result which just came belongs to."""
        with self._changed:
            self._flowing = True
            taken = self._under_way.popleft()
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        self._newest.close()
        self.restart(calibrate=False)
        self._tracker.close()

    def frames(self) -> Iterable[Rgb]:
        return Restartable(lambda: (taken.rgb for taken in self._taken()))

    def audio(self) -> Audio | None:
        return None

    def motion(self, name: str, body: bool = False) -> MotionStream:
        return self.smoothed(0, body)

    def smoothed(self, strength: float, body: bool = False) -> MotionStream:
        """The motion, smoothed without looking ahead; of the body, too, if `body`."""
        return MotionStream(
            self.fps, lambda: self._tracked(SteadyFace(strength), SteadyBody(strength) if body else None)
        )

    def _taken(self) -> Iterator[Taken]:
        """Pictures from now on: first the neutral one, if there is one, whose result is not shown."""
        with self._changed:
            number, under_way = self._round, deque[Taken]()
            self._under_way = under_way
            neutral = self._neutral
        if neutral is not None:
            under_way.append(neutral)
            yield neutral
        while self._round == number and not self._newest.closed:
            taken = self._newest.take(_PATIENCE) if self._may_take(under_way, number) else None
            if taken is None:
                continue
            if self._round != number:  # it is for whoever reads next
                self._newest.give_back(taken)
                return
            if self._neutral is None:
                self._neutral = Taken(taken.rgb, taken.time, shown=False)
            under_way.append(taken)
            yield taken

    def _may_take(self, under_way: deque[Taken], number: int) -> bool:
        """Wait a little until few enough pictures are under way, or this round is over."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._flowing or len(under_way) < self._depth or self._round != number,
                _PATIENCE,
            )

    def _tracked(self, steady: SteadyFace, body: SteadyBody | None) -> Iterator[MotionFrame]:
        """One frame of motion for every picture from the first on that shows a face."""
        last: MotionFrame | None = None
        for taken in self._taken():
            face = self._tracker(taken.rgb)
            self.seen = face is not None
            if face is not None:
                self._first = self._first or face.pose
                last = steady(face, self._first, taken.time)
                if body is not None:
                    last = replace(last, body=body(taken.rgb, self._first, taken.time))
                yield last
            elif last is not None:
                yield held(last)
            else:
                self._pass_over(taken)

    def _pass_over(self, taken: Taken) -> None:
        """Nothing will come of a picture: neither is it neutral."""
        with self._changed:
            self._under_way.remove(taken)
            if self._neutral is not None and self._neutral.rgb is taken.rgb:
                self._neutral = None
            self._changed.notify_all()

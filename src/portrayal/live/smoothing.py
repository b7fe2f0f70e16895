"""Smoothing that knows no future: the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012).

A low-pass filter whose cutoff rises with speed: a still face does not tremble, a quick one does not lag.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import MotionFrame
from portrayal.track.body import BodyTracker
from portrayal.track.face import Face
from portrayal.track.geometry import HeadPose
from portrayal.track.motion import to_body, to_motion

Array = NDArray[np.float32]
Rgb = NDArray[np.uint8]

#: Cutoff in Hz of what stands still, at smoothing 0 and 1 (geometric in between).
STILL = (12.0, 0.7)
#: Hz by which the cutoff rises for a speed of one eye distance a second.
KEEN = 12.0
#: Cutoff in Hz of the speed itself.
SPEED_CUTOFF = 4.0
#: Longest step in seconds that is believed: after a pause the filter starts from what it sees.
LONGEST = 0.5


class OneEuro:
    """Filters points, each at a cutoff of its own.

    still: cutoff in Hz at rest. keen: Hz for a speed of one unit a second.
    """

    def __init__(self, still: float, keen: float = KEEN) -> None:
        self._still, self._keen = still, keen
        self._value: Array | None = None
        self._speed: Array | None = None
        self._time = 0.0

    def __call__(self, points: Array, time: float) -> Array:
        """The filtered points (N, D) at `time` in seconds."""
        step = time - self._time
        self._time = time
        if self._value is None or self._speed is None or not 0 < step <= LONGEST:
            self._value, self._speed = points, np.zeros_like(points)
            return points
        speed = (points - self._value) / np.float32(step)
        self._speed = self._speed + _share(SPEED_CUTOFF, step) * (speed - self._speed)
        fast = np.linalg.norm(self._speed, axis=1, keepdims=True)
        share = _share(self._still + self._keen * fast, step)
        self._value = (self._value + share * (points - self._value)).astype(np.float32)
        return self._value


class SteadyFace:
    """Motion as :func:`portrayal.track.motion.steady` gives it, but without looking ahead.

    strength: 0 none, 1 strong. Landmarks are smoothed where they are in the picture and taken apart into pose
    and expression afterwards, so that the noises of the two cancel.
    """

    def __init__(self, strength: float) -> None:
        self._filter = None if strength <= 0 else OneEuro(STILL[0] * (STILL[1] / STILL[0]) ** strength)

    def __call__(self, face: Face, first: HeadPose, time: float) -> MotionFrame:
        """The motion of `face` relative to the pose `first`, at `time` in seconds."""
        if self._filter is None:
            return to_motion(face, first)
        unit = np.float32(first.scale)
        return to_motion(Face(self._filter(face.landmarks / unit, time) * unit), first)


class SteadyBody:
    """Tracks a body as :class:`SteadyFace` smooths a face. strength: 0 none, 1 strong."""

    def __init__(self, strength: float) -> None:
        self._tracker = BodyTracker()
        self._filter = None if strength <= 0 else OneEuro(STILL[0] * (STILL[1] / STILL[0]) ** strength)

    def __call__(self, rgb: Rgb, first: HeadPose, time: float) -> Array | None:
        """(133, 3) the body in a picture taken at `time` in seconds, relative to the pose `first`."""
        points = self._tracker(rgb)
        if points is None:
            return None
        body = to_body(points, first)
        if self._filter is not None:
            body[:, :2] = self._filter(body[:, :2], time)
        return body


def held(frame: MotionFrame) -> MotionFrame:
    """A frame that stands for one in which no face was seen."""
    return replace(frame, tracked=False)


def _share(cutoff: Array | float, step: float) -> Array:
    """How much of a new value a low-pass filter takes. cutoff: Hz; step: seconds."""
    return np.asarray(1 / (1 + 1 / (2 * math.pi * np.asarray(cutoff) * step)), np.float32)

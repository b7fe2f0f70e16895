"""A face in a picture: landmarks, pose, shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.track.geometry import HeadPose, fit_pose, turned
from portrayal.track.topology import MOUTH_LEFT, MOUTH_RIGHT, RIGID, mean_face, pose_drift

Array = NDArray[np.float32]
FaceChoice = Literal["largest", "left", "right"] | int

#: By how many degrees of pitch, yaw, roll (rows) the tracker turns a head for every unit of :func:`_askew`:
#: from seven portraits of which only the mouth was moved. The yaw and roll of a man who smirks, his hair
#: standing still, deviate by 0.4 and 0.5 degrees with this, by 1.4 without.
ASKEW = np.array([[0, 0], [12, 20], [14, 17]], np.float32)
_ASKEW_POINTS = [MOUTH_RIGHT, MOUTH_LEFT, 168, 6, 197, 195, 5]  # and the ridge of the nose


@dataclass(frozen=True)
class Face:
    """A face found in a picture. landmarks: (478, 3) pixels, z in pixels too (smaller is nearer).
    known_pose: where the head is, if that is not to be told from the landmarks."""

    landmarks: Array
    known_pose: HeadPose | None = None

    @cached_property
    def pose(self) -> HeadPose:
        """Where the head is, without what the tracker turns it by where the mouth is drawn aside."""
        if self.known_pose is not None:
            return self.known_pose
        seen = fit_pose(self.landmarks)
        return turned(seen, -(ASKEW @ _askew(seen.to_head(self.landmarks[_ASKEW_POINTS]), seen.angles)))

    @cached_property
    def shape(self) -> Array:
        """(478, 3) landmarks in head space."""
        return self.pose.to_head(self.landmarks)

    @cached_property
    def pose_free_shape(self) -> Array:
        """(478, 3) :attr:`shape` without what the tracker adds to a face because it is turned."""
        return self.shape - _drift(self.pose.angles, slice(None))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the landmarks in pixels."""
        low, high = self.landmarks[:, :2].min(0), self.landmarks[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def centre(self) -> Array:
        left, top, right, bottom = self.box
        return np.array([(left + right) / 2, (top + bottom) / 2], np.float32)

    @property
    def misfit(self) -> float:
        """How far the rigid points lie from a human mean face: rms in eye distances."""
        rigid = list(RIGID)
        return float(np.sqrt(((self.shape[rigid] - mean_face()[rigid]) ** 2).sum(1).mean()))


def _drift(angles: Array, points: list[int] | slice) -> Array:
    """(N, 3) what the tracker adds to these points of a face because it is turned."""
    turn = np.clip(angles[:2], -25, 25).astype(np.float32)
    return np.asarray(np.tensordot(turn, pose_drift()[:, points], 1), np.float32)


def _askew(points: Array, angles: Array) -> Array:
    """(2,) how far the middle of the mouth lies to the left of the nose, and how much higher its left corner
    than its right, in eye distances. points: (7, 3) those of :data:`_ASKEW_POINTS` in head space."""
    steady = points - _drift(angles, _ASKEW_POINTS)
    right, left = steady[:2]
    aside = (right[0] + left[0]) / 2 - steady[2:, 0].mean()
    return np.array([aside, right[1] - left[1]], np.float32)


def choose_face(faces: list[Face], choice: FaceChoice) -> Face:
    """The face meant by `choice`: largest, leftmost, rightmost, or the Nth from the left (from 0)."""
    if isinstance(choice, int):
        ordered = sorted(faces, key=lambda f: f.centre[0])
        if not 0 <= choice < len(ordered):
            raise PortrayalError(f"there is no face number {choice}: found {len(faces)} (counted from 0)")
        return ordered[choice]
    rank: dict[str, Callable[[Face], float]] = {
        "largest": lambda f: -f.pose.scale,
        "left": lambda f: float(f.centre[0]),
        "right": lambda f: -float(f.centre[0]),
    }
    return min(faces, key=rank[choice])


def nearest(faces: list[Face], to: Face) -> Face:
    """The face whose centre is nearest to that of another."""
    return min(faces, key=lambda f: float(np.linalg.norm(f.centre - to.centre)))

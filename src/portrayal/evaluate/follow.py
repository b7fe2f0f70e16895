"""Re-tracking: a video as a table of measures, one row for every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.evaluate.likeness import at_akd_size, keypoint_distance
from portrayal.evaluate.pictures import sharpness
from portrayal.track.face import Face, FaceChoice
from portrayal.track.measures import MEASURES, STEADY, measure
from portrayal.track.topology import mirror
from portrayal.track.tracker import FaceTracker

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: The second look at a frame: mirrored, smaller by this, with noise of this many grey levels.
LOOK_SCALE, LOOK_NOISE = 0.9, 4.0


@dataclass(frozen=True)
class Track:
    """A tracked video of T frames; NaN where no face was seen.

    values: (T, 11) :data:`MEASURES`. steady: (T, 10, 2) pixels of the :data:`STEADY` points. scale: (T,)
    pixels per eye distance. sharpness: (T,) of the face. looks: (T, 11) the measures of a second, independent
    look at the same frames (see :class:`SecondLook`), and look_distance: (T,) how far its landmarks lie from
    the first, as AKD; all NaN where there was none.
    """

    name: str
    fps: Fraction
    values: Array
    steady: Array
    scale: Array
    sharpness: Array
    looks: Array
    look_distance: Array

    def __len__(self) -> int:
        return len(self.values)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,) where there is a face."""
        return ~np.isnan(self.scale)

    def at(self, frames: NDArray[np.int64]) -> Track:
        """The rows of these frames."""
        return replace(
            self,
            values=self.values[frames],
            steady=self.steady[frames],
            scale=self.scale[frames],
            sharpness=self.sharpness[frames],
            looks=self.looks[frames],
            look_distance=self.look_distance[frames],
        )


class Follower:
    """Tracks the frames it is shown, in order, and keeps a few numbers of each.

    second_look: also measure how far the tracker can be trusted, at twice the time.
    """

    def __init__(self, face: FaceChoice = "largest", second_look: bool = False) -> None:
        self._tracker = FaceTracker(face)
        self._second = SecondLook() if second_look else None
        self._rows: list[Array] = []
        self._looks: list[Array] = []

    def __call__(self, rgb: Rgb) -> Face | None:
        face = self._tracker(rgb)
        self._rows.append(_NOTHING if face is None else _row(rgb, face))
        again = None if self._second is None else self._second(rgb)
        self._looks.append(_UNSEEN if again is None or face is None else _look(again, face, rgb.shape))
        return face

    def close(self) -> None:
        self._tracker.close()
        if self._second is not None:
            self._second.close()

    def track(self, name: str, fps: Fraction) -> Track:
        """What was followed so far."""
        rows = np.array(self._rows, np.float32).reshape(-1, len(_NOTHING))
        looks = np.array(self._looks, np.float32).reshape(-1, len(_UNSEEN))
        return Track(
            name,
            fps,
            values=rows[:, :_MEASURED],
            steady=rows[:, _MEASURED:-2].reshape(-1, len(STEADY), 2),
            scale=rows[:, -2],
            sharpness=rows[:, -1],
            looks=looks[:, :-1],
            look_distance=looks[:, -1],
        )


_MEASURED = len(MEASURES)
_NOTHING = np.full(_MEASURED + 2 * len(STEADY) + 2, np.nan, np.float32)
_UNSEEN = np.full(_MEASURED + 1, np.nan, np.float32)


def _row(rgb: Rgb, face: Face) -> Array:
    steady = face.landmarks[list(STEADY), :2].ravel()
    return np.array([*measure(face), *steady, face.pose.scale, sharpness(rgb, face)], np.float32)


def _look(again: Face, first: Face, shape: tuple[int, ...]) -> Array:
    apart = at_akd_size(keypoint_distance(again, first), shape)
    return np.array([*measure(again), apart], np.float32)


class SecondLook:
    """Tracks the same frames again as other pictures: mirrored, smaller, noisy.

    What differs between both looks is the tracker's doing and not the face's. The mirrored picture goes
    through the tracker's network as a new face does, which a shift or a copy would not.
    """

    def __init__(self) -> None:
        self._tracker = FaceTracker()
        self._random = np.random.default_rng(0)

    def __call__(self, rgb: Rgb) -> Face | None:
        """The face, in pixels of the frame as it is."""
        mirrored = np.ascontiguousarray(rgb[:, ::-1])
        small = cv2.resize(mirrored, None, fx=LOOK_SCALE, fy=LOOK_SCALE, interpolation=cv2.INTER_AREA)
        noise = self._random.normal(0, LOOK_NOISE, (*small.shape[:2], 1)).astype(np.float32)
        face = self._tracker((small + noise).round().clip(0, 255).astype(np.uint8))
        return None if face is None else _mirrored(face, rgb.shape, small.shape)

    def close(self) -> None:
        self._tracker.close()


def _mirrored(face: Face, shape: tuple[int, ...], seen: tuple[int, ...]) -> Face:
    """A face seen in a mirrored and resized picture of shape `seen`, in the one of `shape`."""
    ratio = np.array([shape[1] / seen[1], shape[0] / seen[0], shape[1] / seen[1]], np.float32)
    half = np.array([0.5, 0.5, 0], np.float32)
    points = (face.landmarks[mirror()] + half) * ratio - half
    points[:, 0] = shape[1] - 1 - points[:, 0]
    return Face(points)

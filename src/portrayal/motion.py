"""`Motion`: what a face does, frame by frame. The language between drivers and engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: The 52 ARKit blend shapes in the order of a Live Link Face recording (ARFaceAnchor.BlendShapeLocation).
SHAPES: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight",
    "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward", "jawRight",
    "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight",
    "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
SHAPE_INDEX: dict[str, int] = {name: index for index, name in enumerate(SHAPES)}

_LOOK = {
    side: [SHAPE_INDEX[f"eyeLook{way}{side}"] for way in ("Out", "In", "Up", "Down")]
    for side in ("Left", "Right")
}


@dataclass(frozen=True, slots=True)
class MotionFrame:
    """One frame of motion.

    rotation: (3,) pitch, yaw, roll in degrees; 0 faces the camera. Positive pitch nods down, positive yaw
        turns towards the head's own left, positive roll tilts towards its own right shoulder.
    translation: (2,) of the neck pivot (:data:`portrayal.track.geometry.PIVOT`), x right, y down, in eye
        distances (outer eye corner to outer eye corner of the head seen from the front), relative to the
        first frame. Without translation a head turns and nods on its neck.
    scale: size of the head relative to the first frame.
    coefficients: (52,) ARKit blend shapes in the order of :data:`SHAPES`, 0 neutral, 1 full; they may go
        beyond. Gaze is in the eight eyeLook shapes.
    shape: (478, 3) dense landmarks in head space (see :mod:`portrayal.track.geometry`): head pose removed,
        eye distances, x to the head's own left, y down, z away from the viewer. None when not tracked.
    tracked: False where no face was seen and the values are held.
    """

    rotation: Array = field(default_factory=lambda: np.zeros(3, np.float32))
    translation: Array = field(default_factory=lambda: np.zeros(2, np.float32))
    scale: float = 1.0
    coefficients: Array = field(default_factory=lambda: np.zeros(len(SHAPES), np.float32))
    shape: Array | None = None
    tracked: bool = True

    @property
    def gaze(self) -> Array:
        """(2,) mean gaze of both eyes in [-1, 1]: x to the head's own left, y down."""
        c = self.coefficients
        (lo, li, lu, ld), (ro, ri, ru, rd) = _LOOK["Left"], _LOOK["Right"]
        x = (c[lo] - c[li] + c[ri] - c[ro]) / 2
        y = (c[ld] - c[lu] + c[rd] - c[ru]) / 2
        return np.array([x, y], np.float32)

    def with_gaze(self, x: float, y: float) -> MotionFrame:
        """This frame with both eyes looking at (x, y), see :attr:`gaze`."""
        c = self.coefficients.copy()
        for side, sign in (("Left", 1), ("Right", -1)):
            out, into, up, down = _LOOK[side]
            c[out], c[into] = max(sign * x, 0), max(-sign * x, 0)
            c[up], c[down] = max(-y, 0), max(y, 0)
        return replace(self, coefficients=c)


class MotionSource(Protocol):
    """Anything that yields :class:`MotionFrame` at a steady rate: a :class:`Motion`, or a lazy stream."""

    @property
    def fps(self) -> Fraction: ...

    def __iter__(self) -> Iterator[MotionFrame]: ...


@dataclass(frozen=True)
class MotionStream:
    """A lazy motion: `open` starts it anew each time it is iterated."""

    fps: Fraction
    open: Callable[[], Iterator[MotionFrame]]

    def __iter__(self) -> Iterator[MotionFrame]:
        return self.open()


@dataclass(frozen=True)
class Motion:
    """A motion held in memory: arrays over T frames, see :class:`MotionFrame` for units.

    rotation (T, 3), translation (T, 2), scale (T,), coefficients (T, 52), tracked (T,) bool,
    shapes (T, 478, 3) or None.
    """

    fps: Fraction
    rotation: Array
    translation: Array
    scale: Array
    coefficients: Array
    tracked: NDArray[np.bool_]
    shapes: Array | None = None

    @classmethod
    def from_frames(cls, fps: Fraction, frames: list[MotionFrame]) -> Motion:
        """Stack frames; dense landmarks are kept when every frame has them."""
        dense = [f.shape for f in frames if f.shape is not None]
        return cls(
            Fraction(fps),
            np.array([f.rotation for f in frames], np.float32).reshape(-1, 3),
            np.array([f.translation for f in frames], np.float32).reshape(-1, 2),
            np.array([f.scale for f in frames], np.float32),
            np.array([f.coefficients for f in frames], np.float32).reshape(-1, len(SHAPES)),
            np.array([f.tracked for f in frames], bool),
            np.stack(dense).astype(np.float32) if frames and len(dense) == len(frames) else None,
        )

    @classmethod
    def from_coefficients(cls, fps: Fraction, coefficients: Array, rotation: Array | None = None) -> Motion:
        """A motion from (T, 52) coefficients and, if wanted, (T, 3) head angles in degrees."""
        t = len(coefficients)
        return cls(
            Fraction(fps),
            np.zeros((t, 3), np.float32) if rotation is None else np.asarray(rotation, np.float32),
            np.zeros((t, 2), np.float32),
            np.ones(t, np.float32),
            np.asarray(coefficients, np.float32),
            np.ones(t, bool),
        )

    def __len__(self) -> int:
        return len(self.scale)

    def __getitem__(self, index: int) -> MotionFrame:
        return MotionFrame(
            self.rotation[index],
            self.translation[index],
            float(self.scale[index]),
            self.coefficients[index],
            None if self.shapes is None else self.shapes[index],
            bool(self.tracked[index]),
        )

    def __iter__(self) -> Iterator[MotionFrame]:
        return (self[i] for i in range(len(self)))

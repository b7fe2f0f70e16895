"""`Motion`: what a face does, frame by frame. The language between drivers and engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from portrayal import body as bodily
from portrayal.errors import UsageError
from portrayal.sliders import Curves, as_curves, joined, mixed

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
#: The eight coefficients that are gaze.
GAZE: list[int] = sorted(_LOOK["Left"] + _LOOK["Right"])
#: For each coefficient the one of the other side of the face.
MIRRORED: list[int] = [
    SHAPE_INDEX[s.replace("Left", "*").replace("Right", "Left").replace("*", "Right")] for s in SHAPES
]
#: Landmarks from this number on are the irises.
_IRIS = 468


@dataclass(frozen=True, slots=True, eq=False)
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
    sliders: values of sliders that only some engines have, by name (see :mod:`portrayal.sliders`).
    body: (133, 3) points of the body, see :mod:`portrayal.body`. None when not tracked.
    """

    rotation: Array = field(default_factory=lambda: np.zeros(3, np.float32))
    translation: Array = field(default_factory=lambda: np.zeros(2, np.float32))
    scale: float = 1.0
    coefficients: Array = field(default_factory=lambda: np.zeros(len(SHAPES), np.float32))
    shape: Array | None = None
    tracked: bool = True
    sliders: Mapping[str, float] = field(default_factory=dict)
    body: Array | None = None

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


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion held in memory: arrays over T frames, see :class:`MotionFrame` for units.

    rotation (T, 3), translation (T, 2), scale (T,), coefficients (T, 52), tracked (T,) bool,
    shapes (T, 478, 3) or None; sliders: (T,) by name; bodies (T, 133, 3) or None.
    """

    fps: Fraction
    rotation: Array
    translation: Array
    scale: Array
    coefficients: Array
    tracked: NDArray[np.bool_]
    shapes: Array | None = None
    sliders: Curves = field(default_factory=dict)
    bodies: Array | None = None

    @classmethod
    def from_frames(cls, fps: Fraction, frames: list[MotionFrame]) -> Motion:
        """Stack frames; dense landmarks are kept when every frame has them, bodies when any has."""
        dense = [f.shape for f in frames if f.shape is not None]
        return cls(
            Fraction(fps),
            np.array([f.rotation for f in frames], np.float32).reshape(-1, 3),
            np.array([f.translation for f in frames], np.float32).reshape(-1, 2),
            np.array([f.scale for f in frames], np.float32),
            np.array([f.coefficients for f in frames], np.float32).reshape(-1, len(SHAPES)),
            np.array([f.tracked for f in frames], bool),
            np.stack(dense).astype(np.float32) if frames and len(dense) == len(frames) else None,
            joined([as_curves(f.sliders) for f in frames], [1] * len(frames)),
            bodily.stacked([f.body for f in frames]),
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
            {name: float(curve[index]) for name, curve in self.sliders.items()},
            None if self.bodies is None else self.bodies[index],
        )

    def __iter__(self) -> Iterator[MotionFrame]:
        return (self[i] for i in range(len(self)))

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return len(self) / self.fps

    def take(self, index: NDArray[np.intp] | slice) -> Motion:
        """The frames numbered by an index array or slice."""
        return replace(
            self,
            rotation=self.rotation[index],
            translation=self.translation[index],
            scale=self.scale[index],
            coefficients=self.coefficients[index],
            tracked=self.tracked[index],
            shapes=None if self.shapes is None else self.shapes[index],
            sliders={name: curve[index] for name, curve in self.sliders.items()},
            bodies=None if self.bodies is None else self.bodies[index],
        )

    def cut(self, start: float | None = None, end: float | None = None) -> Motion:
        """The part from `start` to `end` seconds; UsageError where there is nothing."""
        first = round((start or 0) * self.fps)
        last = len(self) if end is None else min(round(end * self.fps), len(self))
        if first < 0 or first >= last:
            until = "the end" if end is None else f"{end:g} s"
            raise UsageError(
                f"there is nothing from {start or 0:g} s to {until} of {float(self.duration):.2f} s of motion"
            )
        return self.take(slice(first, last))

    def resample(self, fps: Fraction) -> Motion:
        """The same motion at another rate, frames in between interpolated linearly."""
        if fps <= 0:
            raise UsageError(f"--fps: {fps} must be above 0")
        if fps == self.fps or not len(self):
            return replace(self, fps=Fraction(fps))
        count = max(1, round(self.duration * fps))
        return replace(self.at(np.arange(count) * float(self.fps / fps)), fps=Fraction(fps))

    def at(self, positions: NDArray[np.float64]) -> Motion:
        """The motion at any positions, in frames (2.5 is half way from frame 2 to frame 3)."""
        where = np.clip(positions, 0, len(self) - 1)
        low = np.floor(where).astype(np.intp)
        before, after = self.take(low), self.take(np.minimum(low + 1, len(self) - 1))
        return before._mixed(after, (where - low).astype(np.float32))

    def _mixed(self, other: Motion, weight: Array) -> Motion:
        """This motion with the share `weight` (T,) of another one of the same length."""

        def mix(a: Array, b: Array) -> Array:
            w = weight.reshape(-1, *[1] * (a.ndim - 1))
            return (a + w * (b - a)).astype(np.float32)

        dense = self.shapes is not None and other.shapes is not None
        bodies = self.bodies is not None and other.bodies is not None
        return replace(
            self,
            rotation=mix(self.rotation, other.rotation),
            translation=mix(self.translation, other.translation),
            scale=mix(self.scale, other.scale),
            coefficients=mix(self.coefficients, other.coefficients),
            tracked=np.where(weight > 0.5, other.tracked, self.tracked),
            shapes=mix(self.shapes, other.shapes) if dense else None,  # type: ignore[arg-type]
            sliders=mixed(self.sliders, other.sliders, weight),
            bodies=bodily.mixed(self.bodies, other.bodies, weight) if bodies else None,  # type: ignore[arg-type]
        )

    def blend(self, other: Motion, weight: float) -> Motion:
        """Part this motion, part another (weight 0 to 1), as long as the shorter; the rate is this one's.

        Dense landmarks and bodies are kept if both have them.
        """
        other = other.resample(self.fps)
        count = min(len(self), len(other))
        return self.take(slice(count))._mixed(other.take(slice(count)), np.full(count, weight, np.float32))

    @staticmethod
    def concatenate(motions: Sequence[Motion]) -> Motion:
        """Motions one after the other, at the rate of the first; landmarks and bodies if all have them."""
        if not motions:
            raise ValueError("there is nothing to concatenate")
        parts = [m.resample(motions[0].fps) for m in motions]
        dense = [m.shapes for m in parts if m.shapes is not None]
        bodies = [m.bodies for m in parts if m.bodies is not None]
        return Motion(
            motions[0].fps,
            np.concatenate([m.rotation for m in parts]),
            np.concatenate([m.translation for m in parts]),
            np.concatenate([m.scale for m in parts]),
            np.concatenate([m.coefficients for m in parts]),
            np.concatenate([m.tracked for m in parts]),
            np.concatenate(dense) if len(dense) == len(parts) else None,
            joined([m.sliders for m in parts], [len(m) for m in parts]),
            np.concatenate(bodies) if len(bodies) == len(parts) else None,
        )

    def smoothed(self, seconds: float) -> Motion:
        """Every value as its Gaussian mean over time (standard deviation in seconds), without lag.

        Quick movements such as blinks get weaker too. What a tracker trembles is better taken out by
        :func:`portrayal.track.motion.steady`, which keeps them.
        """
        sigma = seconds * float(self.fps)
        if sigma <= 0 or not len(self):
            return self
        reach = max(1, round(3 * sigma))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
        kernel /= kernel.sum()

        def smooth(values: Array) -> Array:
            padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), mode="edge")
            return sum((w * padded[i : i + len(values)] for i, w in enumerate(kernel)), np.zeros_like(values))

        return replace(
            self,
            rotation=smooth(self.rotation),
            translation=smooth(self.translation),
            scale=smooth(self.scale),
            coefficients=smooth(self.coefficients),
            shapes=None if self.shapes is None else smooth(self.shapes),
            bodies=None if self.bodies is None else bodily.averaged(self.bodies, smooth),
        )

    def strengthened(self, head: float = 1.0, expression: float = 1.0, gaze: float = 1.0) -> Motion:
        """Stronger (above 1) or weaker head movement, expression and gaze.

        Coefficients and head angles are scaled from neutral; dense landmarks from the frame with the least
        expression, irises with the gaze.
        """
        strength = np.full(len(SHAPES), expression, np.float32)
        strength[GAZE] = gaze
        shapes = self.shapes
        if shapes is not None and len(self) and (expression, gaze) != (1, 1):
            rest = shapes[np.abs(self.coefficients).sum(1).argmin()]
            points = np.full((shapes.shape[1], 1), expression, np.float32)
            points[_IRIS:] = gaze
            shapes = rest + points * (shapes - rest)
        return replace(
            self,
            rotation=self.rotation * np.float32(head),
            translation=self.translation * np.float32(head),
            scale=self.scale ** np.float32(head),
            coefficients=self.coefficients * strength,
            shapes=shapes,
        )

    def mirrored(self) -> Motion:
        """The same seen in a mirror: left and right exchanged."""
        shapes = self.shapes
        if shapes is not None:
            from portrayal.track.topology import mirror

            shapes = shapes[:, mirror()] * np.array([-1, 1, 1], np.float32)
        return replace(
            self,
            rotation=self.rotation * np.array([1, -1, -1], np.float32),
            translation=self.translation * np.array([-1, 1], np.float32),
            coefficients=self.coefficients[:, MIRRORED],
            shapes=shapes,
            bodies=None if self.bodies is None else bodily.mirrored(self.bodies),
        )

    def edited(self, values: Mapping[str, float], *, add: bool = False) -> Motion:
        """With some values set, or added to, in every frame.

        values: by name as in a script: any coefficient (eyeBlinkLeft or eye-blink-left), pitch, yaw, roll
        (degrees), x, y, scale, gaze-x, gaze-y, an engine's slider. Changing the expression drops the dense
        landmarks, which no longer show it. UsageError for an unknown name.
        """
        from portrayal.motion_script import edited

        return edited(self, values, add)

    @classmethod
    def from_sliders(
        cls, values: Mapping[str, float], fps: Fraction = Fraction(25), frames: int = 1
    ) -> Motion:
        """A face at rest with these values, see :meth:`edited`, for `frames` frames."""
        return cls.from_coefficients(fps, np.zeros((frames, len(SHAPES)), np.float32)).edited(values)

    @classmethod
    def from_script(cls, script: str | os.PathLike[str] | Mapping[str, Any]) -> Motion:
        """Key frames over time, eased: a .yaml or .json file, or what is in one.

        See :mod:`portrayal.motion_script` for the format. PortrayalError, in one line, for what is wrong.
        """
        from portrayal.motion_script import read_script

        return read_script(script)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Motion:
        """A motion file: .npz as written by :meth:`save`, or a Live Link Face recording (.csv)."""
        from portrayal.motion_files import load

        return load(path)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write it all as .npz, or coefficients and head angles as a Live Link Face recording (.csv)."""
        from portrayal.motion_files import save

        save(self, path, overwrite)

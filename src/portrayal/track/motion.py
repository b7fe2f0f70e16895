"""From pictures to motion: track one face, bridge the gaps, take out the tremble; lazily, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import MotionFrame
from portrayal.track.expression import coefficients
from portrayal.track.face import Face, FaceChoice, FaceTracker, Rgb
from portrayal.track.geometry import HeadPose

Array = NDArray[np.float32]

#: Frames looked at on each side when smoothing: what is rendered is never late, only the work is.
REACH = 4
#: Frames over which a face that comes back is eased in.
EASE = 6


def track_motion(frames: Iterable[Rgb], face: FaceChoice = "largest", smooth: float = 0.5) -> Iterator[MotionFrame]:
    """Motion of one face through a video, one :class:`MotionFrame` for every frame.

    smooth: 0 none, 1 strong. Frames before the first sight of the face stand still in its first pose; later
    frames without a face hold the last pose, and the pose is eased back in (`tracked` is False there).
    A video without any face yields frames of which none is `tracked`.
    """
    return steady(hold(measure(frames, face)), smooth)


def measure(frames: Iterable[Rgb], choice: FaceChoice = "largest") -> Iterator[MotionFrame | None]:
    """The raw motion: None where no face is seen."""
    tracker = FaceTracker(choice)
    first: HeadPose | None = None
    try:
        for rgb in frames:
            face = tracker(rgb)
            if face is None:
                yield None
                continue
            first = first or face.pose
            yield to_motion(face, first)
    finally:
        tracker.close()


def to_motion(face: Face, first: HeadPose) -> MotionFrame:
    """A face as motion relative to the pose `first`."""
    pose = face.pose
    return MotionFrame(
        rotation=pose.angles,
        translation=((pose.pivot - first.pivot)[:2] / first.scale).astype(np.float32),
        scale=pose.scale / first.scale,
        coefficients=coefficients(face.pose_free_shape),
        shape=face.pose_free_shape,
    )


def hold(frames: Iterable[MotionFrame | None]) -> Iterator[MotionFrame]:
    """Fill gaps: the time before the first face with its first pose, later ones by holding and easing back."""
    waiting, last, gap = 0, None, 0
    for frame in frames:
        if frame is None:
            if last is None:
                waiting += 1
            else:
                gap = EASE
                last = replace(last, tracked=False)
                yield last
            continue
        if last is None:
            yield from (replace(frame, tracked=False) for _ in range(waiting))
            waiting = 0
        if gap and last is not None:
            frame = mix(last, frame, 1 / gap)
            gap -= 1
        last = frame
        yield frame
    yield from (MotionFrame(tracked=False) for _ in range(waiting))


def mix(a: MotionFrame, b: MotionFrame, amount: float) -> MotionFrame:
    """The motion `amount` of the way from a to b; `tracked` is b's."""

    def between(x: Array, y: Array) -> Array:
        return (x + np.float32(amount) * (y - x)).astype(np.float32)

    return MotionFrame(
        between(a.rotation, b.rotation),
        between(a.translation, b.translation),
        a.scale + amount * (b.scale - a.scale),
        between(a.coefficients, b.coefficients),
        b.shape if a.shape is None or b.shape is None else between(a.shape, b.shape),
        b.tracked,
    )


def steady(frames: Iterable[MotionFrame], strength: float) -> Iterator[MotionFrame]:
    """Smooth without lag: each value is a mean over up to ±REACH frames, narrow where it really moves.

    A bilateral filter over time (Tomasi & Manduchi 1998): a neighbour counts less the further away it is in
    time and the more it differs, measured against the tracker's own noise. So a still face does not tremble
    and a blink keeps its full depth.
    """
    if strength <= 0:
        yield from frames
        return
    window: deque[MotionFrame] = deque(maxlen=2 * REACH + 1)
    for frame in _padded(frames):
        window.append(frame)
        if len(window) == window.maxlen:
            yield _weighted(list(window), strength)


def _padded(frames: Iterable[MotionFrame]) -> Iterator[MotionFrame]:
    """The frames with the first and the last repeated REACH times before and after."""
    last: MotionFrame | None = None
    for frame in frames:
        if last is None:
            yield from [frame] * REACH
        yield frame
        last = frame
    if last is not None:
        yield from [last] * REACH


#: Noise of the tracker on a still face: degrees, eye distances, ratio, coefficient, eye distances.
NOISE = {"rotation": 0.5, "translation": 0.006, "scale": 0.006, "coefficients": 0.03, "shape": 0.006}


def _weighted(window: list[MotionFrame], strength: float) -> MotionFrame:
    centre = window[REACH]
    times = np.arange(len(window)) - REACH
    closeness = np.exp(-0.5 * (times / (0.5 + 2.0 * strength)) ** 2).astype(np.float32)

    def filtered(name: str) -> Array:
        values = np.array([getattr(f, name) for f in window], np.float32)
        offsets = values - values[REACH]
        difference = offsets**2 / np.float32((NOISE[name] * (0.5 + 2.5 * strength)) ** 2)
        if name in ("shape", "rotation", "translation"):  # a point, a head moves as one
            difference = difference.sum(-1, keepdims=True)
        weights = np.exp(-0.5 * difference) * closeness.reshape(-1, *[1] * (values.ndim - 1))
        return (values[REACH] + (weights * offsets).sum(0) / weights.sum(0)).astype(np.float32)

    dense = all(f.shape is not None for f in window)
    return replace(
        centre,
        rotation=filtered("rotation"),
        translation=filtered("translation"),
        scale=float(filtered("scale")),
        coefficients=filtered("coefficients"),
        shape=filtered("shape") if dense else centre.shape,
    )

"""From pictures to motion: track one face, bridge the gaps, take out the tremble; lazily, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from portrayal import body as bodily
from portrayal.motion import MotionFrame
from portrayal.track.body import BodyTracker
from portrayal.track.expression import coefficients
from portrayal.track.face import Face, FaceChoice
from portrayal.track.geometry import HeadPose
from portrayal.track.tracker import FaceTracker

Array = NDArray[np.float32]
Rgb = NDArray[np.uint8]

#: Frames looked at on each side when smoothing: what is rendered is never late, only the work is.
REACH = 4
#: How many times the tracker's noise a change may be and still be smoothed away, at full strength.
KEEN = 2.5
#: Frames over which a face that comes back is eased in.
EASE = 6


def track_motion(
    frames: Iterable[Rgb], face: FaceChoice = "largest", smooth: float = 0.5, body: bool = False
) -> Iterator[MotionFrame]:
    """Motion of one face through a video, one :class:`MotionFrame` for every frame.

    smooth: 0 none, 1 strong. body: of the body, too, which takes longer than the face. Frames before the
    first sight of the face stand still in its first pose; later frames without a face hold the last pose, and
    the pose is eased back in (`tracked` is False there). A video without any face yields frames of which none
    is `tracked`.
    """
    if not body:
        return steady(hold(measure(frames, face)), smooth)
    bodies = _Bodies()
    return steady(bodies.beside(hold(measure(bodies.seen_in(frames), face, bodies.start))), smooth)


def measure(
    frames: Iterable[Rgb],
    choice: FaceChoice = "largest",
    started: Callable[[HeadPose], None] = lambda _: None,
) -> Iterator[MotionFrame | None]:
    """The raw motion: None where no face is seen. started: told the pose that all is relative to."""
    tracker = FaceTracker(choice)
    first: HeadPose | None = None
    try:
        for rgb in frames:
            face = tracker(rgb)
            if face is None:
                yield None
                continue
            if first is None:
                first = face.pose
                started(first)
            yield to_motion(face, first)
    finally:
        tracker.close()


class _Bodies:
    """The bodies in the frames of a video, whether or not a face is seen in them."""

    def __init__(self) -> None:
        self._first: HeadPose | None = None
        self._waiting: deque[Array | None] = deque()

    def start(self, first: HeadPose) -> None:
        self._first = first

    def seen_in(self, frames: Iterable[Rgb]) -> Iterator[Rgb]:
        """The frames as they are, looked at."""
        tracker = BodyTracker()
        try:
            for rgb in frames:
                self._waiting.append(tracker(rgb))
                yield rgb
        finally:
            tracker.close()

    def beside(self, motion: Iterable[MotionFrame]) -> Iterator[MotionFrame]:
        """The motion of these frames, with the bodies."""
        for frame in motion:
            points = self._waiting.popleft()
            known = points is not None and self._first is not None
            yield replace(frame, body=to_body(points, self._first)) if known else frame  # type: ignore[arg-type]


def to_motion(face: Face, first: HeadPose) -> MotionFrame:
    """A face as motion relative to the pose `first`."""
    return _to_motion(face, first, coefficients(face.pose_free_shape))


def to_body(points: Array, first: HeadPose) -> Array:
    """(133, 3) points in pixels, with scores, relative to the pose `first` (see :mod:`portrayal.body`)."""
    return np.column_stack([(points[:, :2] - first.pivot[:2]) / first.scale, points[:, 2]]).astype(np.float32)


def _to_motion(face: Face, first: HeadPose, expression: Array) -> MotionFrame:
    pose = face.pose
    return MotionFrame(
        rotation=pose.angles,
        translation=((pose.pivot - first.pivot)[:2] / first.scale).astype(np.float32),
        scale=pose.scale / first.scale,
        coefficients=expression,
        shape=face.shape,
    )


def hold(frames: Iterable[MotionFrame | None]) -> Iterator[MotionFrame]:
    """Fill gaps: before the first face with its pose, later ones by holding and easing back."""
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
    time and the more it differs from a face at rest or in even motion, measured against the tracker's own
    noise. So neither a still nor a turning face trembles, and a blink keeps its full depth.
    """
    if strength <= 0:
        yield from frames
        return
    window: deque[_Placed] = deque(maxlen=2 * REACH + 1)
    for placed in _padded(frames):
        window.append(placed)
        if len(window) == window.maxlen:
            yield _weighted(list(window), strength)


class _Placed(NamedTuple):
    """A frame and, where it has landmarks, where these are in the picture: (478, 3)."""

    frame: MotionFrame
    points: Array | None


def _padded(frames: Iterable[MotionFrame]) -> Iterator[_Placed]:
    """The frames with the first and the last repeated REACH times before and after."""
    last: _Placed | None = None
    for frame in frames:
        placed = _Placed(frame, None if frame.shape is None else _pose(frame).to_picture(frame.shape))
        if last is None:
            yield from [placed] * REACH
        yield placed
        last = placed
    if last is not None:
        yield from [last] * REACH


#: Noise of the tracker on a still face: coefficient; landmark, eye distances. And of a point of the body.
NOISE_COEFFICIENT, NOISE_POINT, NOISE_BODY = 0.03, 0.006, 0.04
#: Noise of the head's motion where there are no landmarks: degrees, eye distances, ratio.
NOISE_HEAD = np.array([0.5, 0.5, 0.5, 0.006, 0.006, 0.006], np.float32)


def _weighted(window: list[_Placed], strength: float) -> MotionFrame:
    """The middle frame of the window, smoothed.

    Landmarks are smoothed where they are in the picture and taken apart into pose and expression afterwards:
    the noise of a pose and that of the shape seen in this pose cancel each other, apart they would not.
    """
    centre = window[REACH].frame
    values = np.array([f.coefficients for f, _ in window], np.float32)
    expression = bilateral(values[..., None], NOISE_COEFFICIENT, strength)[:, 0]
    body = _steady_body([frame.body for frame, _ in window], strength)
    seen = [points for _, points in window if points is not None]
    if len(seen) < len(window):
        head = np.array([[*f.rotation, *f.translation, f.scale] for f, _ in window], np.float32)
        rotation, translation, scale = np.split(
            bilateral(head[..., None], NOISE_HEAD, strength)[:, 0], [3, 5]
        )
        return replace(
            centre,
            rotation=rotation,
            translation=translation,
            scale=float(scale[0]),
            coefficients=expression,
            body=body,
        )
    face = Face(bilateral(np.array(seen), NOISE_POINT * centre.scale, strength))
    return replace(_to_motion(face, _START, expression), tracked=centre.tracked, body=body)


def _steady_body(window: list[Array | None], strength: float) -> Array | None:
    """(133, 3) the middle body of the window, smoothed; each point counts as much as it was seen."""
    bodies = bodily.stacked(window)
    if bodies is None or window[REACH] is None:
        return None
    where = bilateral(bodies[..., :2], NOISE_BODY, strength, bodies[..., 2])
    return np.column_stack([where, bodies[REACH, :, 2]]).astype(np.float32)


#: The pose of a motion's first frame, in units of its own eye distance.
_START = HeadPose.about_pivot((0, 0, 0), 1.0, np.zeros(3, np.float32))


def _pose(frame: MotionFrame) -> HeadPose:
    return HeadPose.about_pivot(frame.rotation, frame.scale, np.array([*frame.translation, 0], np.float32))


def bilateral(values: Array, noise: Array | float, strength: float, trust: Array | float = 1.0) -> Array:
    """(T, N, C) values of N things over a window → (N, C) the smoothed middle. trust: (T, N) weights.

    Neighbours count as they are near where the middle would be, were it at rest or moving evenly, whichever
    of the two more of them agree with.
    """
    times = np.arange(len(values), dtype=np.float32)[:, None] - REACH
    offsets = values - values[REACH]
    reach = np.asarray(noise, np.float32) * np.float32(0.5 + KEEN * strength)
    near = (
        trust * np.exp(-0.5 * (times / (0.5 + 2.0 * strength)) ** 2) * np.ones(offsets.shape[:2], np.float32)
    )
    changes = []
    for speed in (np.zeros_like(offsets[0]), _slope(times, offsets, near)):
        off = offsets - times[..., None] * speed
        weights = near * np.exp(-0.5 * (off**2).sum(-1) / reach**2)
        agreed = np.maximum(weights.sum(0), 1e-9)
        changes.append((agreed, np.einsum("tn,tnc->nc", weights / agreed, off)))
    (resting, still), (moving, even) = changes
    return np.asarray(values[REACH] + np.where((moving > resting)[:, None], even, still), np.float32)


def _slope(times: Array, values: Array, weights: Array) -> Array:
    """(N, C) of the straight lines through (T, N, C) values, by weighted least squares."""
    shares = weights / np.maximum(weights.sum(0), 1e-9)
    late = shares * (times - (shares * times).sum(0))
    return np.asarray(
        np.einsum("tn,tnc->nc", late, values) / np.maximum((late * times).sum(0), 1e-9)[:, None], np.float32
    )

"""One body followed through a video steadily: no trembling, no hands that come and go from frame to frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal.errors import PortrayalError
from portrayal.track.motion import NOISE_BODY, REACH, bilateral
from portrayal.track.tracker import CutDetector
from portrayal.track.wholebody import best_tracker

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
#: A frame (H, W, 3) and the body's (133, 3) points, x, y in pixels and a score; None before one was seen.
Seen = tuple[Rgb, Array | None]

#: A point that was hidden shows when the mean of its scores over ±REACH frames rises above the second, and
#: hides again when that falls below the first.
TRUST = (0.4, 0.6)
#: What a shown point scores at least, and a hidden one at most: either side of the 0.5 that is asked for.
_SHOWN, _HIDDEN = 0.55, 0.45
#: Frames without any body after which a video is given up.
PATIENCE = 200
#: How much is smoothed, as in :func:`portrayal.track.motion.steady`.
STRENGTH = 0.5
#: Hips this near to the lower edge, in heights of the frame, are guessed from what is above it.
EDGE = 0.04
#: What is found as a whole or not at all, and the joint that it hangs on.
_GROUPS = (
    (b.FACE, b.NOSE),
    (slice(b.LEFT_HAND, b.LEFT_HAND + 21), b.LEFT_WRIST),
    (slice(b.RIGHT_HAND, b.RIGHT_HAND + 21), b.RIGHT_WRIST),
)


def followed(frames: Iterable[Rgb], smooth: float = STRENGTH) -> Iterator[Seen]:
    """Every frame and the body in it; where none is seen, the last that was, and None before the first.

    Joints outside the frame, which the tracker guesses, score 0. smooth: how much over time, 0 none to 1
    strong, which looks a few frames ahead; only these are held. PortrayalError where no body is seen in all
    frames, or in the first :data:`PATIENCE`.
    """
    tracker = best_tracker()
    found = ((rgb, in_frame(tracker(rgb), rgb)) for rgb in frames)
    last: Array | None = None
    count = 0
    for rgb, points in steadied(found, smooth) if smooth > 0 else found:
        last = last if points is None else points
        if last is None and (count := count + 1) >= PATIENCE:
            raise PortrayalError(f"no body found in the first {PATIENCE} frames (--start begins later)")
        yield rgb, last
    if count and last is None:
        raise PortrayalError("no body found in the driving")


def in_frame(points: Array | None, rgb: Rgb) -> Array | None:
    """The points, those outside the frame with score 0, and unseen hands and faces where they hang."""
    if points is None:
        return None
    inside = ((points[:, :2] >= 0) & (points[:, :2] <= (rgb.shape[1] - 1, rgb.shape[0] - 1))).all(1)
    points = points.copy()
    shoulders = [b.LEFT_SHOULDER, b.RIGHT_SHOULDER]
    neck = points[shoulders, :2].mean(0)
    if ((neck >= 0) & (neck <= (rgb.shape[1] - 1, rgb.shape[0] - 1))).all():
        inside[shoulders] = True  # else no neck is seen, which is their mean
    points[~inside, 2] = 0
    hips = [b.LEFT_HIP, b.RIGHT_HIP]
    if (points[hips, 1] > (1 - EDGE) * rgb.shape[0]).any():
        points[hips, 2] = 0
    for group, joint in _GROUPS:
        if not points[group, 2].any():
            points[group, :2] = points[joint, :2]
    return points


def steadied(found: Iterable[Seen], strength: float = STRENGTH) -> Iterator[Seen]:
    """The same frames, each with its points smoothed over those around it; a scene cut is a border."""
    shown = np.zeros(b.POINTS, np.bool_)
    for window in _windows(found):
        rgb = window[REACH][0]
        bodies = b.stacked([points for _, points in window])
        if bodies is None or not (bodies[REACH, :, 2].any() or _between(bodies[..., 2].any(1))):
            yield rgb, None
            continue
        bodies = _completed(bodies)
        points = _smoothed(bodies, strength)
        trust = bodies[..., 2].mean(0)
        shown = np.where(shown, trust > TRUST[0], trust > TRUST[1])
        points[:, 2] = np.where(shown, np.maximum(points[:, 2], _SHOWN), np.minimum(points[:, 2], _HIDDEN))
        yield rgb, points


def _windows(found: Iterable[Seen]) -> Iterator[list[Seen]]:
    """±REACH frames around every frame; beyond a scene's ends its first and last."""
    is_cut, window = CutDetector(), deque[Seen](maxlen=2 * REACH + 1)
    for item in found:
        if is_cut(item[0]) and window:
            yield from _rest(window)
            window.clear()
        window.extend([item] * (1 if window else REACH + 1))
        if len(window) == window.maxlen:
            yield list(window)
    if window:
        yield from _rest(window)


def _rest(window: deque[Seen]) -> Iterator[list[Seen]]:
    for _ in range(REACH):
        window.append(window[-1])
        if len(window) == window.maxlen:
            yield list(window)


def _between(there: NDArray[np.bool_]) -> bool:
    """Whether something is there both before and after the middle."""
    return bool(there[:REACH].any() and there[REACH + 1 :].any())


def _completed(bodies: Array) -> Array:
    """(T, 133, 3) with what the middle frame lacks put where the frames around it have it, where they do.

    It stays relative to the joint that it hangs on. Its score in the middle becomes that of these frames.
    """
    bodies = bodies.copy()
    middle = bodies[REACH]
    if not middle[:, 2].any():
        middle[:] = _mean_of_nearest(bodies, bodies[..., 2].any(1))
    for group, joint in _GROUPS:
        there = bodies[:, group, 2].any(1)
        if there.any() and not there[REACH]:
            relative = bodies[:, group].copy()
            relative[..., :2] -= bodies[:, joint, None, :2]
            middle[group] = _mean_of_nearest(relative, there)
            middle[group, :2] += middle[joint, :2]
    return bodies


def _mean_of_nearest(values: Array, there: NDArray[np.bool_]) -> Array:
    """(N, 3) of (T, N, 3): between the nearest before and after the middle, or what there is of these."""
    before, after = np.flatnonzero(there[:REACH]), np.flatnonzero(there[REACH + 1 :])
    if not len(before) or not len(after):
        return values[before[-1] if len(before) else REACH + 1 + after[0]]
    first, second = int(before[-1]), int(REACH + 1 + after[0])
    share = np.float32((REACH - first) / (second - first))
    return np.asarray(values[first] + share * (values[second] - values[first]), np.float32)


def _smoothed(bodies: Array, strength: float) -> Array:
    """(133, 3) the middle body, each point averaged with itself around that time, as much as it was seen."""
    middle = bodies[REACH]
    apart = np.linalg.norm(middle[b.LEFT_EYE, :2] - middle[b.RIGHT_EYE, :2])
    broad = np.linalg.norm(middle[b.LEFT_SHOULDER, :2] - middle[b.RIGHT_SHOULDER, :2])
    unit = max(float(apart), float(broad) / 6, 1.0)  # of a head in profile the eyes are close together
    where = bilateral(bodies[..., :2], NOISE_BODY * unit, strength, bodies[..., 2])
    return np.column_stack([where, middle[:, 2]]).astype(np.float32)

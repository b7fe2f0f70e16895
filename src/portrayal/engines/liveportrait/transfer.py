"""From a driving's motion to where the portrait's keypoints go.

The arithmetic is LivePortrait's (Guo et al. 2024, section 3, and its published pipeline), for any number of
frames at once; nothing is kept between calls, so a clip may be of any length.

1. :meth:`Transfer.moved` gives the portrait the driving's motion, or its change since a reference frame;
2. where the portrait is a video, :func:`steadied` smooths that over time;
3. :meth:`Transfer.limited` keeps the portrait's own where the driving has no say (regions);
4. :meth:`Transfer.placed` turns it into keypoints: stitching, retargeting, strength.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.keypoints import NEUTRAL, FaceMotion, hull_multiplier
from portrayal.engines.liveportrait.regions import expression_mask, moves_head
from portrayal.engines.liveportrait.smoothing import smooth_stream
from portrayal.errors import PortrayalError

Array = NDArray[np.float32]
Network = Callable[[Array], Array]

#: Lips that are less open than this are closed already.
CLOSED_LIPS = 0.03
#: A video whose eyes start less open than this gets the second number for eyes.
SLEEPY_EYES, AWAKE_EYES = 0.18, 0.39
#: Coordinates that lids and jaw open with: (point, axis).
_LIDS = ((11, 1), (13, 1), (15, 1), (16, 1))
_JAW = ((19, 1), (19, 2))
#: Points of the eye on the picture's left, and of that on its right.
_EYE_POINTS = ((11, 13), (15, 16))


@dataclass(frozen=True)
class Networks:
    """The three small networks as functions: (N, 126) → (N, 65), (N, 66) → (N, 63), (N, 65) → (N, 63)."""

    stitching: Network
    eyes: Network
    lips: Network


@dataclass(frozen=True)
class Rules:
    """How motion is transferred.

    regions: see :mod:`.regions`. absolute: the driving's own motion, not its change. strength: how far to go
    from where the portrait is, 1 as driven. eyes, lips: open them as far as the driving's are, by networks
    that know the portrait. close_lips: as if the portrait's lips had been closed at the start. hold_eyes:
    where the portrait is a video, keep its eyes as open as in its first frame. grow: multiply the motion by
    the size of the portrait's head in terms of the driving's (animals). compat: retargeting as published,
    which takes the opening from one eye, and with relative motion drops all else that the driving does.
    """

    regions: frozenset[str] = frozenset({"all"})
    absolute: bool = False
    strength: float = 1.0
    stitching: bool = True
    eyes: bool = False
    lips: bool = False
    close_lips: bool = False
    hold_eyes: bool = False
    grow: bool = False
    compat: bool = False


class Transfer:
    """Carries motion over to one portrait.

    first: the portrait, N = 1; of a video its first frame. reference: the driving frame that shows what the
    portrait shows, N = 1. moving: whether the portrait is a video.
    """

    def __init__(
        self,
        rules: Rules,
        networks: Networks,
        first: FaceMotion,
        reference: FaceMotion,
        *,
        moving: bool = False,
    ) -> None:
        self._rules, self._networks, self._moving = rules, networks, moving
        self._first, self._reference = first, reference
        self._mask = expression_mask(rules.regions, whole=not (moving or rules.absolute))
        if not rules.compat:  # what retargeting opens, the driving's expression must not open once more
            for point, axis in (*(_LIDS if rules.eyes else ()), *(_JAW if rules.lips else ())):
                self._mask[point, axis] = False
        self._start = self._growth() if rules.grow else None

    def keypoints(self, driving: FaceMotion) -> Array:
        """(N, 21, 3) of a still portrait."""
        return self.placed(self.limited(self.moved(driving, self._first), self._first), driving, self._first)

    def moved(self, driving: FaceMotion, own: FaceMotion) -> FaceMotion:
        """The portrait with all of the driving's motion. own: the portrait, N frames or one."""
        if self._rules.absolute:
            scale = np.broadcast_to(own.scale, driving.scale.shape)
            return replace(driving, canonical=own.canonical, scale=scale)
        start = self._reference
        return FaceMotion(
            rotation=driving.rotation @ start.rotation.swapaxes(1, 2) @ own.rotation,
            expression=own.expression + (driving.expression - start.expression),
            translation=own.translation + (driving.translation - start.translation),
            scale=own.scale * (driving.scale / start.scale),
            canonical=own.canonical,
        )

    def limited(self, moved: FaceMotion, own: FaceMotion) -> FaceMotion:
        """What of it the regions let through; a video keeps its own size, and relative its own place."""
        turns = moves_head(self._rules.regions)
        shifts = turns and (self._rules.absolute or not self._moving)
        grows = "all" in self._rules.regions and not self._moving

        def chosen(new: Array, old: Array, which: bool) -> Array:
            return new if which else np.broadcast_to(old, new.shape)

        return replace(
            moved,
            rotation=chosen(moved.rotation, own.rotation, turns),
            expression=np.where(self._mask, moved.expression, own.expression).astype(np.float32),
            translation=chosen(moved.translation, own.translation, shifts),
            scale=chosen(moved.scale, own.scale, grows),
        )

    def placed(self, moved: FaceMotion, driving: FaceMotion, own: FaceMotion) -> Array:
        """(N, 21, 3) keypoints for the limited motion."""
        rules, rest = self._rules, own.keypoints
        points = moved.keypoints
        if self._start is not None:
            start, growth = self._start
            points = rest + growth * (points - start)
        if rules.eyes or rules.lips:
            base = np.broadcast_to(rest, points.shape) if rules.compat and not rules.absolute else points
            points = base + self._opened(rest, driving, own)
            points = self._stitched(rest, points) if rules.stitching else points
        else:
            points = self._stitched(rest, points) if rules.stitching else points
        points = points + self._corrected(rest, own)
        return np.asarray(rest + rules.strength * (points - rest), np.float32)

    def _growth(self) -> tuple[Array, float]:
        """Keypoints (1, 21, 3) at the reference frame, and how much larger the portrait's head is."""
        start = self.limited(self.moved(self._reference, self._first), self._first).keypoints
        return start, hull_multiplier(self._first.keypoints[0], start[0])

    def _stitched(self, rest: Array, points: Array) -> Array:
        """Moved so that the shoulders at the crop's edge stay where they are."""
        delta = self._networks.stitching(_rows(len(points), rest, points))
        shift = np.concatenate([delta[:, 63:65], np.zeros((len(delta), 1), np.float32)], 1)
        return points + delta[:, :63].reshape(-1, 21, 3) + shift[:, None]

    def _opened(self, rest: Array, driving: FaceMotion, own: FaceMotion) -> Array:
        """What opens eyes and lips as far as the driving's, added up."""
        total = np.zeros((len(driving), 21, 3), np.float32)
        if self._rules.eyes:
            wanted = _known(driving.eyes, "the eyes of the driving", "--eye-retargeting")
            total += self._eyes_at(rest, own, wanted)
        if self._rules.lips:
            wanted = _known(driving.lips, "the lips of the driving", "--lip-retargeting")
            total += self._lips_at(rest, own, wanted)
        return total

    def _eyes_at(self, rest: Array, own: FaceMotion, wanted: Array) -> Array:
        """wanted: (N, 2) how open."""
        now = _known(own.eyes, "the eyes of the portrait", "--eye-retargeting")
        if self._rules.compat:
            return self._eye_delta(rest, now, wanted[:, :1])
        each = [self._eye_delta(rest, now, wanted[:, side : side + 1]) for side in (0, 1)]
        both = (each[0] + each[1]) / 2
        for delta, points in zip(each, _EYE_POINTS, strict=True):
            both[:, points] = delta[:, points]
        return both

    def _eye_delta(self, rest: Array, now: Array, wanted: Array) -> Array:
        return self._networks.eyes(_rows(len(wanted), rest, now, wanted)).reshape(-1, 21, 3)

    def _lips_at(self, rest: Array, own: FaceMotion, wanted: Array) -> Array:
        """wanted: (N,) how open."""
        now = _known(own.lips, "the lips of the portrait", "--lip-retargeting")
        return self._networks.lips(_rows(len(wanted), rest, now, wanted)).reshape(-1, 21, 3)

    def _corrected(self, rest: Array, own: FaceMotion) -> Array:
        """What is put right in the portrait itself: (1, 21, 3), or (N, 21, 3) for a video."""
        rules, total = self._rules, np.zeros_like(rest)
        if rules.close_lips and not rules.absolute and not rules.lips and not (rules.compat and rules.eyes):
            lips = _known(own.lips, "the lips of the portrait", "--normalize-lip")
            closed = self._lips_at(rest, own, np.zeros_like(lips))
            total += closed * (lips >= CLOSED_LIPS)[:, None, None]
        if rules.hold_eyes and self._moving and not rules.eyes and not (rules.compat and rules.lips):
            eyes = _known(self._first.eyes, "the eyes of the portrait", "--hold-eyes")
            mean = float(eyes[0].mean())
            wanted = np.full((len(rest), 1), AWAKE_EYES if mean < SLEEPY_EYES else mean, np.float32)
            now = _known(own.eyes, "the eyes of the portrait", "--hold-eyes")
            total += self._eye_delta(rest, now, wanted)
        return total


def image_reference(driving: FaceMotion, regions: frozenset[str]) -> FaceMotion:
    """What one driving picture is compared to: a neutral face in the same pose (for eyes alone: no
    expression).
    """
    neutral = np.zeros_like(NEUTRAL) if regions == {"eyes"} else NEUTRAL
    return replace(driving, expression=neutral[None])


def steadied(motions: Iterable[FaceMotion], variance: float) -> Iterator[FaceMotion]:
    """Frames (N = 1) with expression and rotation smoothed over time, see :mod:`.smoothing`.

    Rotations are smoothed entry by entry, as published: after it they are rotations nearly, not exactly.
    """
    waiting: list[FaceMotion] = []

    def samples() -> Iterator[Array]:
        for motion in motions:
            waiting.append(motion)
            yield np.concatenate([motion.expression.ravel(), motion.rotation.ravel()])

    for values in smooth_stream(samples(), variance):
        motion = waiting.pop(0)
        yield replace(motion, expression=values[:63].reshape(1, 21, 3), rotation=values[63:].reshape(1, 3, 3))


def _rows(count: int, *parts: Array) -> Array:
    """(count, k) the parts side by side, flat; those of one frame repeated."""
    flat = [part.reshape(len(part), -1) for part in parts]
    return np.concatenate([np.broadcast_to(p, (count, p.shape[1])) for p in flat], 1).astype(np.float32)


def _known(ratios: Array | None, whose: str, option: str) -> Array:
    if ratios is None:
        raise PortrayalError(f"{option}: how open {whose} are is not known")
    return ratios

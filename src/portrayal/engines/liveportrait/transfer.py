"""From a driving's motion to where the portrait's keypoints go.

The arithmetic is LivePortrait's (Guo et al. 2024, section 3, and its published pipeline), for any number of
frames at once; nothing is kept between calls, so a clip may be of any length.

1. :meth:`Transfer.moved` gives the portrait the driving's motion, or its change since a reference frame;
2. where the portrait is a video, :func:`steadied` smooths that over time;
3. :meth:`Transfer.limited` keeps the portrait's own where the driving has no say (regions);
4. :meth:`Transfer.placed` turns it into keypoints: stitching, retargeting, strength.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.keypoints import NEUTRAL, FaceMotion, hull_multiplier
from portrayal.engines.liveportrait.regions import expression_mask, moves_head, parse_regions
from portrayal.engines.liveportrait.retargeting import Retargeting
from portrayal.engines.liveportrait.smoothing import smooth_stream
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Array = NDArray[np.float32]

#: Lips that are less open than this are closed already.
CLOSED_LIPS = 0.03
#: A video whose eyes start less open than this gets the second number for eyes.
SLEEPY_EYES, AWAKE_EYES = 0.18, 0.39
#: Coordinates that lids and jaw open with: (point, axis).
_LIDS = ((11, 1), (13, 1), (15, 1), (16, 1))
_JAW = ((19, 1), (19, 2))


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

    @classmethod
    def of(cls, options: LivePortraitOptions) -> Rules:
        """What the options say; animals are driven absolutely, as published."""
        return cls(
            regions=parse_regions(options.region),
            absolute=options.absolute or options.animal,
            strength=options.strength,
            stitching=options.stitching,
            eyes=options.eye_retargeting,
            lips=options.lip_retargeting,
            close_lips=options.normalize_lip,
            hold_eyes=options.hold_eyes,
            grow=options.animal and options.driving_option == "expression-friendly",
            compat=options.compat,
        )


class Transfer:
    """Carries motion over to one portrait.

    first: the portrait, N = 1; of a video its first frame. reference: the driving frame that shows what the
    portrait shows, N = 1. moving: whether the portrait is a video.
    """

    def __init__(
        self,
        rules: Rules,
        networks: Retargeting,
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

    def placed(
        self, moved: FaceMotion, driving: FaceMotion, own: FaceMotion, added: Array | None = None
    ) -> Array:
        """(N, 21, 3) keypoints for the limited motion. added: (N, 21, 3) to add before stitching (edits)."""
        rules, rest = self._rules, own.keypoints
        points = moved.keypoints
        if self._start is not None:
            start, growth = self._start
            points = rest + growth * (points - start)
        if rules.eyes or rules.lips:
            if rules.compat and not rules.absolute:
                points = np.broadcast_to(rest, points.shape)
            points = points + self._opened(rest, driving, own)
        if added is not None:
            points = points + added
        if rules.stitching:
            points = self._networks.stitched(rest, points)
        points = points + self._corrected(rest, own)
        return np.asarray(rest + rules.strength * (points - rest), np.float32)

    def _growth(self) -> tuple[Array, float]:
        """Keypoints (1, 21, 3) at the reference frame, and how much larger the portrait's head is."""
        start = self.limited(self.moved(self._reference, self._first), self._first).keypoints
        return start, hull_multiplier(self._first.keypoints[0], start[0])

    def _opened(self, rest: Array, driving: FaceMotion, own: FaceMotion) -> Array:
        """What opens eyes and lips as far as the driving's, added up."""
        rules, networks = self._rules, self._networks
        total = np.zeros((len(driving), 21, 3), np.float32)
        if rules.eyes:
            wanted = known(driving.eyes, "the eyes of the driving")
            now = known(own.eyes, "the portrait's eyes")
            if rules.compat:
                total += networks.eyes_to(rest, now, wanted[:, :1])
            else:
                total += networks.each_eye_to(rest, now, wanted)
        if rules.lips:
            wanted = known(driving.lips, "the lips of the driving")
            total += networks.lips_to(rest, known(own.lips, "the portrait's lips"), wanted)
        return total

    def _corrected(self, rest: Array, own: FaceMotion) -> Array:
        """What is put right in the portrait itself: (1, 21, 3), or (N, 21, 3) for a video."""
        rules, total = self._rules, np.zeros_like(rest)
        if rules.compat and (rules.eyes or rules.lips):
            return total
        if rules.close_lips and not rules.absolute and not rules.lips:
            lips = known(own.lips, "the portrait's lips")
            closed = self._networks.lips_to(rest, lips, np.zeros_like(lips))
            total += closed * (lips >= CLOSED_LIPS)[:, None, None]
        if rules.hold_eyes and self._moving and not rules.eyes:
            eyes = known(own.eyes, "the portrait's eyes")
            mean = float(known(self._first.eyes, "the portrait's eyes")[0].mean())
            wanted = np.full((len(rest), 1), AWAKE_EYES if mean < SLEEPY_EYES else mean, np.float32)
            total += self._networks.eyes_to(rest, eyes, wanted)
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


def known(ratios: Array | None, whose: str) -> Array:
    """Ratios that are there; PortrayalError where they were not measured."""
    if ratios is None:
        raise PortrayalError(f"how open {whose} are is not known, so they cannot be retargeted")
    return ratios

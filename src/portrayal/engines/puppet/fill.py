"""Hidden parts of a picture, filled: smoothly, or with pieces of what is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.seams import levelled

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Longer side of the pictures in which pieces are chosen, coarse to fine; offsets are looked for in the
#: middle one.
LEVELS = (48, 96, 192)
#: How often the choice is made anew at each of them, and the side of the square that is compared.
ROUNDS, PIECE = (4, 4, 2), 7
#: Offsets to choose from, of all that are multiples of GRID pixels, and from how far around they are taken.
CHOICES, GRID, AROUND = 40, 5, 25
#: A difference of two pixels (squared, three colours) counts no more than this; what is not seen, twice that.
WORST = 2e4
_NEVER = np.float32(1e9)


def push_pull(colour: Array, known: Array) -> Array:
    """Fill (H, W, C) `colour` where `known` (H, W), 0 to 1, is less than 1.

    Over an image pyramid (Gortler et al. 1996, section 3.4): known pixels are averaged on the way down and
    fill the unknown ones on the way up.
    """
    height, width = known.shape
    if min(height, width) <= 2 or known.all():
        return colour
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(colour * known[..., None], half, interpolation=cv2.INTER_AREA)
    sums = sums.reshape(*sums.shape[:2], -1)  # OpenCV drops a single channel
    coarse = sums / np.maximum(weight, 1e-6)[..., None]
    below = push_pull(coarse, np.minimum(weight * 4, 1.0))
    mixed = np.minimum(weight * 4, 1.0)[..., None]
    below = mixed * coarse + (1 - mixed) * below
    wide = cv2.resize(below, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return np.asarray(known[..., None] * colour + (1 - known[..., None]) * wide, np.float32)


def continued(rgb: Array, hidden: Mask, seen: Mask, covered: Mask | None = None) -> tuple[Array, Array]:
    """The picture (H, W, 3), 0-255, with its background continued where it is `hidden`, and how much of each
    pixel (H, W), 0 to 1, was put together from pieces.

    seen: (H, W) where the background is. covered: (H, W) where of what is hidden nothing shines through; in
    the rest, between stray hairs, it is like the picture (all is covered unless given).

    Pieces of a picture repeat at few offsets (He and Sun 2012, "Statistics of patch offsets for image
    completion"): each hidden pixel is given one of these, such that what it brings along fits its neighbours,
    coarse to fine (Wexler et al. 2007, section 3), and all are shaded to meet the picture. Next to what is
    neither hidden nor background, a body say, the picture is continued smoothly.
    """
    known = 1 - hidden.astype(np.float32)
    smooth = push_pull(rgb, known)
    covered = hidden if covered is None else covered & hidden
    levels = [_Level.of(rgb, covered, seen, side) for side in LEVELS]
    offsets = levels[1].offsets()
    if not len(offsets):
        return smooth, np.zeros_like(known)
    choice = _chosen(levels, offsets, smooth)
    level = _levelled(levels[-1], choice, np.rint(offsets * (levels[-1].scale / levels[1].scale)).astype(int))
    wide = cv2.resize(choice.astype(np.float32), hidden.shape[::-1], interpolation=cv2.INTER_NEAREST)
    steps = np.rint(offsets / levels[1].scale).astype(int)
    soft = max(1.0, 0.5 / levels[-1].scale)
    ring = seen & (cv2.dilate(hidden.astype(np.uint8), np.ones((PIECE, PIECE), np.uint8)) > 0)
    ring |= hidden & ~covered
    shown = np.where(hidden | ring, wide, -1).astype(np.int_)
    pieces = _shaded(_laid(rgb, seen.astype(np.float32), steps, shown, smooth, soft, level), rgb, ring)
    beside = push_pull(seen.astype(np.float32)[..., None], known)[..., 0]
    share = np.clip((beside - 0.5) / 0.3, 0, 1) * hidden
    return smooth + share[..., None] * (pieces - smooth), share.astype(np.float32)


def _chosen(levels: list[_Level], offsets: NDArray[np.int_], start: Array) -> NDArray[np.int_]:
    """(h, w) which of the offsets (pixels of the middle level) is for each pixel of the last level, -1 none;
    from a first guess, (H, W, 3) of any size."""
    current = start
    for level, rounds in zip(levels, ROUNDS, strict=True):
        current = level.with_known(current)
        steps = np.rint(offsets * (level.scale / levels[1].scale)).astype(int)
        for _ in range(rounds):
            choice = level.choice(current, steps)
            current = level.with_known(_laid(level.rgb, level.seen, steps, choice, current, 1.2))
    return choice


class _Level(NamedTuple):
    """A picture at a `scale`: rgb (h, w, 3), covered and seen (h, w)."""

    scale: float
    rgb: Array
    covered: Mask
    seen: Array

    @classmethod
    def of(cls, rgb: Array, covered: Mask, seen: Mask, side: int) -> _Level:
        height, width = covered.shape
        scale = min(1.0, side / max(height, width))
        size = (max(PIECE, round(width * scale)), max(PIECE, round(height * scale)))
        small, under, clear = (
            cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for values in (rgb, covered, seen)
        )
        clear = cv2.erode((clear > 0.95).astype(np.float32), np.ones((3, 3), np.uint8))
        return cls(scale, np.asarray(small, np.float32), under > 0.02, np.asarray(clear, np.float32))

    def with_known(self, filled: Array) -> Array:
        """What is covered as in a picture of any size, the rest as it is."""
        fitting = cv2.resize(filled, self.covered.shape[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(np.where(self.covered[..., None], fitting, self.rgb), np.float32)

    def offsets(self) -> NDArray[np.int_]:
        """(N, 2) x and y of the offsets at which pieces around what is covered are most often found again."""
        near = cv2.dilate(self.covered.astype(np.uint8), np.ones((AROUND, AROUND), np.uint8)) * self.seen > 0
        reach = int(0.75 * max(near.shape)) // GRID * GRID
        steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1, GRID)] * 2), -1).reshape(-1, 2)
        steps = steps[np.hypot(*steps.T) > 1.5 * PIECE]

        def cost(step: NDArray[np.int_]) -> Array:
            both = self.seen * _moved(self.seen, step)
            enough, total = _pieces(both), _pieces(_apart(self.rgb, _moved(self.rgb, step)) * both)
            return np.where(enough > 0.5, total / np.maximum(enough, 0.5), _NEVER)

        best = _cheapest(near.shape, map(cost, steps))
        often = np.bincount(best[near & (best >= 0)], minlength=len(steps))
        order = np.argsort(-often, kind="stable")[:CHOICES]
        return np.asarray(steps[order[often[order] > 0]], np.int_)

    def choice(self, current: Array, steps: NDArray[np.int_]) -> NDArray[np.int_]:
        """(h, w) which of the steps fits each pixel and those around it best; -1 where none can be."""

        def cost(step: NDArray[np.int_]) -> Array:
            there = _moved(self.seen, step) > 0
            apart = np.minimum(_apart(current, _moved(self.rgb, step)), WORST)
            return np.where(there, _pieces(np.where(there, apart, 2 * WORST).astype(np.float32)), _NEVER)

        return _cheapest(self.covered.shape, map(cost, steps))


def _cheapest(shape: tuple[int, ...], costs: Iterable[Array]) -> NDArray[np.int_]:
    """(H, W) which of the costs, (H, W) each, is the least for each pixel; -1 where all are without end."""
    least, best = np.full(shape, _NEVER), np.full(shape, -1)
    for index, cost in enumerate(costs):
        better = cost < least
        least[better], best[better] = cost[better], index
    return best


def _laid(
    rgb: Array,
    seen: Array,
    steps: NDArray[np.int_],
    choice: NDArray[np.int_],
    otherwise: Array,
    soft: float,
    level: Mapping[int, Array] | None = None,
) -> Array:
    """(H, W, 3) what the chosen steps bring from where it is seen, with seams as wide as `soft` pixels.

    level: for steps by their number, (h, w, 3) of any size, what is added to what they bring.
    """
    total, weight = 1e-3 * otherwise, np.full(choice.shape, 1e-3, np.float32)
    margin = int(3 * soft) + 1
    for index in np.unique(choice[choice >= 0]):
        rows, columns = np.nonzero(choice == index)
        part = tuple(
            slice(max(int(at.min()) - margin, 0), int(at.max()) + margin + 1) for at in (rows, columns)
        )
        share = cv2.GaussianBlur((choice[part] == index).astype(np.float32), (0, 0), soft)
        share *= _moved(seen, steps[index])[part]
        brought = _moved(rgb, steps[index])[part]
        if level is not None and index in level:
            brought = brought + cv2.resize(level[index], choice.shape[::-1])[part]
        total[part] += share[..., None] * brought
        weight[part] += share
    return np.asarray(total / weight[..., None], np.float32)


def _levelled(level: _Level, choice: NDArray[np.int_], steps: NDArray[np.int_]) -> dict[int, Array]:
    """For each of the steps that is chosen, (h, w, 3) what takes the seams out around its pieces."""
    chosen = np.where(level.covered, choice, -1)
    correction = levelled(level.rgb, level.seen, chosen, steps, ~level.covered & (level.seen > 0))
    return {
        int(index): push_pull(correction, (chosen == index).astype(np.float32))
        for index in np.unique(chosen[chosen >= 0])
    }


def _shaded(pieces: Array, rgb: Array, ring: Mask) -> Array:
    """The pieces with a smooth change of colour, such that on the ring they are like the picture."""
    weight = ring.astype(np.float32)
    share = _pieces(weight)
    apart = _pieces((rgb - pieces) * weight[..., None]) / np.maximum(share, 1e-3)[..., None]
    return pieces + push_pull(apart, weight)


def _moved(values: Array, step: NDArray[np.int_]) -> Array:
    """What (H, W, ...) values are at (x, y) further on; 0 beyond their edges."""
    moved = np.zeros_like(values)
    here, there = [], []
    for by, size in zip(step[::-1].tolist(), values.shape[:2], strict=True):
        here.append(slice(max(-by, 0), max(min(size - by, size), 0)))
        there.append(slice(max(by, 0), max(min(size + by, size), 0)))
    moved[tuple(here)] = values[tuple(there)]
    return moved


def _apart(one: Array, other: Array) -> Array:
    """(H, W) squared distances of colours."""
    difference = one - other
    return np.asarray(np.einsum("ijk,ijk->ij", difference, difference), np.float32)


def _pieces(values: Array) -> Array:
    """(H, W) means over the squares about each pixel."""
    return np.asarray(cv2.blur(values, (PIECE, PIECE)), np.float32)

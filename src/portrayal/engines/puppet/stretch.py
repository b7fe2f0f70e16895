"""Where a turning head shows more than its picture does, the picture is pulled apart: there its finest lines
would become streaks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.coarse import enlarged, knots
from portrayal.engines.puppet.warp import BackwardMap, sample
from portrayal.engines.puppet.windows import Window, grown, within

Array = NDArray[np.float32]

#: Known every so many pixels.
STEP = 8
#: Stretched by less than the first, a picture stays as it is; from the second on it is smoothed entirely.
SLIGHT, STRONG = 1.6, 3.0
#: Side of the square over which it is smoothed, pixels.
SMOOTH = 5


class Stretch:
    """How many times longer a warped picture is than its source, in the direction in which it is most."""

    def __init__(self, where: BackwardMap) -> None:
        self._where = where
        every = max(1, STEP // where.step)
        self._step = every * where.step
        x, y = (values[every // 2 :: every, every // 2 :: every] for values in (where.x, where.y))
        steps = [np.hypot(np.gradient(x, axis=k), np.gradient(y, axis=k)) / self._step for k in (0, 1)]
        times = 1 / np.clip(np.minimum(*steps), 1 / STRONG, 1)
        rows, columns = (-(-n // self._step) for n in where.size)
        padding = ((0, rows - len(times)), (0, columns - times.shape[1]))
        times = cv2.blur(np.pad(times.astype(np.float32), padding, mode="edge"), (3, 3))
        self._share = np.clip((times - SLIGHT) / (STRONG - SLIGHT), 0, 1).astype(np.float32)

    def sample(self, picture: NDArray[np.uint8], window: Window, fine: Window) -> NDArray[np.uint8]:
        """See :func:`portrayal.engines.puppet.warp.sample`: the same, smoothed where it is stretched."""
        part = self._stretched(window)
        if part is None:
            return sample(picture, self._where, window, fine)
        wide, near = (grown(one, SMOOTH // 2, self._where.size) for one in (window, part))
        own, inner = sample(picture, self._where, wide, fine), within(near, wide)
        share = enlarged(self._share, self._step, near)
        smooth = cv2.blur(own[inner], (SMOOTH, SMOOTH))
        own[inner] = cv2.blendLinear(own[inner], smooth, 1 - share, share)
        return own[within(window, wide)]

    def _stretched(self, window: Window) -> Window | None:
        """The part of a window of the result that holds what is stretched in it; None where nothing is."""
        near = knots(window, self._share.shape, self._step)[0]
        spans = []
        for axis, (span, of) in enumerate(zip(window, near, strict=True)):
            found = self._step * (of.start + np.flatnonzero(self._share[near].any(1 - axis)))
            if not len(found):
                return None
            first, last = int(found[0]) - self._step, int(found[-1]) + 2 * self._step
            spans.append(slice(max(span.start, first), min(span.stop, last)))
        return spans[0], spans[1]

"""What a driving does to one face: transfer, the sliders on top of it, and the picture of that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.crop import Anchors, Square, source_input
from portrayal.engines.liveportrait.driver import Driven
from portrayal.engines.liveportrait.editing import Edit, edited, opened
from portrayal.engines.liveportrait.heads import Head, Networks, measured
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.transfer import Rules, Transfer

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Keypoints that are no further away than this are where they were.
_STILL = 1e-6


class Acting:
    """Turns driving steps into keypoints and pictures.

    reference: N = 1, see :mod:`.reference`. seen: whether the motion was measured in pictures; where it was
    not, a face that nothing moves stays as it is, not even stitched.
    """

    def __init__(
        self, options: LivePortraitOptions, networks: Networks, reference: FaceMotion, *, seen: bool
    ) -> None:
        self._options, self.networks, self._seen = options, networks, seen
        self._rules, self._reference = Rules.of(options), reference

    def part(self, first: FaceMotion, *, moving: bool = False) -> Transfer:
        """The part of one face. first: it (N = 1), of a video as it is in the first frame."""
        return Transfer(self._rules, self.networks.retargeting, first, self._reference, moving=moving)

    def rendered(self, head: Head, part: Transfer, steps: Sequence[Driven]) -> Rgb:
        """(N, 512, 512, 3) a still face for N steps."""
        driving = FaceMotion.stack([step.motion for step in steps])
        points = self.placed(part, part.moved(driving, head.motion), head.motion, steps)
        return self.networks.render(head.source, points)

    def placed(self, part: Transfer, moved: FaceMotion, own: FaceMotion, steps: Sequence[Driven]) -> Array:
        """(N, 21, 3) keypoints for N steps. moved: see :meth:`Transfer.moved`. own: the face, N or 1
        frames.
        """
        driving = FaceMotion.stack([step.motion for step in steps])
        limited = part.limited(moved, own)
        edits = [Edit.of(self._options, self._sample, step.sliders) for step in steps]
        limited = FaceMotion.stack([edited(limited[i], edit) for i, edit in enumerate(edits)])
        sources = [own[i if len(own) > 1 else 0] for i in range(len(steps))]
        added = np.concatenate(
            [opened(s, e, self.networks.retargeting) for s, e in zip(sources, edits, strict=True)]
        )
        points = part.placed(limited, driving, own, added)
        if self._seen:
            return points
        change = np.abs(limited.keypoints + added - own.keypoints).max((1, 2), keepdims=True)
        return np.where(change < _STILL, own.keypoints, points).astype(np.float32)

    @cached_property
    def _sample(self) -> FaceMotion | None:
        """What the motion extractor sees in the picture whose expression is added."""
        if self._options.sample is None:
            return None
        from portrayal.portrait import Portrait

        picture = Portrait.open(Path(self._options.sample))
        square = Square.around(Anchors.of_mesh(picture.faces[0].landmarks), self._options.source_scale)
        return measured(source_input(square.cut(picture.rgb)), picture.faces[0], self.networks)

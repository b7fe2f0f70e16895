"""The protocol by which the model was published: every clip driven by itself from its first frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.tpsmm.crop import resized
from portrayal.engines.tpsmm.inference import load_networks
from portrayal.engines.tpsmm.info import TpsmmOptions

Rgb = NDArray[np.uint8]


def reconstructed(
    clips: Iterable[Iterable[Rgb]], options: TpsmmOptions
) -> Iterator[Iterator[tuple[Rgb, Rgb]]]:
    """For each clip, its frames at the model's size beside what the model makes of them, (S, S, 3) each.

    As published: standard key points, the background's motion predicted (where the checkpoint has that), and
    the aspect ratio not kept.
    """
    networks = load_networks(options)

    def pairs(clip: Iterable[Rgb]) -> Iterator[tuple[Rgb, Rgb]]:
        first: Rgb | None = None
        for rgb in clip:
            frame = resized(rgb, options.side)
            if first is None:
                first, source = frame, networks.source(frame)
            yield frame, networks.reconstruct(source, frame)

    return (pairs(clip) for clip in clips)

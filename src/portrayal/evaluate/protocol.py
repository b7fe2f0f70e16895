"""Published protocols: a model judged on a folder of clips as in its paper.

`tpsmm` (Zhao & Zhang 2022, section 4.2): every clip driven by itself from its first frame. L1 is the mean
absolute difference of pixels in [0, 1]; AKD the mean absolute difference of landmark coordinates in pixels
of the model's size, MKR the share of frames whose face is found in the clip and not in the result, AED the
mean squared distance of identity embeddings of length 1. The landmarks are MediaPipe's 468, where the paper
has face_alignment's 68 (faces) and OpenPose's 18 (bodies); the embeddings are SFace's, where it has
OpenFace's: compare AKD, MKR and AED with figures of the same extractor only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from portrayal.evaluate.likeness import keypoint_distance
from portrayal.media.clips import find_clips, frames_of
from portrayal.track.face import Face
from portrayal.track.tracker import FaceTracker

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Scores:
    """Means over all frames. akd: pixels; mkr: 0 to 1; aed: 0 to 4; None where no clip shows a face, aed also
    where no embedding was given.
    """

    clips: int
    frames: int
    l1: float
    still_l1: float
    akd: float | None
    mkr: float | None
    aed: float | None


def reconstruction(
    folder: Path,
    make: Callable[[Iterable[Iterable[Rgb]]], Iterator[Iterator[tuple[Rgb, Rgb]]]],
    embed: Callable[[Rgb, Face], NDArray[np.float32]] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Scores:
    """Score what `make` gives for the clips of a folder: pairs of a true and a made frame for every clip.

    The first frame standing still is scored beside it. embed: a face's identity, (N,). PortrayalError where
    there are no clips.
    """
    clips = find_clips(folder, "test")
    tally = _Tally(embed)
    for pairs in make(frames_of(clip) for clip in clips):
        trackers = FaceTracker(), FaceTracker()
        first: Rgb | None = None
        for true, made in pairs:
            first = true if first is None else first
            tally.add(true, made, first, trackers)
            if progress is not None:
                progress(tally.frames)
        for tracker in trackers:
            tracker.close()
    return tally.scores(len(clips))


class _Tally:
    def __init__(self, embed: Callable[[Rgb, Face], NDArray[np.float32]] | None) -> None:
        self._embed = embed
        self.frames = 0
        self._l1 = self._still = 0.0
        self._keypoints: list[float] = []
        self._identity: list[float] = []
        self._seen = self._lost = 0

    def add(self, true: Rgb, made: Rgb, first: Rgb, trackers: tuple[FaceTracker, FaceTracker]) -> None:
        self.frames += 1
        self._l1 += _distance(true, made)
        self._still += _distance(true, first)
        face, again = (tracker(rgb) for tracker, rgb in zip(trackers, (true, made), strict=True))
        if face is None:
            return
        self._seen += 1
        if again is None:
            self._lost += 1
            return
        self._keypoints.append(keypoint_distance(face, again))
        if self._embed is not None:
            self._identity.append(float(((self._embed(true, face) - self._embed(made, again)) ** 2).sum()))

    def scores(self, clips: int) -> Scores:
        return Scores(
            clips,
            self.frames,
            self._l1 / max(self.frames, 1),
            self._still / max(self.frames, 1),
            _mean(self._keypoints),
            self._lost / self._seen if self._seen else None,
            _mean(self._identity),
        )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _distance(a: Rgb, b: Rgb) -> float:
    return float(np.abs(a.astype(np.float32) - b).mean() / 255)

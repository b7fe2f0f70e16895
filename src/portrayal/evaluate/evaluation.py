"""Evaluate a result: track it and its driving again, and compare."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError
from portrayal.evaluate.agreement import same_time
from portrayal.evaluate.compare import movements, qualities
from portrayal.evaluate.follow import Follower, Track
from portrayal.evaluate.likeness import PERFECT, Likeness, LikenessSum
from portrayal.evaluate.pictures import border_error, fitted, psnr
from portrayal.evaluate.report import Candidates, Report
from portrayal.evaluate.sources import (
    Source,
    at_rate,
    first_frame,
    name_of,
    opened,
    picture,
    same_source,
)
from portrayal.track.face import Face, FaceChoice

Rgb = NDArray[np.uint8]
Progress = Callable[[int], object]

#: For so many frames the portrait is held still and tracked.
STILL_FRAMES = 40


def evaluate(
    result: Source,
    driving: Source | Track | None = None,
    truth: Source | None = None,
    portrait: str | os.PathLike[str] | Rgb | None = None,
    *,
    face: FaceChoice = "largest",
    progress: Progress | None = None,
) -> Report:
    """How well `result` does what `driving` does, and, where a `truth` is given, how like it the result is.

    result, driving, truth: video files, or what yields frames at an `fps`. truth is the true video of what
    the result shows: the driving itself in self-reenactment, the speaker where a voice was the driving;
    without a driving it serves as such. A :class:`Track` of the driving (see :func:`track`) saves tracking it
    again. portrait: the picture that was animated; without it the first frame of the truth or, failing that,
    of the result stands for it. face: which face of result, truth and portrait; of a driving it is the
    largest. progress: called with the number of frames of the result done.

    Both videos are tracked again by MediaPipe's face mesh, and compared by time: where rates differ, the
    frame shown at the moment of each result frame counts; the shorter one ends it. Memory grows with their
    length by some 400 bytes a frame.

    Raises UsageError without driving and truth; PortrayalError where a file cannot be read, no frame of the
    driving shows a face, or result and truth have different proportions.
    """
    told = driving if driving is not None else truth
    if told is None:
        raise UsageError("evaluate: name what drove it (--driving) or the true video (--truth)")
    still = picture(portrait) if portrait is not None else first_frame(result if truth is None else truth)
    truth_drives = not isinstance(told, Track) and same_source(told, truth)
    watch = _Watch(still, face, truth is not None, truth_drives)
    video = opened(result)
    watch.run(video, _truths(truth, video.fps), progress)
    ours = watch.result.track(name_of(result), video.fps)
    theirs = _driving_track(told, watch, video.fps)
    if not theirs.seen.any():
        raise PortrayalError(f"{theirs.name}: no face found in any frame; there is nothing to compare with")
    frames = same_time(len(ours), ours.fps, len(theirs), theirs.fps)
    ours, theirs = ours.at(np.arange(len(frames))), theirs.at(frames)
    return Report(
        result=ours.name,
        driving=theirs.name,
        truth=None if truth is None else name_of(truth),
        portrait=_portrait_name(portrait, result, truth),
        frames=len(frames),
        fps=float(video.fps),
        movements=movements(ours, theirs),
        quality=qualities(ours, theirs, watch.still.track("still", video.fps), watch.border_psnr),
        likeness=watch.likeness(theirs) if truth is not None else None,
    )


def track(source: Source, face: FaceChoice = "largest", progress: Progress | None = None) -> Track:
    """A driving tracked for :func:`evaluate`, with a second look by which the tracker's noise is known."""
    video, follower = opened(source), Follower(face, second_look=True)
    try:
        for number, rgb in enumerate(video, 1):
            follower(rgb)
            if progress is not None:
                progress(number)
    finally:
        follower.close()
    return follower.track(name_of(source), video.fps)


class _Watch:
    """One pass over the result, with the truth beside it where there is one."""

    def __init__(self, still: Rgb, face: FaceChoice, with_truth: bool, truth_drives: bool) -> None:
        self.result = Follower(face)
        self.truth = Follower(face, second_look=truth_drives) if with_truth else None
        self.truth_drives = truth_drives
        self.still = Follower(face)
        self.border_psnr = float("nan")
        self._still = still
        self._still_face: Face | None = None
        self._sums = LikenessSum(), LikenessSum()

    def run(self, frames: Source, truths: Iterator[Rgb | None], progress: Progress | None) -> None:
        borders: list[float] = []
        still: Rgb | None = None
        try:
            for rgb, true in zip(opened(frames), truths, strict=False):
                if not borders:
                    still = self._prepare(rgb.shape)
                borders.append(float("nan") if still is None else psnr(border_error(rgb, still)))
                face = self.result(rgb)
                if true is not None:
                    self._compare(rgb, face, true, still)
                if progress is not None:
                    progress(len(borders))
        finally:
            for follower in (self.result, self.truth, self.still):
                if follower is not None:
                    follower.close()
        self.border_psnr = float(np.mean(borders)) if borders else float("nan")

    def _prepare(self, shape: tuple[int, ...]) -> Rgb | None:
        """The portrait in the result's size, if it has its proportions, tracked as a video of it would be."""
        still = fitted(self._still, shape)
        for _ in range(STILL_FRAMES):
            self._still_face = self.still(self._still if still is None else still)
        return still

    def _compare(self, rgb: Rgb, face: Face | None, true: Rgb, still: Rgb | None) -> None:
        same_size = fitted(true, rgb.shape)
        if same_size is None or self.truth is None:
            sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (rgb, true)]
            raise PortrayalError(
                f"the result has {sizes[0]} pixels and the truth {sizes[1]}: they differ in their proportions"
            )
        true_face = self.truth(same_size)
        ours, stills = self._sums
        ours.add(rgb, same_size, face, true_face)
        if still is not None:
            stills.add(still, same_size, self._still_face, true_face)

    def likeness(self, theirs: Track) -> Candidates[Likeness]:
        """theirs: the driving's track; where it is the truth, it is perfect but for the tracker."""
        ours, stills = (total.mean() for total in self._sums)
        driving = LikenessSum().mean()
        if self.truth_drives:
            driving = replace(PERFECT, akd=float(np.nanmean(theirs.look_distance)))
        return Candidates(ours, stills, driving)


def _truths(truth: Source | None, fps: Fraction) -> Iterator[Rgb | None]:
    if truth is None:
        return repeat(None)
    video = opened(truth)
    return at_rate(video, video.fps, fps)


def _driving_track(driving: Source | Track, watch: _Watch, fps: Fraction) -> Track:
    if isinstance(driving, Track):
        return driving
    if watch.truth_drives and watch.truth is not None:
        return watch.truth.track(name_of(driving), fps)
    return track(driving)


def _portrait_name(portrait: object, result: Source, truth: Source | None) -> str:
    if isinstance(portrait, (str, os.PathLike)):
        return name_of(portrait)
    if portrait is not None:
        return "the portrait given"
    return f"first frame of {name_of(result if truth is None else truth)}"

"""What a result should reach, and how a report compares with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from portrayal.evaluate import Report
from portrayal.evaluate.report import Movement

MOUTH_R, OTHER_R, HEAD_ERROR, JITTER, BORDER_PSNR, AKD = 0.95, 0.9, 1.5, 1.2, 40.0, 0.8
HEAD = ("pitch", "yaw", "roll")


@dataclass(frozen=True)
class Score:
    """One number of a report. verdict: "" where nothing is asked of it, "n/a" where nothing moves it,
    "beyond" where it fails and so does what stands for the best that can be measured."""

    name: str
    value: float
    places: int
    verdict: Literal["pass", "fail", "beyond", "n/a", ""]

    def __str__(self) -> str:
        text = "-" if self.value != self.value else f"{self.value:.{self.places}f}"
        return {"fail": f"**{text}**", "beyond": f"*{text}*", "n/a": f"({text})"}.get(self.verdict, text)


def _score(
    name: str, value: float, places: int, good: bool, applies: bool = True, best: bool = True
) -> Score:
    """best: whether the best that can be measured is good."""
    if not applies:
        return Score(name, value, places, "n/a")
    return Score(name, value, places, "pass" if good else "fail" if best else "beyond")


def movement_scores(movements: Iterable[Movement]) -> list[Score]:
    """Of each measure of a result and its driving."""
    scores = []
    for movement in movements:
        key, ours = movement.measure.key, movement.scores.result
        goal = MOUTH_R if key == "mouth_open" else OTHER_R
        twice = movement.scores.driving.r  # the driving itself, looked at a second time
        scores.append(_score(f"{_SHORT[key]} r", ours.r, 2, ours.r >= goal, movement.moved, twice >= goal))
        if key in HEAD:
            scores.append(_score(f"{_SHORT[key]} °", ours.error, 2, ours.error <= HEAD_ERROR))
    return scores


def cross_scores(report: Report) -> list[Score]:
    """Of a portrait driven by somebody else."""
    quality, still = report.quality.result, report.quality.still
    return [
        *movement_scores(report.movements),
        _score("jitter", quality.jitter, 2, quality.jitter <= JITTER, best=still.jitter <= JITTER),
        Score("sharp", quality.sharpness, 2, ""),
        _score("border dB", quality.border_psnr, 1, quality.border_psnr >= BORDER_PSNR),
        _score("lost", quality.lost, 0, quality.lost == 0),
    ]


def self_scores(report: Report) -> list[Score]:
    """Of a clip's own first frame driven by the clip; each beside what the still frame scores."""
    assert report.likeness is not None
    ours, still = report.likeness.result, report.likeness.still
    return [
        _score("L1", ours.l1, 4, ours.l1 < still.l1),
        Score("still", still.l1, 4, ""),
        Score("PSNR", ours.psnr, 2, ""),
        Score("still", still.psnr, 2, ""),
        _score("SSIM", ours.ssim, 4, ours.ssim > still.ssim),
        Score("still", still.ssim, 4, ""),
        Score("MS-SSIM", ours.ms_ssim, 4, ""),
        Score("still", still.ms_ssim, 4, ""),
        _score("AKD", ours.akd, 2, ours.akd < still.akd and ours.akd <= AKD),
        Score("still", still.akd, 2, ""),
    ]


_SHORT = {
    "mouth_open": "mouth", "mouth_width": "width", "eye_right": "eye R", "eye_left": "eye L",
    "gaze_x": "gaze x", "gaze_y": "gaze y", "brow_right": "brow R", "brow_left": "brow L",
    "pitch": "pitch", "yaw": "yaw", "roll": "roll",
}  # fmt: skip

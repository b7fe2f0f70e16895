"""The outcome of an evaluation, as numbers and as a table."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from portrayal.evaluate.agreement import Agreement
from portrayal.evaluate.likeness import Likeness
from portrayal.track.measures import Measure

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

T = TypeVar("T")


@dataclass(frozen=True)
class Candidates(Generic[T]):
    """One metric of the result and of the two baselines: the portrait held still, and the driving itself.

    The driving itself stands for what could be reached. What would be compared with itself is compared with
    a second look at it (:class:`portrayal.evaluate.follow.SecondLook`), and shows how far the tracker agrees
    with itself. The still picture trembles as far as the tracker does.
    """

    result: T
    still: T
    driving: T


@dataclass(frozen=True)
class Movement:
    """How one measure is carried over.

    deviation: how much the driving moves it (standard deviation). span: from its 1st to its 99th percentile.
    noise: the tracker's own deviation. moved: whether the driving really moves it; where it does not, r says
    nothing.
    """

    measure: Measure
    deviation: float
    span: float
    noise: float
    moved: bool
    scores: Candidates[Agreement]


@dataclass(frozen=True)
class Quality:
    """How steady, sharp and complete a video is.

    jitter: mean second difference of the skull's points over the driving's; where a driving hardly moves,
    both are the tracker's, as the still's shows. sharpness: of the face, over the portrait's. border_psnr:
    dB, outer 4 % of the frame against the portrait's, mean over the frames. lost: frames without a face where
    the driving shows one. mouth_r, mouth_lag: correlation of the mouth opening at its best lag within 8
    frames, and that lag (positive: late).
    """

    jitter: float
    sharpness: float
    border_psnr: float
    lost: int
    mouth_r: float
    mouth_lag: int


@dataclass(frozen=True)
class Report:
    """See :func:`portrayal.evaluate.evaluate`. frames: how many were compared, at `fps` a second."""

    result: str
    driving: str
    truth: str | None
    portrait: str
    frames: int
    fps: float
    movements: tuple[Movement, ...]
    quality: Candidates[Quality]
    likeness: Candidates[Likeness] | None

    def movement(self, key: str) -> Movement:
        """By the key of its measure."""
        return next(m for m in self.movements if m.measure.key == key)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for what cannot be said."""
        values: dict[str, Any] = _plain(asdict(self))
        values["movements"] = {m["measure"]["key"]: m for m in values["movements"]}
        return values

    def table(self) -> Group:
        """For a terminal: `rich.console.Console().print(report.table())`."""
        from rich.console import Group

        rows = _quality_rows(self.quality)
        if self.likeness is not None:
            rows += _likeness_rows(self.likeness)
        return Group(self._title(), _movement_table(self.movements), _rows_table(rows))

    def _title(self) -> str:
        against = self.driving if self.truth is None else self.truth
        return f"{self.result} against {against}: {self.frames} frames at {self.fps:g} a second"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _movement_table(movements: tuple[Movement, ...]) -> Table:
    table = _table("movement", "r", "best", "gain", "error", "still", "best", "moves", "noise")
    for m in movements:
        result, still, best = m.scores.result, m.scores.still, m.scores.driving
        places = 2 if m.measure.unit == "degrees" else 4
        r = number(result.r, 3) if m.moved else f"({number(result.r, 3)})"
        errors = (number(a.error, places) for a in (result, still, best))
        moves = (number(value, places) for value in (m.deviation, m.noise))
        table.add_row(m.measure.label, r, number(best.r, 3), number(result.gain, 2), *errors, *moves)
    table.caption = "error, moves, noise: degrees or shares of the face; (r): the driving hardly moves it"
    return table


Row = tuple[str, int, Candidates[float]]


def _rows_table(rows: list[Row]) -> Table:
    table = _table("", "result", "still", "driving")
    for label, places, c in rows:
        table.add_row(label, *(number(value, places) for value in (c.result, c.still, c.driving)))
    return table


def _quality_rows(quality: Candidates[Quality]) -> list[Row]:
    labels = (
        ("jitter ratio", 2, "jitter"),
        ("face sharpness", 2, "sharpness"), ("border PSNR, dB", 1, "border_psnr"),
        ("frames lost", 0, "lost"), ("mouth r at best lag", 3, "mouth_r"), ("lag, frames", 0, "mouth_lag"),
    )  # fmt: skip
    return _rows(quality, labels)


def _likeness_rows(likeness: Candidates[Likeness]) -> list[Row]:
    labels = (
        ("L1", 4, "l1"), ("PSNR, dB", 2, "psnr"), ("SSIM", 4, "ssim"), ("MS-SSIM", 4, "ms_ssim"),
        ("AKD at 256, pixels", 3, "akd"),
    )  # fmt: skip
    return _rows(likeness, labels)


def _rows(candidates: Candidates[Any], labels: tuple[tuple[str, int, str], ...]) -> list[Row]:
    c = candidates
    return [
        (label, places, Candidates(*(getattr(x, name) for x in (c.result, c.still, c.driving))))
        for label, places, name in labels
    ]


def number(value: float, places: int) -> str:
    """With so many decimals; a dash where it cannot be said."""
    return "-" if math.isnan(value) else f"{value:.{places}f}"

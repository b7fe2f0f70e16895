"""Scores as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from goals import Score
from portrayal import Portrait

#: A portrait turned further than this (degrees) is shown, but not counted: the goals are for frontal ones.
FRONTAL = 15.0

Scores = dict[str, list[Score]]


def titled(name: str, portrait: Portrait, driving: str) -> str:
    """What a row is called."""
    turned = abs(float(portrait.faces[0].pose.angles[1])) > FRONTAL
    return f"{name}, {driving}" + (" (turned)" if turned else "")


def table(title: str, rows: Scores) -> str:
    """One row each; what falls short is bold, in italics where the driving itself, looked at twice, does so
    too (for the jitter, the portrait held still); what the driving does not move is in brackets."""
    names = [score.name for score in next(iter(rows.values()))]
    body = [[name, *map(str, scores), _reached(scores)] for name, scores in rows.items()]
    return _markdown([title, *names, "reached"], body)


def _reached(scores: Iterable[Score]) -> str:
    count = Counter(score.verdict for score in scores)
    return f"{count['pass']}/{count['pass'] + count['fail'] + count['beyond']}"


def summary(rows: Scores) -> str:
    """For every metric over all rows but those of turned portraits: median, extremes, how many reach it."""
    counted = [scores for name, scores in rows.items() if not name.endswith("(turned)")]
    body = []
    for column in zip(*counted, strict=True):
        values = [s.value for s in column if s.verdict != "n/a" and s.value == s.value]
        if values and column[0].name != "still":
            figures = (float(f(values)) for f in (np.min, np.median, np.max))
            beyond = sum(score.verdict == "beyond" for score in column)
            texts = [f"{v:.{column[0].places}f}" for v in figures]
            body.append([column[0].name, *texts, _reached(column), str(beyond or "")])
    return _markdown(["metric", "lowest", "median", "highest", "reached", "beyond measure"], body)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""The time line of the well-known ComfyUI editor: lines of `motion = change : keep`.

    1 = 10:5      to motion 1 in 10 frames, and stay there for 5
    0 = 8:12      back to rest (motion 0) in 8 frames, and stay for 12

Values change linearly; the first frame of a line has taken its first step already. `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portrayal.errors import UsageError
from portrayal.sliders import rest_of

#: Longest time line in frames, so that a slip of the finger does not fill the memory.
LIMIT = 1_000_000


@dataclass(frozen=True)
class Step:
    """One line. motion: its number; change, keep: frames."""

    motion: int
    change: int
    keep: int


def parse_timeline(text: str) -> list[Step]:
    """The lines of a time line; UsageError in one line for what is none."""
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        motion, _, times = said.partition("=")
        parts = [part.strip() for part in (motion, *times.split(":"))]
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise UsageError(f"time line, line {number}: {said!r} is not motion = change : keep (frames)")
        if any(len(part) > 7 for part in parts):
            raise UsageError(f"time line, line {number}: {said!r} has too many frames")
        steps.append(Step(*(int(part) for part in parts)))
    if not 0 < sum(step.change + step.keep for step in steps) <= LIMIT:
        raise UsageError(f"a time line has at least one frame and at most {LIMIT}")
    return steps


def play(steps: Sequence[Step], motions: Mapping[int, Mapping[str, float]]) -> Iterator[dict[str, float]]:
    """The values of every frame, by name.

    motions: what each number means, as values by name; 0 is the rest unless it is given. UsageError where a
    number is not among them.
    """
    known: dict[int, Mapping[str, float]] = {0: {}, **motions}
    for step in steps:
        if step.motion not in known:
            raise UsageError(f"time line: there is no motion {step.motion}")
    names = sorted({name for motion in known.values() for name in motion})
    now = {name: rest_of(name) for name in names}
    for step in steps:
        start, goal = now, {n: known[step.motion].get(n, rest_of(n)) for n in names}
        for count in range(1, step.change + 1):
            part = count / step.change
            yield {n: start[n] + part * (goal[n] - start[n]) for n in names}
        for _ in range(step.keep):
            yield dict(goal)
        now = goal

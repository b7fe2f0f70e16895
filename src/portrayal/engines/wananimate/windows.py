"""A clip of any length as segments that share a few frames, read as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Window(Generic[Item]):
    """One segment. items: 4n+1 of them. given: how many of the first belong to the segment before; new: how
    many after these are wanted, the rest only fills up."""

    items: list[Item]
    given: int
    new: int


def windows(stream: Iterable[Item], length: int, overlap: int, whole: bool = False) -> Iterator[Window[Item]]:
    """Segments of `length` (4n+1), each sharing `overlap` items with the one before.

    The last is as short as 4n+1 allows, or of full length where `whole`; what it lacks is the end of the
    stream, backwards, then forwards again.
    """
    items = iter(stream)
    shared: list[Item] = []
    latest: deque[Item] = deque(maxlen=length)
    while fresh := list(islice(items, length - len(shared))):
        latest.extend(fresh)
        have = shared + fresh
        wanted = length if whole else 4 * -(-(len(have) - 1) // 4) + 1
        yield Window(have + mirrored(latest, wanted - len(have)), len(shared), len(fresh))
        if len(have) < length:
            return
        shared = have[-overlap:]


def mirrored(items: Sequence[Item], count: int) -> list[Item]:
    """`count` items that go on after the last: back to the first, forth again."""
    there = list(items)
    if len(there) == 1:
        return there * count
    period = there[-2::-1] + there[1:]
    return [period[i % len(period)] for i in range(count)]

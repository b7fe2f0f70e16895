"""Working ahead: the same items in the same order, errors in their place, nobody left working."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from portrayal.prefetch import prefetch


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread is not threading.main_thread()}


def until(condition: object) -> bool:
    """Whether `condition` comes to be true within five seconds."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.005)
    return bool(condition())  # type: ignore[operator]


class Counter:
    """Counts up without end; knows how far it came, whether it was closed, and in which thread."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.made = 0
        self.closed_in: threading.Thread | None = None
        self.fails_at = fails_at

    def __iter__(self) -> Iterator[int]:
        try:
            while self.made != self.fails_at:
                self.made += 1
                yield self.made - 1
            raise KeyError("broken")
        finally:
            self.closed_in = threading.current_thread()


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_items_come_in_order_and_none_is_lost(depth: int) -> None:
    before = workers()
    assert list(prefetch(range(50), depth)) == list(range(50))
    assert list(prefetch([None, False, 0], depth)) == [None, False, 0]
    assert list(prefetch([], depth)) == []
    assert workers() == before


def test_nothing_is_made_before_it_is_asked_for() -> None:
    counter = Counter()
    items = prefetch(counter)
    assert counter.made == 0
    items.close()  # type: ignore[attr-defined]
    assert counter.made == 0


def test_the_producer_is_ahead_by_no_more_than_depth() -> None:
    counter = Counter()
    items = prefetch(counter, 4)
    assert [next(items), next(items)] == [0, 1]
    assert until(lambda: counter.made == 2 + 4 + 1)  # those waiting, and the one that has no room
    time.sleep(0.3)
    assert counter.made == 7
    items.close()  # type: ignore[attr-defined]


def test_an_error_comes_after_the_items_before_it() -> None:
    before, got = workers(), []
    with pytest.raises(KeyError, match="broken"):
        for item in prefetch(Counter(fails_at=5), 2):
            got.append(item)
    assert got == [0, 1, 2, 3, 4]
    assert workers() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_errors_that_are_no_exceptions_pass_too(error: type[BaseException]) -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise error

    items = prefetch(produce())
    assert next(items) == 1
    with pytest.raises(error):
        next(items)


def test_a_consumer_that_stops_stops_the_producer_in_its_own_thread() -> None:
    before, counter = workers(), Counter()
    items = prefetch(counter, 2)
    assert next(items) == 0
    (worker,) = workers() - before
    items.close()  # type: ignore[attr-defined]
    assert counter.closed_in is worker
    assert not worker.is_alive()
    made = counter.made
    time.sleep(0.05)
    assert counter.made == made


def test_a_consumer_that_fails_stops_the_producer() -> None:
    before, counter = workers(), Counter()

    def consume() -> None:
        for item in prefetch(counter):
            if item == 3:
                raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        consume()
    assert until(lambda: workers() == before and counter.closed_in is not None)


def test_a_producer_whose_cleaning_up_fails_is_heard() -> None:
    class Faulty:
        def __iter__(self) -> Faulty:
            return self

        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise OSError("cannot close")

    with pytest.raises(OSError, match="cannot close"):
        list(prefetch(Faulty()))


class Unready:
    def __iter__(self) -> Iterator[int]:
        raise KeyError("not to be started")


def test_what_cannot_be_started_says_so() -> None:
    before = workers()
    with pytest.raises(KeyError, match="not to be started"):
        next(prefetch(Unready()))
    assert until(lambda: not workers() - before)

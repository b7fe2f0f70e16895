"""Let a producer work ahead of its consumer in a thread of its own, a bounded number of items at most."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Iterable[T], depth: int = 8) -> Iterator[T]:
    """The same items, made up to `depth` ahead in a thread.

    Errors of the producer are raised where the item would have come. A consumer that stops (closes the
    generator) stops the producer, whose own generator is closed in its thread.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def produce() -> None:
        try:
            source = iter(items)
            try:
                all(_put(ready, item, stop) for item in source)
            finally:
                getattr(source, "close", lambda: None)()
        except BaseException as error:
            failure.append(error)
        finally:
            _put(ready, _END, stop)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join()


def _put(ready: queue.Queue[object], item: object, stop: threading.Event) -> bool:
    """Wait for room; False when nobody listens any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False

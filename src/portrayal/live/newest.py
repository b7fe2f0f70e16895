"""A place for one item: whoever is slow misses what was there in between, and never falls behind."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Holds the newest item that was put; one that nobody took is gone. dropped: how many were."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Replace what is there. Never waits."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify_all()

    def take(self, timeout: float | None = None) -> T | None:
        """The item, as soon as there is one; None after `timeout` seconds, or where it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            return None if self._closed else item

    def give_back(self, item: T) -> None:
        """Put an item that was taken, unless a newer one is there."""
        with self._changed:
            if self._item is None:
                self._item = item
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing comes any more: whoever waits is let go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

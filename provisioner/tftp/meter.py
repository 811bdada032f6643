"""So many a second for each key: a bound on what a flood can make a server do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Meter(Generic[Key]):
    """Allows `most` a second for each key. `now` gives seconds of any clock."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._second = -1
        self._counts: Counter[Key] = Counter()

    def allows(self, key: Key) -> bool:
        """Whether there may be one more; if so it is counted."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._counts.clear()
        if self._counts[key] >= self._most:
            return False
        self._counts[key] += 1
        return True

    def give_back(self, key: Key) -> None:
        """One that was counted proved to be harmless."""
        if self._counts[key] > 0:
            self._counts[key] -= 1

"""One clock for thousands of sessions: a wheel of slots that turns ten times a second while anybody waits.

A timer for each session would have to be moved with each packet. Here a packet only notes the wheel's time, and
the session looks at that note when its turn comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Protocol

TICK = 0.1
"""Seconds between two slots."""

_AT_ONCE = 64
"""Sleepers woken in one turn of the event loop: each may send a window, and nothing may hold the loop for 5 ms."""


class Sleeper(Protocol):
    """What the wheel wakes. `slot` is the wheel's own note."""

    slot: int

    def wake(self) -> None:
        """The time has come."""


class Wheel:
    """Wakes sleepers; `later(seconds, call)` is the event loop's `call_later`."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        self.now = 0
        """Ticks so far. They stand still while nobody waits, and are late when the loop is."""
        self._later = later
        self._slots: dict[int, dict[Sleeper, None]] = {}
        self._due: deque[Sleeper] = deque()
        self._turning = False

    def put(self, sleeper: Sleeper, seconds: float) -> None:
        """Wake a sleeper after so long, rounded up; it may wait for one thing only."""
        # The current tick has begun already.
        sleeper.slot = self.now + 1 + ceil(seconds / TICK)
        self._slots.setdefault(sleeper.slot, {})[sleeper] = None
        if not self._turning:
            self._turning = True
            self._later(TICK, self._turn)

    def drop(self, sleeper: Sleeper) -> None:
        """Forget a sleeper; no error where it does not sleep."""
        members = self._slots.get(sleeper.slot)
        if members is not None:
            members.pop(sleeper, None)
            if not members:
                del self._slots[sleeper.slot]

    @property
    def sleeping(self) -> int:
        """How many sleep."""
        return sum(map(len, self._slots.values()))

    def _turn(self) -> None:
        self.now += 1
        behind = bool(self._due)
        self._due.extend(self._slots.pop(self.now, ()))
        self._turning = bool(self._slots or self._due)
        if self._turning:
            self._later(TICK, self._turn)
        if not behind:
            self._wake_some()

    def _wake_some(self) -> None:
        try:
            for _ in range(min(_AT_ONCE, len(self._due))):
                self._due.popleft().wake()
        finally:
            # One that fails must not leave all others asleep for ever.
            if self._due:
                self._later(0, self._wake_some)

"""A sink that keeps a flood of equal events from filling the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from provisioner.model.event import Event, EventSink, Level

_LIMITED = frozenset({Level.WARNING, Level.ALARM})


class LimitedSink:
    """Passes events on; of warnings and alarms with the same name and sender at most `most` in `window` seconds.

    `now` gives seconds of any clock.
    """

    def __init__(self, sink: EventSink, now: Callable[[], float], *, most: int = 10, window: float = 60.0) -> None:
        self._sink = sink
        self._now = now
        self._most = most
        self._window = window
        self._seen: dict[tuple[str, str | None], int] = {}
        self._started = now()

    def __call__(self, event: Event) -> None:
        """Pass one event on, or count it."""
        if event.level not in _LIMITED:
            self._sink(event)
            return
        if self._now() - self._started > self._window:
            self._seen.clear()
            self._started = self._now()
        key = (event.name, event.address or event.mac)
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] <= self._most:
            self._sink(event)
        elif self._seen[key] == self._most + 1:
            self._sink(replace(event, message=f"{event.message} (more like this follow and are only counted)"))

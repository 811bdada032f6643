"""A sink that keeps a flood of equal events from filling the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from provisioner.model.event import Event, EventSink, Level

_MOST = {Level.INFO: 200, Level.WARNING: 10, Level.FAILURE: 50, Level.ALARM: 10}
_MOST_SENDERS = 100_000


class LimitedSink:
    """Passes events on; of one name from one sender only so many in `window` seconds, by their level.

    The limit of ordinary events is far above what a boot makes. `now` gives seconds of any clock.
    """

    def __init__(self, sink: EventSink, now: Callable[[], float], *, window: float = 60.0) -> None:
        self._sink = sink
        self._now = now
        self._window = window
        self._seen: dict[tuple[str, str | None], int] = {}
        self._started = now()

    def __call__(self, event: Event) -> None:
        """Pass one event on, or count it."""
        now = self._now()
        if now - self._started > self._window or len(self._seen) > _MOST_SENDERS:
            self._seen.clear()
            self._started = now
        key = (event.name, event.mac or event.address)
        count = self._seen[key] = self._seen.get(key, 0) + 1
        most = _MOST[event.level]
        if count <= most:
            self._sink(event)
        elif count == most + 1:
            self._sink(replace(event, message=f"{event.message} (more like this follow and are only counted)"))

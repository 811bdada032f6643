"""A sink that keeps a flood of equal events from filling the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from provisioner.model.event import Event, EventSink, Level, Stage

_MOST = {Level.INFO: 200, Level.WARNING: 10, Level.FAILURE: 50, Level.ALARM: 10}
_MOST_SENDERS = 100_000
MOST_OF_STRANGERS = {Level.INFO: 20_000, Level.WARNING: 10_000, Level.FAILURE: 1_000, Level.ALARM: 1_000}
"""Events a window of all machines that are no nodes: whoever makes up addresses is always another sender."""


class LimitedSink:
    """Passes events on; of one name from one sender only so many in `window` seconds, by their level.

    The limit of ordinary events is far above what a boot makes. Machines that are no nodes have a limit together,
    or a flood under made-up addresses would fill the disk and push out what nodes did. `now` gives seconds of any
    clock.
    """

    def __init__(self, sink: EventSink, now: Callable[[], float], *, window: float = 60.0) -> None:
        self._sink = sink
        self._now = now
        self._window = window
        self._seen: dict[tuple[str, str | None], int] = {}
        self._strangers: Counter[Level] = Counter()
        self._started = now()

    def __call__(self, event: Event) -> None:
        """Pass one event on, or count it."""
        now = self._now()
        if now - self._started > self._window:
            self._seen.clear()
            self._strangers.clear()
            self._started = now
        elif len(self._seen) > _MOST_SENDERS:
            self._seen.clear()
        key = (event.name, event.mac or event.address)
        count = self._seen[key] = self._seen.get(key, 0) + 1
        beyond = count - _MOST[event.level]
        if beyond <= 1 and event.node is None and event.stage is not Stage.SITE:
            self._strangers[event.level] += 1
            beyond = max(beyond, self._strangers[event.level] - MOST_OF_STRANGERS[event.level])
        if beyond <= 0:
            self._sink(event)
        elif beyond == 1:
            self._sink(replace(event, message=f"{event.message} (more like this follow and are only counted)"))

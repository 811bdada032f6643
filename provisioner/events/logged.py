"""A sink that also logs the events that somebody who reads a log wants: how boots go, and what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable

from provisioner.log import FIELDS
from provisioner.model.event import Event, EventSink, Level

logger = logging.getLogger("provisioner.events")

_LEVELS = {
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.FAILURE: logging.ERROR,
    Level.ALARM: logging.ERROR,
}
# What ordinary boots are followed by; all else of level info is in the events file alone.
_TOLD = frozenset({"script.boot", "handover.done", "ready"})
_MOST = 100
_WINDOW = 10.0


class LoggedSink:
    """Passes every event on, and logs some: a hundred in ten seconds at most, then how many more there were.

    What the daemon says of the site (`site.*`) it logs itself. `now` gives seconds of any clock.
    """

    def __init__(self, sink: EventSink, now: Callable[[], float]) -> None:
        self._sink = sink
        self._now = now
        self._since = now()
        self._count = 0

    def __call__(self, event: Event) -> None:
        """Pass one event on."""
        self._sink(event)
        if (event.level is not Level.INFO or event.name in _TOLD) and not event.name.startswith("site."):
            self._log(event)

    def _log(self, event: Event) -> None:
        if self._now() - self._since > _WINDOW:
            if self._count > _MOST:
                logger.warning("%d more events; prov events shows them", self._count - _MOST)
            self._since, self._count = self._now(), 0
        self._count += 1
        if self._count <= _MOST:
            who = event.node or event.mac or event.address or "site"
            # A message may hold what a machine sent: it must not make lines of its own.
            text = _one_line(f"{who} {event.name}: {event.message}")
            logger.log(_LEVELS[event.level], "%s", text, extra={FIELDS: _fields(event)})


def _fields(event: Event) -> dict[str, object]:
    fields = {
        "event": event.name,
        "node": event.node,
        "boot": event.boot,
        "mac": event.mac,
        "address": event.address,
        "bytes": event.bytes,
        "seconds": event.seconds,
        "alarm": True if event.level is Level.ALARM else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

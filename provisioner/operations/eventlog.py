"""Events of every machine, those included that never got as far as a script; once, or as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.events.history import History
from provisioner.events.search import EventFilter
from provisioner.model.address import MacAddress
from provisioner.model.event import Event, Level

PAUSE = 0.5
"""Seconds between two looks at the file."""

_MOST_AT_ONCE = 10_000
_ORDER = list(Level)


def levels_from(least: str) -> tuple[Level, ...]:
    """A level and all that matter more."""
    return tuple(_ORDER[_ORDER.index(Level(least)) :])


def mac_of(text: str) -> str:
    """A MAC in the spelling that events have. Raises ProvisionerError for what is none."""
    try:
        return str(MacAddress(text))
    except ValueError as error:
        raise ProvisionerError(f"{error}", hint="a MAC looks like 52:54:00:00:00:01") from None


def events(paths: Paths, wanted: EventFilter) -> list[Event]:
    """The newest events that pass a filter, oldest first. Works with the daemon down."""
    return [each.event for each in History(paths.events).find_events(wanted)]


def follow(paths: Paths, wanted: EventFilter) -> Iterator[Event]:
    """The newest events that pass a filter, then every later one as it comes; it never ends."""
    history = History(paths.events)
    seen = history.newest_id()
    for each in history.find_events(wanted):
        seen = max(seen, each.id)
        yield each.event
    while True:
        time.sleep(PAUSE)
        for each in history.find_events(replace(wanted, after=seen, limit=_MOST_AT_ONCE)):
            seen = each.id
            yield each.event


def record(event: Event) -> dict[str, Any]:
    """An event as plain data."""
    return {**asdict(event), "data": dict(event.data)}

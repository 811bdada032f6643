"""Tells when the state cannot be written, and when it can again; whatever waited for that is then made up for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from provisioner.daemon.rounds import Rounds
from provisioner.events.store import EventStore
from provisioner.model.event import Event, EventSink, Level, Stage


class StateWatch(Rounds):
    """A service that looks once a second. `writable` is called when the state can be written again."""

    def __init__(self, store: EventStore, record: EventSink, writable: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._record = record
        self._writable = writable
        self._told = False

    def troubles(self) -> list[str]:
        """What is missing now, in a sentence."""
        trouble = self._store.trouble
        if not trouble:
            return []
        return [f"{trouble}; nodes boot all the same, and {self._store.waiting} records wait in memory"]

    async def round(self) -> None:
        """Tell what has changed since the last look."""
        trouble = self._store.trouble
        if bool(trouble) is self._told:
            return
        self._told = bool(trouble)
        if trouble:
            self._tell("state.unwritable", trouble, Level.FAILURE)
            return
        self._tell("state.writable", "the state can be written again, and so is what had to wait", Level.INFO)
        # An edit that was written meanwhile could not be compiled.
        await self._writable()

    def _tell(self, name: str, message: str, level: Level) -> None:
        self._record(Event(time.time(), Stage.SITE, name, message, level))

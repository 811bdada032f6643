"""Tells when the state cannot be written, and when it can again; whatever waited for that is then made up for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from provisioner.events.store import EventStore
from provisioner.model.event import Event, EventSink, Level, Stage

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class StateWatch:
    """A service that looks once a second. `writable` is called when the state can be written again."""

    def __init__(self, store: EventStore, record: EventSink, writable: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._record = record
        self._writable = writable
        self._told = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look now, and from now on."""
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def troubles(self) -> list[str]:
        """What is missing now, in a sentence."""
        trouble = self._store.trouble
        if not trouble:
            return []
        return [f"{trouble}; nodes boot all the same, and {self._store.waiting} records wait in memory"]

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:
                # To look is a help; nothing that happens here may end the service.
                logger.exception("the state cannot be looked at")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
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

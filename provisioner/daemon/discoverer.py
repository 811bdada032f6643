"""Keeps the file of unknown machines, and makes nodes of them where the site says `discovery.accept: auto`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from provisioner.config.paths import Paths
from provisioner.daemon.workers import Workers
from provisioner.errors import ProvisionerError
from provisioner.events.inbox import Inbox, read_inbox, write_inbox
from provisioner.model.address import MacAddress
from provisioner.model.discovery import Acceptance
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.operations.discoverauto import Accepted, accept_waiting

logger = logging.getLogger(__name__)

_PAUSE = 2.0


def opened_inbox(paths: Paths) -> Inbox:
    """The inbox as the last daemon left it; an empty one where that cannot be read."""
    try:
        return Inbox(read_inbox(paths.inbox))
    except ProvisionerError as error:
        logger.warning("%s", error)
        return Inbox()


@dataclass
class Discoverer:
    """Looks every two seconds whether the inbox changed. A failure is told once, and never ends the daemon."""

    paths: Paths
    workers: Workers
    record: EventSink
    snapshot: Callable[[], Snapshot]
    inbox: Inbox
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _written: int = 0
    _tried: tuple[int, str] = (0, "")
    _told: str = ""

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._again(each)) for each in (self._note, self._accept)]

    async def close(self) -> None:
        """Look no more; what was seen last is written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._note()

    async def _again(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                await look()
            except (ProvisionerError, OSError) as error:
                self._fail(str(error))
            except Exception:
                # To know machines is a help; nothing that happens here may end the service.
                logger.exception("unknown machines cannot be looked at")

    async def _accept(self) -> None:
        snapshot = self.snapshot()
        state = (self._written, snapshot.revision)
        if snapshot.site.discovery.accept is Acceptance.AUTO and state != self._tried and self.inbox.machines():
            self._tried = state
            for accepted in await self.workers.change(accept_waiting, self.paths):
                self._tell(accepted)
            self._told = ""

    async def _note(self) -> None:
        """Forget machines that became nodes, and write down the others."""
        snapshot = self.snapshot()
        self.inbox.forget(lambda mac: MacAddress(mac) in snapshot.by_mac)
        changes = self.inbox.changes
        if changes == self._written:
            return
        try:
            await asyncio.to_thread(write_inbox, self.paths.inbox, self.inbox.machines())
            self._written = changes
        except OSError as error:
            self._fail(f"{self.paths.inbox} cannot be written: {error.strerror}")

    def _tell(self, accepted: Accepted) -> None:
        message = f"{accepted.mac} is {accepted.node} now: {accepted.reason}"
        logger.info("%s", message)
        event = Event(
            time=time.time(),
            stage=Stage.SITE,
            name="node.discovered",
            message=message,
            mac=accepted.mac,
            node=accepted.node,
        )
        self.record(event)

    def _fail(self, reason: str) -> None:
        if reason == self._told:
            return
        self._told = reason
        logger.error("unknown machines cannot be accepted: %s", reason)
        self.record(Event(time.time(), Stage.SITE, "node.undiscovered", reason.partition("\n")[0], Level.FAILURE))

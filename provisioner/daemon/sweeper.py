"""Throws away what is too old, once an hour, in steps so small that nobody notices."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.current import Current
from provisioner.daemon.rounds import Rounds
from provisioner.daemon.workers import Workers
from provisioner.errors import ProvisionerError
from provisioner.events.bootlogs import BootLogs
from provisioner.events.retention import LATELY, Limits, Removed, Sweep
from provisioner.events.store import EventStore

logger = logging.getLogger(__name__)

# Between two steps the writer has time for what came meanwhile.
_PAUSE = 0.1
_MIB = 1 << 20


class Sweeper(Rounds):
    """The limits are those of the site as it is served at that moment."""

    pause = 3600.0
    soon = 60.0

    def __init__(self, paths: Paths, current: Current, store: EventStore, workers: Workers) -> None:
        self._paths = paths
        self._current = current
        self._store = store
        self._workers = workers

    async def round(self) -> None:
        """Sweep."""
        await self.sweep()

    async def sweep(self) -> Removed:
        """Throw away what is too old now; what was removed of the events file."""
        sweep = Sweep(self._limits())
        while not sweep.finished:
            await _in_writer(self._store, sweep.step)
            await asyncio.sleep(_PAUSE)
        if sweep.removed != Removed():
            logger.info("too old: %s", sweep.removed)
        await self._sweep_logs()
        await self._sweep_revisions()
        return sweep.removed

    def _limits(self) -> Limits:
        now, site = time.time(), self._current.snapshot
        kept = site.site.retention
        return Limits(
            events=now - kept.events.seconds,
            boots=now - kept.boots.seconds,
            size=kept.size.mib * _MIB,
            lately=now - LATELY,
            nodes=tuple(site.nodes),
        )

    async def _sweep_logs(self) -> None:
        before = time.time() - self._current.snapshot.site.retention.boots.seconds
        try:
            await asyncio.to_thread(BootLogs(self._paths.boot_logs).sweep, before)
        except OSError as error:
            logger.warning("old boot logs stay for now: %s", error)

    async def _sweep_revisions(self) -> None:
        since = time.time() - self._current.snapshot.site.retention.revisions.seconds
        try:
            count = await self._workers.look(tasks.prune_revisions, self._paths, since)
        except (ProvisionerError, OSError) as error:
            logger.warning("old revisions stay for now: %s", error)
            return
        if count:
            logger.info("%d revisions that nothing names any more are gone", count)


async def _in_writer(store: EventStore, work: Callable[[sqlite3.Connection], None]) -> None:
    """Have the writer of the events file do something, and wait until it has."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def do(database: sqlite3.Connection) -> None:
        try:
            work(database)
        finally:
            loop.call_soon_threadsafe(done.set)

    store.submit(do)
    await done.wait()

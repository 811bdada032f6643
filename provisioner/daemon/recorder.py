"""The events file as the front process uses it."""

from __future__ import annotations

import asyncio
import logging

from provisioner.boot.ledger import Ledger
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.events.history import History
from provisioner.events.store import EventStore

logger = logging.getLogger(__name__)


class StoreRecorder:
    """`http.site.Recorder` over an event store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def save_report(self, node: str, boot: str, time: float, facts: dict[str, str]) -> None:
        """Keep the last report of a running node."""
        self._store.save_report(node, boot, time, facts)

    async def flush(self) -> None:
        """Wait until everything recorded so far is on the disk."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(done.set)

        self._store.flushed(tell)
        await done.wait()


def open_ledger(paths: Paths, store: EventStore) -> Ledger:
    """The ledger as the last daemon of this site left it; empty where that cannot be read.

    A boot that it does not know is adopted from its token.
    """
    try:
        known = History(paths.events).latest_boots().values()
    except ProvisionerError as error:
        logger.warning("the boots of before are not known: %s", error)
        return Ledger(store.save_boot)
    return Ledger(store.save_boot, known)

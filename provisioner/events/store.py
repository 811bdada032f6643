"""Events and boots in SQLite: written in batches by one thread, read by anybody at any time.

The data path only appends to a queue. A crash loses what came in the last instant before it, never the file.
"""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import UnavailableError
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage

logger = logging.getLogger(__name__)

_SCHEMA = """
create table if not exists event (
    id integer primary key, time real not null, stage text not null, name text not null, level text not null,
    message text not null, mac text, node text, boot text, address text, bytes integer, seconds real,
    data text not null
);
create index if not exists event_by_boot on event (boot, time);
create index if not exists event_by_mac on event (mac, time);
create table if not exists boot (
    id text primary key, node text not null, mac text not null, generation text not null,
    revision text not null, opened real not null, stage text not null, state text not null,
    changed real not null, reason text not null
);
create index if not exists boot_by_node on boot (node, opened);
create table if not exists report (
    node text primary key, boot text not null, time real not null, facts text not null
);
"""
VERSION = 1
_BATCH = 1000
_LONGEST_QUEUE = 200_000
# Events of firmware and loader this long before a script belong to its boot: a BIOS chain takes 15 s, a
# firmware that tries other ports first some minutes.
JOIN_WINDOW = 600.0


_Write = Callable[[sqlite3.Connection], None]


class EventStore:
    """The writer. One object a daemon; `close` writes what is queued.

    Raises UnavailableError when the file cannot be opened or is no events file.
    """

    def __init__(self, path: Path) -> None:
        self._database = _open(path)
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._lost = 0
        self._thread = threading.Thread(target=self._write_batches, name="events", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Queue one event; when the disk cannot keep up, events are counted instead."""
        if self._queue.qsize() < _LONGEST_QUEUE:
            self._queue.put(lambda database: _insert_event(database, event))
        else:
            self._lost += 1

    def save_boot(self, boot: BootRecord) -> None:
        """Queue the new state of a boot; the events of its machine that had no boot yet are joined to it."""
        self._queue.put(lambda database: _save_boot(database, boot))

    def save_report(self, node: str, boot: str, time: float, facts: dict[str, str]) -> None:
        """Queue what a running node said of itself."""
        row = (node, boot, time, json.dumps(facts))
        self._queue.put(lambda database: _save_report(database, row))

    def flushed(self, then: Callable[[], None]) -> None:
        """Call `then` in the writer's thread once everything queued so far is in the file."""
        self._queue.put(_Flush(then))

    def close(self) -> None:
        """Write what is queued and stop."""
        self._queue.put(None)
        self._thread.join()

    def _write_batches(self) -> None:
        running = True
        while running:
            batch, running = self._take_batch()
            self._write(batch)
            if self._lost:
                logger.error("%d events are lost: more came than the disk takes", self._lost)
                self._lost = 0
        self._database.close()

    def _write(self, batch: list[_Write]) -> None:
        """Write a batch in one transaction, and tell those who wait for it, whatever becomes of it."""
        try:
            with self._database:
                self._database.execute("begin")
                for work in batch:
                    work(self._database)
        except Exception:
            # A full disk must not end the daemon, and one odd value must not stop the writer: nodes still
            # boot, and the log says what is lost.
            logger.exception("%d events are lost, they cannot be written", len(batch))
        for work in batch:
            if isinstance(work, _Flush):
                work.then()

    def _take_batch(self) -> tuple[list[_Write], bool]:
        batch: list[_Write] = []
        work = self._queue.get()
        while work is not None:
            batch.append(work)
            if len(batch) == _BATCH or self._queue.empty():
                return batch, True
            work = self._queue.get()
        return batch, False


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Made before SQLite does, so that it is never open to everybody: events name machines and reasons.
        path.touch(mode=0o640, exist_ok=True)
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        database.executescript(_SCHEMA)
        database.execute(f"pragma user_version = {VERSION}")
    except (OSError, sqlite3.Error) as error:
        hint = "move the file away to begin a new one, or restore it"
        raise UnavailableError(f"the events file {path} cannot be used: {error}", hint=hint) from None
    return database


@dataclass(frozen=True, slots=True)
class _Flush:
    then: Callable[[], None]

    def __call__(self, database: sqlite3.Connection) -> None:
        """Nothing to write."""


def _insert_event(database: sqlite3.Connection, event: Event) -> None:
    database.execute(
        "insert into event (time, stage, name, level, message, mac, node, boot, address, bytes, seconds, data)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.time,
            event.stage.value,
            event.name,
            event.level.value,
            event.message,
            event.mac,
            event.node,
            event.boot,
            event.address,
            event.bytes,
            event.seconds,
            json.dumps(dict(event.data)),
        ),
    )


def _save_boot(database: sqlite3.Connection, boot: BootRecord) -> None:
    database.execute(
        "insert or replace into boot values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            boot.id,
            boot.node,
            boot.mac,
            boot.generation,
            boot.revision,
            boot.opened,
            boot.stage.value,
            boot.state,
            boot.changed,
            boot.reason,
        ),
    )
    # Only what a machine does before it has a boot id: a running system that asks for a lease is not booting.
    database.execute(
        "update event set boot = ?, node = ? where mac = ? and boot is null and stage in (?, ?)"
        " and time between ? and ?",
        (
            boot.id,
            boot.node,
            boot.mac,
            Stage.DHCP.value,
            Stage.LOADER.value,
            boot.opened - JOIN_WINDOW,
            boot.opened + 1,
        ),
    )


def _save_report(database: sqlite3.Connection, row: tuple[str, str, float, str]) -> None:
    database.execute("insert or replace into report values (?, ?, ?, ?)", row)

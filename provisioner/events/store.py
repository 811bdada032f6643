"""Events and boots in SQLite: written in batches by one thread, read by anybody at any time.

The data path only appends to a queue. A crash loses what came in the last instant before it, never the file.
"""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import cast

from provisioner.errors import UnavailableError
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Level, Stage

logger = logging.getLogger(__name__)

_SCHEMA = """
create table if not exists event (
    id integer primary key, time real not null, stage text not null, name text not null, level text not null,
    message text not null, mac text, node text, boot text, address text, bytes integer, seconds real,
    data text not null
);
drop index if exists event_by_boot;
create index if not exists event_of_boot on event (boot, time) where boot is not null;
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
_BATCH = 4000
_LONGEST_QUEUE = 200_000
# How long the writer waits for more to come, in seconds: a transaction costs as much as a hundred events.
_GATHER = 0.05
# So many events are inserted by one statement: in each of its steps the lock of the interpreter changes hands.
_AT_ONCE = 50
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
        self._queue: queue.SimpleQueue[Event | _Write | None] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._lost = 0
        self._lost_before = 0
        self._thread = threading.Thread(target=self._write_batches, name="events", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Queue one event; when the disk cannot keep up, events are counted instead."""
        if self._queue.qsize() < _LONGEST_QUEUE:
            self._queue.put(event)
        else:
            self._lost += 1

    def save_boot(self, boot: BootRecord) -> None:
        """Queue the new state of a boot; the events of its machine that had no boot yet are joined to it."""
        self._queue.put(lambda database: _save_boot(database, boot))

    def save_report(self, node: str, boot: str, time: float, facts: dict[str, str]) -> None:
        """Queue what a running node said of itself."""
        row = (node, boot, time, json.dumps(facts))
        self._queue.put(lambda database: _save_report(database, row))

    def submit(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Queue other work on the file (events.retention); it has to be short, because records wait behind it."""
        self._queue.put(work)

    @property
    def waiting(self) -> int:
        """How much is queued and not yet in the file."""
        return self._queue.qsize()

    @property
    def lost(self) -> int:
        """How many records could not be written since the start."""
        return self._lost_before + self._lost

    def flushed(self, then: Callable[[], None]) -> None:
        """Call `then` in the writer's thread once everything queued so far is in the file."""
        self._queue.put(_Flush(then))
        self._urgent.set()

    def close(self) -> None:
        """Write what is queued and stop."""
        self._queue.put(None)
        self._urgent.set()
        self._thread.join()

    def _write_batches(self) -> None:
        running = True
        while running:
            batch, running = self._take_batch()
            self._write(batch)
            if self._lost:
                logger.error("%d events are lost: more came than the disk takes", self._lost)
                self._lost_before += self._lost
                self._lost = 0
        self._database.close()

    def _take_batch(self) -> tuple[list[Event | _Write], bool]:
        """What is queued, after a moment for more to come unless somebody waits; False with the last batch."""
        work = self._queue.get()
        batch: list[Event | _Write] = []
        if self._queue.qsize() < _BATCH:
            self._urgent.wait(_GATHER)
            self._urgent.clear()
        while work is not None:
            batch.append(work)
            if len(batch) == _BATCH or self._queue.empty():
                return batch, True
            work = self._queue.get()
        return batch, False

    def _write(self, batch: Sequence[Event | _Write]) -> None:
        """Write a batch in one transaction, and tell those who wait for it, whatever becomes of it."""
        try:
            self._insert(batch)
        except sqlite3.OperationalError:
            # A full disk must not end the daemon: nodes still boot, and the log says what is lost.
            logger.exception("%d events are lost, they cannot be written", len(batch))
            self._lost_before += len(batch)
        except Exception:
            if len(batch) == 1:
                logger.exception("an event is lost, it cannot be written")
                self._lost_before += 1
            else:
                # One odd value must not take the others of its batch with it.
                for work in batch:
                    self._write([work])
                return
        for work in batch:
            if isinstance(work, _Flush):
                work.then()

    def _insert(self, batch: Sequence[Event | _Write]) -> None:
        with self._database:
            self._database.execute("begin")
            for are_events, run in groupby(batch, key=_is_event):
                if are_events:
                    _insert_events(self._database, cast("list[Event]", list(run)))
                else:
                    for work in cast("Iterator[_Write]", run):
                        work(self._database)


def _is_event(work: Event | _Write) -> bool:
    return type(work) is Event


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


def _insert_events(database: sqlite3.Connection, events: Sequence[Event]) -> None:
    # Piece by piece: SQLite works without the lock of the interpreter, and what goes before is soon over, so
    # whoever answers packets meanwhile never waits long for that lock.
    for start in range(0, len(events), _AT_ONCE):
        rows = _rows(events[start : start + _AT_ONCE])
        if len(rows) == _AT_ONCE:
            database.execute(_INSERT_MANY, tuple(chain.from_iterable(rows)))
        else:
            database.executemany(_INSERT, rows)


def _rows(events: Sequence[Event]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    data: object = None
    text = ""
    for event in events:
        # What is asked and what is answered show the same machine, mostly by the same object.
        if event.data is not data:
            data, text = event.data, json.dumps(dict(event.data)) if event.data else "{}"
        rows.append(
            (
                event.time,
                _STAGES[event.stage],
                event.name,
                _LEVELS[event.level],
                event.message,
                # A plain text goes to SQLite without a search for adapters, a MacAddress does not.
                event.mac and str(event.mac),
                event.node,
                event.boot,
                event.address,
                event.bytes,
                event.seconds,
                text,
            )
        )
    return rows


_INSERT = (
    "insert into event (time, stage, name, level, message, mac, node, boot, address, bytes, seconds, data)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_MANY = _INSERT + ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" * (_AT_ONCE - 1)
_STAGES = {stage: stage.value for stage in Stage}
_LEVELS = {level: level.value for level in Level}


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

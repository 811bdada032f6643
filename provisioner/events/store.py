"""Events and boots in SQLite: written in batches by one thread, read by anybody at any time.

The data path only appends to a queue. A crash loses what came in the last instant before it, never the file. What
cannot be written, because the disk is full or read-only, waits in memory until it can (`events.held`).
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, groupby
from pathlib import Path
from typing import cast

from provisioner.errors import UnavailableError
from provisioner.events.held import Flush, Held, SaveBoot, SaveReport, Write
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
# How long the writer waits after a failure before it tries the file again, in seconds.
_RETRY = 1.0


class EventStore:
    """The writer. One object a daemon; `close` writes what is queued.

    A file that cannot be written, at the start or later, is tried again every second, and `trouble` says why; what
    comes meanwhile is kept. Raises UnavailableError when the file is no events file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._queue: queue.SimpleQueue[Event | Write | None] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._held = Held(_LONGEST_QUEUE)
        # Each of these has one thread that counts.
        self._dropped = self._unwritable = self._lost_told = 0
        self._next_try = 0.0
        self.trouble = ""
        try:
            self._database = _open(path)
        except (OSError, sqlite3.OperationalError) as error:
            self._not_now(error)
        self._thread = threading.Thread(target=self._write_batches, name="events", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Queue one event; when the disk cannot keep up, events are counted instead."""
        if self._queue.qsize() < _LONGEST_QUEUE:
            self._queue.put(event)
        else:
            self._dropped += 1

    def save_boot(self, boot: BootRecord) -> None:
        """Queue the new state of a boot; the events of its machine that had no boot yet are joined to it."""
        self._queue.put(SaveBoot(boot))

    def save_report(self, node: str, boot: str, time: float, facts: dict[str, str]) -> None:
        """Queue what a running node said of itself."""
        self._queue.put(SaveReport(node, boot, time, facts))

    def submit(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Queue other work on the file (events.retention); it has to be short, because records wait behind it."""
        self._queue.put(work)

    @property
    def waiting(self) -> int:
        """How much is queued or kept and not yet in the file."""
        return self._queue.qsize() + len(self._held)

    @property
    def lost(self) -> int:
        """How many records could not be written since the start, and never will be."""
        return self._dropped + self._unwritable + self._held.lost

    def flushed(self, then: Callable[[], None]) -> None:
        """Call `then` in the writer's thread once everything queued so far is in the file, or cannot be."""
        self._queue.put(Flush(then))
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
            self._tell_lost()
        self._next_try = 0.0
        self._write_held()
        if self._held:
            logger.error("%d records are lost: %s", len(self._held), self.trouble)
            self._unwritable += len(self._held)
        if self._database is not None:
            self._database.close()

    def _tell_lost(self) -> None:
        lost = self.lost
        if lost > self._lost_told:
            logger.error("%d events are lost: more came than the disk takes", lost - self._lost_told)
            self._lost_told = lost

    def _take_batch(self) -> tuple[list[Event | Write], bool]:
        """What is queued, after a moment for more to come unless somebody waits; False with the last batch."""
        batch: list[Event | Write] = []
        try:
            work = self._queue.get(timeout=_RETRY if self.trouble else None)
        except queue.Empty:
            return batch, True
        if self._queue.qsize() < _BATCH:
            self._urgent.wait(_GATHER)
            self._urgent.clear()
        while work is not None:
            batch.append(work)
            if len(batch) == _BATCH or self._queue.empty():
                return batch, True
            work = self._queue.get()
        return batch, False

    def _write(self, batch: Sequence[Event | Write]) -> None:
        """Write a batch, or keep it; and tell those who wait for it, whatever becomes of it."""
        if self.trouble:
            # Behind what is kept already, so that all stays in its order.
            self._held.add(batch)
            self._write_held()
        else:
            try:
                self._insert_all(batch)
            except _NotNow:
                self._held.add(batch)
        for work in batch:
            if isinstance(work, Flush):
                work.then()

    def _write_held(self) -> None:
        if not self.trouble or time.monotonic() < self._next_try:
            return
        count = len(self._held)
        with suppress(_NotNow):
            self._database = self._database or self._opened()
            while self._held:
                piece = self._held.first(_BATCH)
                self._insert_all(piece)
                self._held.written(len(piece))
            self.trouble = ""
            logger.info("the events file is written again, with %d records that had to wait", count)

    def _opened(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except (OSError, sqlite3.OperationalError, UnavailableError) as error:
            raise self._not_now(error) from None

    def _insert_all(self, batch: Sequence[Event | Write]) -> None:
        """Insert a batch in one transaction; _NotNow when the file takes nothing."""
        try:
            self._insert(batch)
        except (OSError, sqlite3.OperationalError) as error:
            raise self._not_now(error) from None
        except Exception:
            if len(batch) == 1:
                logger.exception("an event is lost, it cannot be written")
                self._unwritable += 1
            else:
                # One odd value must not take the others of its batch with it.
                for work in batch:
                    self._insert_all([work])

    def _not_now(self, error: Exception) -> _NotNow:
        """Nodes still boot; a file system that comes back may be another one, so the file is opened anew."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        reason = "the file system is read-only" if _is_read_only(self._path.parent) else error
        if not self.trouble:
            logger.error("%s cannot be written: %s; what happens is kept in memory", self._path, reason)
        self.trouble = f"{self._path} cannot be written: {reason}"
        self._next_try = time.monotonic() + _RETRY
        return _NotNow(self.trouble)

    def _insert(self, batch: Sequence[Event | Write]) -> None:
        database = self._database
        if database is None:
            raise ValueError("there is no file to write to")
        with database:
            database.execute("begin")
            for are_events, run in groupby(batch, key=_is_event):
                if are_events:
                    _insert_events(database, cast("list[Event]", list(run)))
                else:
                    for work in cast("Iterator[Write]", run):
                        work(database)


def _is_read_only(folder: Path) -> bool:
    # SQLite says "unable to open database file" of it.
    try:
        return os.statvfs(folder).f_flag & os.ST_RDONLY != 0
    except OSError:
        return False


class _NotNow(Exception):  # noqa: N818 - it is no error of anybody, and never leaves this module
    """The file cannot be written at present."""


def _is_event(work: Event | Write) -> bool:
    return type(work) is Event


def _open(path: Path) -> sqlite3.Connection:
    """The file, ready to be written. Raises OSError or sqlite3.OperationalError where it cannot be written now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made before SQLite does, so that it is never open to everybody: events name machines and reasons.
    if not path.exists():
        path.touch(mode=0o640)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        database.executescript(_SCHEMA)
        # A statement that finds everything as it is writes nothing; this one does, so a file that cannot be
        # written is known here.
        database.execute(f"pragma user_version = {VERSION}")
    except sqlite3.OperationalError:
        database.close()
        raise
    except sqlite3.Error as error:
        database.close()
        hint = "move the file away to begin a new one, or restore it"
        raise UnavailableError(f"the events file {path} cannot be used: {error}", hint=hint) from None
    return database


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

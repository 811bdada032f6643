"""What is too old to be kept goes, a little at a time, between what the daemon writes down.

What stays whatever its age: the newest boot of every machine of the site, which may be under way or running, and
the newest that went well, with all that happened in them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

STEP = 2000
"""How many numbers of events one step looks at: a few milliseconds of the writer."""

# What came so lately may belong to a boot that is not yet known to be one, however large the file is.
LATELY = 600.0
"""Seconds."""

# What is so much later than that was written by a clock that ran ahead, and tells nothing of what follows it.
_AHEAD = LATELY + 3600.0
_KEPT = """
create temp table if not exists kept (boot text primary key) without rowid;
"""
_FILL = """
insert or ignore into temp.kept select id from (
    select id, node, row_number() over (partition by node, mac order by opened desc, rowid desc) as age from boot
) where age = 1 and node in (select value from json_each(:nodes))
union
select id from (
    select id, node, row_number() over (partition by node, mac order by opened desc, rowid desc) as age from boot
    where state in ('ready', 'degraded')
) where age = 1 and node in (select value from json_each(:nodes))
"""
_DELETE_EVENTS = """
delete from event where id > ? and id <= ? and time < ?
    and (boot is null or not exists (select 1 from temp.kept where kept.boot = event.boot))
"""
_DELETE_BOOTS = """
delete from boot where rowid > ? and rowid <= ? and opened < ?
    and not exists (select 1 from temp.kept where kept.boot = boot.id)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Events and boots from before these times (Unix seconds) go; of more than `size` bytes the oldest events.

    Nothing from `lately` on goes for want of room. `nodes` are the nodes of the site.
    """

    lately: float
    events: float
    boots: float
    size: int
    nodes: Collection[str]


@dataclass(slots=True)
class Removed:
    """How many rows went."""

    events: int = 0
    boots: int = 0
    reports: int = 0


@dataclass
class Sweep:
    """One walk over the file. Call `step` in the writer's transactions until `finished`.

    It leaves the file as it is where SQLite fails, and says so in the log: nothing depends on it.
    """

    limits: Limits
    removed: Removed = field(default_factory=Removed)
    finished: bool = False
    _prepared: bool = False
    _boots_done: bool = False
    _place: int = 0
    _before: float = 0.0
    _is_for_size: bool = False

    def step(self, database: sqlite3.Connection) -> None:
        """Do a little more."""
        try:
            self._step(database)
        except sqlite3.Error as error:
            logger.warning("old events stay for now: %s", error)
            self.finished = True

    def _step(self, database: sqlite3.Connection) -> None:
        if not self._prepared:
            self._prepare(database)
        elif not self._boots_done:
            self._sweep_boots(database)
        else:
            self._sweep_events(database)

    def _prepare(self, database: sqlite3.Connection) -> None:
        # Not executescript: it would commit what is written beside this.
        database.execute(_KEPT)
        database.execute("delete from temp.kept")
        nodes = json.dumps(list(self.limits.nodes))
        database.execute(_FILL, {"nodes": nodes})
        query = "delete from report where time < ? and node not in (select value from json_each(?))"
        self.removed.reports = database.execute(query, (self.limits.boots, nodes)).rowcount
        self._before = self.limits.events
        self._prepared = True

    def _sweep_boots(self, database: sqlite3.Connection) -> None:
        end = self._place + STEP
        self.removed.boots += database.execute(_DELETE_BOOTS, (self._place, end, self.limits.boots)).rowcount
        self._place = end
        if end >= _highest(database, "boot"):
            self._boots_done, self._place = True, 0

    def _sweep_events(self, database: sqlite3.Connection) -> None:
        begin = _next_event(database, self._place)
        if begin is None or self._before <= begin[1] < self.limits.lately + _AHEAD:
            self._end_of_walk(database)
            return
        end = begin[0] + STEP - 1
        self.removed.events += database.execute(_DELETE_EVENTS, (begin[0] - 1, end, self._before)).rowcount
        self._place = end
        if self._is_for_size and used(database) <= self.limits.size:
            self.finished = True

    def _end_of_walk(self, database: sqlite3.Connection) -> None:
        """After a walk for age comes, where the file is still too large, one for size, from the oldest on."""
        if used(database) <= self.limits.size:
            self.finished = True
        elif self._is_for_size:
            logger.warning("the events file holds more than %d bytes of what has to stay", self.limits.size)
            self.finished = True
        else:
            self._is_for_size, self._before, self._place = True, self.limits.lately, 0


def used(database: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; what was freed is used again before the file grows."""
    pages, free, size = (
        int(database.execute(f"pragma {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _highest(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"select max(rowid) from {table}").fetchone()[0] or 0)  # noqa: S608 - our own words


def _next_event(database: sqlite3.Connection, place: int) -> tuple[int, float] | None:
    """Number and time of the first event behind a place."""
    row = database.execute("select id, time from event where id > ? order by id limit 1", (place,)).fetchone()
    return None if row is None else (int(row[0]), float(row[1]))

"""Reading what happened: boots, timelines and last reports. Works with the daemon up or down."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.errors import IntegrityError
from provisioner.events.phases import Mark
from provisioner.events.search import BootFilter, EventFilter
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage


@dataclass(frozen=True, slots=True)
class Report:
    """What a running node last said of itself; `time` is Unix seconds, `facts` as the agent sent them."""

    node: str
    boot: str
    time: float
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Booted:
    """A generation (NAME@NUMBER) that a machine of a node booted, the last time in Unix seconds."""

    node: str
    mac: str
    generation: str
    opened: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event and its number in the file; later ones have higher numbers."""

    id: int
    event: Event


class History:
    """A reader of the events file. A site that never ran a daemon has an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def boots(self, node: str, *, limit: int = 100) -> list[BootRecord]:
        """The boots of a node, newest first."""
        query = "select * from boot where node = ? order by opened desc, rowid desc limit ?"
        return [_record(row) for row in self._rows(query, (node, limit))]

    def find_boots(self, wanted: BootFilter) -> list[BootRecord]:
        """The newest boots that pass a filter, newest first."""
        return [_record(row) for row in self._rows(*wanted.query())]

    def boots_named(self, start: str, *, limit: int = 3) -> list[BootRecord]:
        """The boots whose id starts with a text, newest first."""
        query = "select * from boot where substr(id, 1, length(?)) = ? order by opened desc limit ?"
        return [_record(row) for row in self._rows(query, (start, start, limit))]

    def latest_boots(self) -> dict[str, BootRecord]:
        """The newest boot of every node."""
        return {row["node"]: _record(row) for row in self._rows("select * from boot order by opened, rowid")}

    def newest_of(self, nodes: Iterable[str]) -> dict[str, BootRecord]:
        """The newest boot of some nodes, by node; nothing for one that never booted."""
        query = (
            "select * from boot where rowid in (select rowid from (select rowid, row_number() over "
            "(partition by node order by opened desc, rowid desc) as age from boot "
            "where node in (select value from json_each(?))) where age = 1)"
        )
        return {row["node"]: _record(row) for row in self._rows(query, (json.dumps(list(nodes)),))}

    def generations(self) -> list[Booted]:
        """Every generation that every machine ever booted, and when it did so last; oldest first."""
        query = "select node, mac, generation, max(opened) as opened from boot group by 1, 2, 3 order by 4"
        return [Booted(**row) for row in self._rows(query)]

    def revisions(self) -> frozenset[str]:
        """The revisions of all boots that are still recorded."""
        return frozenset(row["revision"] for row in self._rows("select distinct revision from boot"))

    def reports(self) -> dict[str, Report]:
        """The last report of every node."""
        rows = self._rows("select * from report")
        return {row["node"]: Report(**{**row, "facts": json.loads(row["facts"])}) for row in rows}

    def memories(self, nodes: Iterable[str] | None = None) -> dict[str, int]:
        """Bytes of memory that machines of nodes (all of them without `nodes`) have, as they told last."""
        boots = self.latest_boots() if nodes is None else self.newest_of(nodes)
        reports = {node: each for node, each in self.reports().items() if node in boots}
        told = {node: _kib(each.facts.get("memory_total")) for node, each in reports.items()}
        query = (
            "select node, data from event where name = 'stage1.started' "
            "and boot in (select value from json_each(?)) order by time, id"
        )
        for row in self._rows(query, (json.dumps([each.id for each in boots.values()]),)):
            told[row["node"]] = _kib(json.loads(row["data"]).get("memory")) or told.get(row["node"])
        return {name: memory for name, memory in told.items() if memory}

    def timeline(self, boot: str) -> list[Event]:
        """Everything that happened under one boot id, in order of time."""
        return [_event(row) for row in self._rows("select * from event where boot = ? order by time, id", (boot,))]

    def marks(self, boots: Iterable[str]) -> dict[str, list[Mark]]:
        """What the phases of boots are told from, by the boot's id, in order of time."""
        query = (
            "select boot, name, time, bytes from event where boot in (select value from json_each(?)) "
            "order by boot, time, id"
        )
        found: dict[str, list[Mark]] = {}
        for row in self._rows(query, (json.dumps(list(boots)),)):
            found.setdefault(row["boot"], []).append(Mark(row["name"], row["time"], row["bytes"]))
        return found

    def last_events(self, boots: Iterable[str]) -> dict[str, Mark]:
        """The newest event of each of some boots, by the boot's id."""
        query = (
            "select boot, name, max(time) as time, bytes from event "
            "where boot in (select value from json_each(?)) group by boot"
        )
        rows = self._rows(query, (json.dumps(list(boots)),))
        return {row["boot"]: Mark(row["name"], row["time"], row["bytes"]) for row in rows}

    def find_events(self, wanted: EventFilter) -> list[Recorded]:
        """The newest events that pass a filter, oldest first."""
        return [Recorded(row["id"], _event(row)) for row in self._rows(*wanted.query())]

    def ends_after(self, number: int, *, limit: int = 20_000) -> list[Recorded]:
        """Events that end a boot, well or not, later than the one with this number; the oldest first."""
        query = "select * from event where id > ? and name in ('ready', 'degraded', 'failed') order by id limit ?"
        return [Recorded(row["id"], _event(row)) for row in self._rows(query, (number, limit))]

    def images_of(self, boots: Iterable[str]) -> dict[str, str]:
        """The image, without its generation, of each of some boots."""
        query = "select id, generation from boot where id in (select value from json_each(?))"
        rows = self._rows(query, (json.dumps(list(boots)),))
        return {row["id"]: row["generation"].partition("@")[0] for row in rows}

    def newest_id(self) -> int:
        """The number of the newest event; 0 before the first."""
        return next((row["id"] or 0 for row in self._rows("select max(id) as id from event")), 0)

    def recent(self, *, limit: int = 100, levels: Sequence[Level] = tuple(Level)) -> list[Event]:
        """The newest events of some levels, newest first."""
        wanted = json.dumps([level.value for level in levels])
        query = "select * from event where level in (select value from json_each(?)) order by id desc limit ?"
        return [_event(row) for row in self._rows(query, (wanted, limit))]

    def _rows(self, query: str, values: tuple[object, ...] | Mapping[str, object] = ()) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        try:
            with _connection(self._path) as database:
                return [dict(row) for row in database.execute(query, values)]
        except sqlite3.Error as error:
            hint = "look at its owner and mode; a damaged one can be moved away, the daemon begins a new one"
            raise IntegrityError(f"the events file {self._path} cannot be read: {error}", hint=hint) from None


def _kib(text: object) -> int | None:
    """A number of KiB in bytes. It is what a node says: anything."""
    number = str(text)
    return int(number) << 10 if number.isascii() and number.isdecimal() and len(number) < 16 else None


def _record(row: dict[str, Any]) -> BootRecord:
    return BootRecord(**{**row, "stage": TokenStage(row["stage"])})


def _event(row: dict[str, Any]) -> Event:
    fields = {key: value for key, value in row.items() if key != "id"}
    fields.update(stage=Stage(row["stage"]), level=Level(row["level"]), data=json.loads(row["data"]))
    return Event(**fields)


@contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    if _is_at_rest(path):
        # On a read-only file system SQLite cannot make the files that readers of a write-ahead log share.
        database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    else:
        # Not read-only: a reader of a write-ahead log has to be able to make the -shm file after a crash.
        database = sqlite3.connect(path, timeout=5)
    database.row_factory = sqlite3.Row
    try:
        yield database
    finally:
        database.close()


def _is_at_rest(path: Path) -> bool:
    """Whether nobody can write the file, and nobody was doing so when that began."""
    return os.statvfs(path).f_flag & os.ST_RDONLY != 0 and not path.with_name(f"{path.name}-wal").exists()

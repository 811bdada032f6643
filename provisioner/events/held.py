"""What cannot be written down now, kept in memory until it can: on a disk that is full or read-only.

Of a boot and of a running node only the newest state matters, so what is kept is bounded by events and machines.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage

# Events of firmware and loader this long before a script belong to its boot: a BIOS chain takes 15 s, a
# firmware that tries other ports first some minutes.
JOIN_WINDOW = 600.0

T = TypeVar("T")


class Write(Protocol):
    """Anything that is done in the writer's transactions."""

    def __call__(self, database: sqlite3.Connection, /) -> None:
        """Do it."""


@dataclass(frozen=True, slots=True)
class SaveBoot:
    """The new state of a boot; the events of its machine that had no boot yet are joined to it."""

    boot: BootRecord

    def __call__(self, database: sqlite3.Connection) -> None:
        """Write it."""
        boot = self.boot
        state = (boot.stage.value, boot.state, boot.changed, boot.reason)
        database.execute(
            "insert or replace into boot values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (boot.id, boot.node, boot.mac, boot.generation, boot.revision, boot.opened, *state),
        )
        # Only what a machine does before it has a boot id: a running system that asks for a lease is not booting.
        stages = (Stage.DHCP.value, Stage.LOADER.value)
        database.execute(
            "update event set boot = ?, node = ? where mac = ? and boot is null and stage in (?, ?)"
            " and time between ? and ?",
            (boot.id, boot.node, boot.mac, *stages, boot.opened - JOIN_WINDOW, boot.opened + 1),
        )


@dataclass(frozen=True, slots=True)
class SaveReport:
    """What a running node said of itself, at a time in Unix seconds."""

    node: str
    boot: str
    time: float
    facts: dict[str, str]

    def __call__(self, database: sqlite3.Connection) -> None:
        """Write it."""
        row = (self.node, self.boot, self.time, json.dumps(self.facts))
        database.execute("insert or replace into report values (?, ?, ?, ?)", row)


@dataclass(frozen=True, slots=True)
class Flush:
    """Somebody who waits until all that came before is written."""

    then: Callable[[], None]

    def __call__(self, database: sqlite3.Connection) -> None:
        """Nothing to write."""


class Held:
    """Events in their order, `most` of each kind at most; `lost` counts those for which there was no room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: deque[Event] = deque()
        self._boots: dict[str, SaveBoot] = {}
        self._reports: dict[str, SaveReport] = {}
        self._others: list[Write] = []
        self.lost = 0

    def __len__(self) -> int:
        return len(self._events) + len(self._boots) + len(self._reports) + len(self._others)

    def add(self, works: Iterable[Event | Write]) -> None:
        """Keep what could not be written. Nobody waits here: a flush is not kept."""
        for work in works:
            match work:
                case Event():
                    self._add_event(work)
                case SaveBoot():
                    self._replace(self._boots, work.boot.id, work)
                case SaveReport():
                    self._replace(self._reports, work.node, work)
                case Flush():
                    pass
                case _:
                    self._others.append(work)

    def first(self, most: int) -> list[Event | Write]:
        """What is to be written next: events first, because boots are joined to them."""
        if self._events:
            return list(islice(self._events, most))
        return [*self._boots.values(), *self._reports.values(), *self._others]

    def written(self, count: int) -> None:
        """Forget so many, which `first` gave."""
        if self._events:
            for _ in range(count):
                self._events.popleft()
            return
        self._boots.clear()
        self._reports.clear()
        self._others.clear()

    def _add_event(self, event: Event) -> None:
        if len(self._events) < self._most:
            self._events.append(event)
        else:
            self.lost += 1

    def _replace(self, kept: dict[str, T], key: str, work: T) -> None:
        # An older state of the same thing is no loss. Its place stays: boots are in the order in which they began.
        kept[key] = work
        if len(kept) > self._most:
            del kept[next(iter(kept))]
            self.lost += 1

"""What waits in memory while the events file cannot be written."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from provisioner.events.held import Flush, Held, SaveBoot, SaveReport, Write
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Stage
from tests.support.resolved import MAC1, REVISION

BOOT = BootRecord("b1", "n001", MAC1, "debian-12@1", REVISION, 1000.0, TokenStage.SCRIPT, "script", 1000.0)


def event(number: int) -> Event:
    return Event(float(number), Stage.SITE, "x", "m")


def all_of(held: Held, *, most: int = 100) -> list[Event | Write]:
    """What comes out, piece by piece, until nothing is left."""
    found: list[Event | Write] = []
    while held:
        piece = held.first(most)
        assert piece
        assert len(piece) <= most
        held.written(len(piece))
        found += piece
    return found


def test_events_come_out_in_their_order_in_pieces_before_the_boots_that_they_belong_to() -> None:
    held = Held(1000)
    held.add([SaveBoot(BOOT), *map(event, range(25))])
    held.add(map(event, range(25, 30)))

    assert all_of(held, most=10) == [*map(event, range(30)), SaveBoot(BOOT)]


def test_only_the_newest_state_of_a_boot_and_of_a_node_is_kept() -> None:
    held = Held(1000)
    newest = replace(BOOT, state="ready")
    reports = [SaveReport("n001", "b1", time, {"state": "running"}) for time in (1.0, 2.0)]
    held.add([SaveBoot(BOOT), *reports, SaveBoot(newest)])

    assert all_of(held) == [SaveBoot(newest), reports[1]]
    assert held.lost == 0


def test_what_there_is_no_room_for_is_counted_and_the_first_events_stay() -> None:
    held = Held(3)
    held.add(map(event, range(5)))
    held.add(SaveBoot(replace(BOOT, id=f"b{number}")) for number in range(4))

    assert held.lost == 3
    assert all_of(held) == [
        *map(event, range(3)),
        *(SaveBoot(replace(BOOT, id=f"b{number}")) for number in (1, 2, 3)),
    ]


def test_other_work_waits_and_a_flush_does_not() -> None:
    held, done = Held(3), list[str]()

    def work(database: sqlite3.Connection) -> None:
        done.append("work")

    held.add([Flush(lambda: done.append("flush")), work])

    assert all_of(held) == [work]

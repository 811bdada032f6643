"""What is too old goes; what a node needs stays."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.events import retention
from provisioner.events.history import History
from provisioner.events.retention import Limits, Removed, Sweep, used
from provisioner.events.search import BootFilter, EventFilter
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Stage
from tests.support.boots import STEPS, write_boot

DAY = 86400.0
NODES = ("n001", "n002")
BIG = 1 << 40


def limits(events: float, boots: float, *, size: int = BIG, nodes: tuple[str, ...] = NODES) -> Limits:
    return Limits(events=events, boots=boots, size=size, nodes=nodes, lately=5 * DAY)


def swept(path: Path, wanted: Limits) -> Removed:
    """Sweep by way of the daemon's own writer."""
    store, sweep, done = EventStore(path), Sweep(wanted), threading.Event()
    while not sweep.finished:
        store.submit(sweep.step)
        done.clear()
        store.flushed(done.set)
        assert done.wait(60)
    store.close()
    assert store.lost == 0
    return sweep.removed


def names(path: Path) -> list[str]:
    return [each.event.name for each in History(path).find_events(EventFilter(limit=1_000_000))]


def boots(path: Path) -> list[str]:
    return sorted(each.id for each in History(path).find_boots(BootFilter(limit=1_000_000)))


def test_old_events_go_and_the_newest_boot_of_every_node_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    store.record(Event(10.0, Stage.DHCP, "dhcp.ignored", "", mac="02:00:00:00:00:01"))
    write_boot(store, 1, opened=1 * DAY, boot="first")
    write_boot(store, 1, opened=2 * DAY, boot="second")
    write_boot(store, 2, opened=3 * DAY, boot="only")
    store.record(Event(9 * DAY, Stage.DHCP, "dhcp.nak", ""))
    store.close()

    removed = swept(path, limits(events=8 * DAY, boots=8 * DAY))

    assert (removed.events, removed.boots) == (1 + len(STEPS), 1)
    assert boots(path) == ["only", "second"]
    assert names(path) == [*STEPS, *STEPS, "dhcp.nak"]


def test_an_event_of_a_clock_that_ran_ahead_keeps_nothing_else_from_going(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    store.record(Event(400 * DAY, Stage.SITE, "site.started", ""))
    for number in range(3 * retention.STEP):
        store.record(Event(1 * DAY + number, Stage.DHCP, "dhcp.ignored", ""))
    store.close()

    swept(path, limits(events=5 * DAY, boots=5 * DAY))

    assert names(path) == ["site.started"]


def test_the_newest_boot_that_went_well_stays_behind_one_that_did_not(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    write_boot(store, 1, opened=1 * DAY, boot="older")
    write_boot(store, 1, opened=2 * DAY, boot="good")
    write_boot(store, 1, opened=3 * DAY, boot="stuck", until="stage1.started")
    store.close()

    swept(path, limits(events=9 * DAY, boots=9 * DAY))

    assert boots(path) == ["good", "stuck"]
    assert len(History(path).timeline("good")) == len(STEPS)


def test_boots_may_be_kept_longer_than_their_events(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    write_boot(store, 1, opened=1 * DAY, boot="first")
    write_boot(store, 1, opened=2 * DAY, boot="second")
    store.close()

    swept(path, limits(events=9 * DAY, boots=0))

    assert boots(path) == ["first", "second"]
    assert History(path).timeline("first") == []


def test_boots_and_the_report_of_a_node_that_is_gone_do_not_stay_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    write_boot(store, 1, opened=1 * DAY)
    write_boot(store, 3, opened=1 * DAY)
    store.save_report("n001", "b001", 1 * DAY, {})
    store.save_report("n003", "b003", 1 * DAY, {})
    store.close()

    removed = swept(path, limits(events=9 * DAY, boots=9 * DAY))

    assert (boots(path), removed.reports) == (["b001"], 1)
    assert set(History(path).reports()) == {"n001"}


def test_a_file_that_is_too_large_loses_its_oldest_events_first(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    write_boot(store, 1, opened=1.0)
    for number in range(9000):
        store.record(Event(DAY + number, Stage.DHCP, "dhcp.ack", "x" * 200))
    store.close()
    with sqlite3.connect(path) as database:
        before = used(database)
    database.close()

    removed = swept(path, limits(events=0, boots=0, size=before // 2))

    with sqlite3.connect(path) as database:
        assert used(database) <= before // 2
    database.close()
    left = History(path).find_events(EventFilter(name="dhcp.ack", since=DAY, limit=100_000))
    assert removed.events >= 4000
    assert (left[0].event.time, left[-1].event.time) == (DAY + removed.events, DAY + 8999)
    assert len(History(path).timeline("b001")) == len(STEPS)


def test_what_has_to_stay_stays_however_large_it_is(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    write_boot(store, 1, opened=1.0)
    store.close()

    assert swept(path, limits(events=0, boots=0, size=1)) == Removed()
    assert len(names(path)) == len(STEPS)


def test_what_came_lately_does_not_go_for_want_of_room(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store = EventStore(path)
    store.record(Event(4 * DAY, Stage.DHCP, "dhcp.ack", ""))
    store.record(Event(6 * DAY, Stage.DHCP, "dhcp.nak", ""))
    store.close()

    swept(path, limits(events=0, boots=0, size=1))

    assert names(path) == ["dhcp.nak"]


def test_what_is_written_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    store, sweep, done = EventStore(path), Sweep(limits(events=DAY, boots=DAY)), threading.Event()
    for number in range(5000):
        store.record(Event(float(number), Stage.DHCP, "dhcp.ack", ""))
    while not sweep.finished:
        store.record(Event(2 * DAY, Stage.DHCP, "dhcp.offer", ""))
        store.submit(sweep.step)
        done.clear()
        store.flushed(done.set)
        assert done.wait(60)
    store.close()

    assert set(names(path)) == {"dhcp.offer"}
    assert sweep.removed.events == 5000


@settings(max_examples=20, deadline=None)
@given(
    times=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50)), min_size=1, max_size=12),
    limit=st.integers(0, 60),
    step=st.integers(1, 40),
)
def test_whatever_happened_the_newest_boot_of_each_node_keeps_its_whole_timeline(
    tmp_path_factory: object, times: list[tuple[int, int]], limit: int, step: int
) -> None:
    path = tmp_path_factory.mktemp("events") / "events.sqlite"  # type: ignore[attr-defined] # pytest's factory
    store = EventStore(path)
    for place, (number, day) in enumerate(times):
        write_boot(store, number, opened=day * DAY, boot=f"x{place}")
    store.close()
    newest = History(path).latest_boots()
    nodes = ("n001", "n002", "n003")

    before, retention.STEP = retention.STEP, step
    try:
        swept(path, limits(events=limit * DAY, boots=limit * DAY, nodes=nodes))
    finally:
        retention.STEP = before

    assert History(path).latest_boots() == newest
    assert all(len(History(path).timeline(boot.id)) == len(STEPS) for boot in newest.values())
    young = {f"x{place}" for place, (_, day) in enumerate(times) if day >= limit}
    assert set(boots(path)) == young | {boot.id for boot in newest.values()}

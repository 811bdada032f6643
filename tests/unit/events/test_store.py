"""The events file: what goes in comes out, joined to the boot it belongs to."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError, UnavailableError
from provisioner.events.held import JOIN_WINDOW
from provisioner.events.history import History
from provisioner.events.store import EventStore
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage
from tests.support.resolved import MAC1, REVISION

BOOT = BootRecord("b1", "n001", MAC1, "debian-12@1", REVISION, 1000.0, TokenStage.SCRIPT, "script", 1000.0)


def dhcp(time: float, *, stage: Stage = Stage.DHCP, mac: str = MAC1) -> Event:
    return Event(time, stage, f"{stage}.x", "message", mac=mac, data={"a": 1})


def test_events_are_read_back_as_they_were_recorded(tmp_path: Path) -> None:
    event = Event(
        5.0, Stage.IMAGE, "root.sent", "m", Level.WARNING, MAC1, "n001", "b1", "10.0.1.1", 74, 1.5, {"k": "v"}
    )
    store = EventStore(tmp_path / "events.sqlite")
    store.record(event)
    store.close()

    assert History(tmp_path / "events.sqlite").timeline("b1") == [event]


def test_what_a_machine_did_before_its_script_belongs_to_the_boot(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    store.record(dhcp(999.0))
    store.record(dhcp(999.5, stage=Stage.LOADER))
    store.save_boot(BOOT)
    store.close()

    assert [event.time for event in History(tmp_path / "events.sqlite").timeline("b1")] == [999.0, 999.5]


def test_events_of_another_machine_or_another_time_do_not(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    store.record(dhcp(1000.0 - JOIN_WINDOW - 1))
    store.record(dhcp(999.0, mac="02:00:00:00:00:01"))
    store.record(dhcp(1005.0))
    store.save_boot(BOOT)
    store.close()

    assert History(tmp_path / "events.sqlite").timeline("b1") == []


def test_everything_recorded_before_a_flush_can_be_read_after_it(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    done = threading.Event()
    for number in range(3000):
        store.record(Event(float(number), Stage.SITE, "x", "m", boot="b1"))
    store.flushed(done.set)

    assert done.wait(60)
    assert len(History(tmp_path / "events.sqlite").timeline("b1")) == 3000
    store.close()


def test_a_site_that_never_ran_a_daemon_has_no_history(tmp_path: Path) -> None:
    assert History(tmp_path / "events.sqlite").latest_boots() == {}


def test_the_newest_boot_of_a_node_is_the_one_that_opened_last(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    store.save_boot(BOOT)
    store.save_boot(
        BootRecord("b2", "n001", MAC1, "debian-12@2", REVISION, 2000.0, TokenStage.SYSTEM, "ready", 2030.0)
    )
    store.close()
    history = History(tmp_path / "events.sqlite")

    assert history.latest_boots()["n001"].id == "b2"
    assert [boot.id for boot in history.boots("n001")] == ["b2", "b1"]


def test_the_last_report_of_a_node_replaces_the_one_before(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    store.save_report("n001", "b1", 1.0, {"state": "starting"})
    store.save_report("n001", "b1", 2.0, {"state": "running"})
    store.close()

    assert History(tmp_path / "events.sqlite").reports()["n001"].facts == {"state": "running"}


def test_a_file_that_is_no_events_file_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite").write_text("rubbish that is long enough to be looked at" * 100)

    with pytest.raises(UnavailableError, match=r"events\.sqlite cannot be used"):
        EventStore(tmp_path / "events.sqlite")
    with pytest.raises(IntegrityError, match=r"events\.sqlite cannot be read"):
        History(tmp_path / "events.sqlite").latest_boots()


def test_an_event_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    done = threading.Event()
    store.record(Event(1.0, Stage.SITE, "x", "half a pair \ud800", boot="b1"))
    store.flushed(done.set)
    assert done.wait(60)
    store.record(Event(2.0, Stage.SITE, "x", "m", boot="b1"))
    store.close()

    assert [event.time for event in History(tmp_path / "events.sqlite").timeline("b1")] == [2.0]


def test_an_event_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    for number in range(200):
        text = "half a pair \ud800" if number == 120 else "m"
        store.record(Event(float(number), Stage.SITE, "x", text, boot="b1"))
    store.close()

    kept = [event.time for event in History(tmp_path / "events.sqlite").timeline("b1")]
    assert kept == [float(number) for number in range(200) if number != 120]


@pytest.mark.parametrize("count", [1, 49, 50, 51, 123])
def test_any_number_of_events_comes_out_as_it_went_in(tmp_path: Path, count: int) -> None:
    events = [
        Event(
            float(number), Stage.DHCP, f"dhcp.{number}", "m", mac=MacAddress(MAC1), boot="b1", data={"n": number}
        )
        for number in range(count)
    ]
    store = EventStore(tmp_path / "events.sqlite")
    for event in events:
        store.record(event)
    store.close()

    assert History(tmp_path / "events.sqlite").timeline("b1") == events


def test_the_index_of_an_earlier_version_is_replaced(tmp_path: Path) -> None:
    EventStore(tmp_path / "events.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as database:
        database.execute("drop index event_of_boot")
        database.execute("create index event_by_boot on event (boot, time)")
        database.commit()
    EventStore(tmp_path / "events.sqlite").close()

    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as database:
        names = {name for (name,) in database.execute("select name from sqlite_master where type = 'index'")}
        plan = database.execute("explain query plan select * from event where boot = ? order by time, id", ("b",))
        assert "event_of_boot" in str(plan.fetchall())
    assert "event_by_boot" not in names


def test_the_file_is_not_readable_for_everybody(tmp_path: Path) -> None:
    EventStore(tmp_path / "events.sqlite").close()

    assert (tmp_path / "events.sqlite").stat().st_mode & 0o007 == 0


def test_a_folder_in_the_place_of_the_file_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    place = tmp_path / "events.sqlite"
    place.mkdir()
    store = EventStore(place)
    store.record(dhcp(999.0))
    store.save_boot(BOOT)
    flushed = threading.Event()
    store.flushed(flushed.set)

    assert flushed.wait(60), "whoever waits is not kept waiting"
    assert "cannot be written" in store.trouble
    assert store.waiting >= 2

    place.rmdir()
    store.close()
    assert store.trouble == ""
    assert store.lost == 0
    assert [event.time for event in History(place).timeline("b1")] == [999.0]


def test_events_beyond_the_longest_queue_are_counted_where_they_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioner.events.store._LONGEST_QUEUE", 10)
    (tmp_path / "events.sqlite").mkdir()
    store = EventStore(tmp_path / "events.sqlite")
    for number in range(100):
        store.record(dhcp(float(number)))
    store.close()

    # As many as fit wait, those in the queue beside them; when it is closed they are lost too.
    assert store.lost == 100


def test_the_memory_of_a_machine_is_what_its_newest_boot_told_or_else_its_last_report(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    for number, node in enumerate(("n001", "n002", "n003"), 1):
        store.save_boot(replace(BOOT, id=f"b{number}", node=node, mac=f"02:00:00:00:00:0{number}"))
        store.save_report(node, f"b{number}", 1.0, {"memory_total": "1000"})
    for boot, node, memory in (("b1", "n001", "2000"), ("b2", "n002", "much")):
        event = Event(1.0, Stage.STAGE1, "stage1.started", "m", node=node, boot=boot, data={"memory": memory})
        store.record(event)
    store.close()
    history = History(tmp_path / "events.sqlite")

    assert history.memories() == {"n001": 2000 << 10, "n002": 1000 << 10, "n003": 1000 << 10}
    assert history.memories(["n003", "n9"]) == {"n003": 1000 << 10}

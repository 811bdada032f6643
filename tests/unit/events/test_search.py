"""Events and boots that pass a filter."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.events.history import History
from provisioner.events.search import EventFilter
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Level, Stage
from tests.support.boots import write_boot

STRANGER = "02:00:00:00:00:01"


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A boot of n001, and a machine that is no node and never gets further than DHCP."""
    store = EventStore(tmp_path / "events.sqlite")
    write_boot(store, 1, opened=1000.0)
    store.record(Event(2000.0, Stage.DHCP, "dhcp.discover", "DISCOVER", mac=STRANGER))
    store.record(Event(2001.0, Stage.DHCP, "dhcp.ignored", "unknown", mac=STRANGER))
    store.record(Event(2002.0, Stage.DHCP, "dhcp.nak", "", Level.WARNING, mac=STRANGER))
    store.close()
    return History(tmp_path / "events.sqlite")


def names(history: History, wanted: EventFilter) -> list[str]:
    return [each.event.name for each in history.find_events(wanted)]


def test_a_machine_that_is_no_node_is_found_by_its_mac(history: History) -> None:
    assert names(history, EventFilter(mac=STRANGER)) == ["dhcp.discover", "dhcp.ignored", "dhcp.nak"]


def test_a_stage_stands_for_all_of_its_events_and_a_pattern_for_what_it_matches(history: History) -> None:
    assert names(history, EventFilter(name="kernel")) == ["kernel.sent"]
    assert names(history, EventFilter(name="*.sent")) == ["loader.sent", "kernel.sent", "stage1.sent", "root.sent"]
    assert names(history, EventFilter(name="ready")) == ["ready"]


def test_the_newest_are_found_and_stand_in_their_order(history: History) -> None:
    assert names(history, EventFilter(limit=2)) == ["dhcp.ignored", "dhcp.nak"]


def test_node_level_and_time_narrow_it_together(history: History) -> None:
    assert names(history, EventFilter(nodes=["n001"], name="dhcp")) == ["dhcp.discover", "dhcp.ack"]
    assert names(history, EventFilter(levels=[Level.WARNING], since=2001.5)) == ["dhcp.nak"]
    assert names(history, EventFilter(nodes=[])) == []


def test_what_came_after_an_event_is_told_by_its_number(history: History) -> None:
    newest = history.newest_id()

    assert names(history, EventFilter(after=newest - 1)) == ["dhcp.nak"]
    assert names(history, EventFilter(after=newest)) == []


def test_the_newest_event_of_a_boot_says_where_it_is(history: History) -> None:
    assert history.last_events(["b001", "other"])["b001"].name == "ready"


def test_a_file_that_no_daemon_made_yet_has_no_events(tmp_path: Path) -> None:
    empty = History(tmp_path / "none.sqlite")

    assert (empty.newest_id(), empty.find_events(EventFilter()), empty.marks(["x"])) == (0, [], {})

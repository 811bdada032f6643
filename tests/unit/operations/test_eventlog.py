"""Events as they come."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.events.search import EventFilter
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Level, Stage
from provisioner.operations import eventlog


def test_following_begins_with_the_newest_and_goes_on_with_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths.below(tmp_path)
    store = EventStore(paths.events)
    store.record(Event(1.0, Stage.SITE, "site.started", ""))
    store.close()

    def pass_time(_seconds: float) -> None:
        later = EventStore(paths.events)
        later.record(Event(2.0, Stage.DHCP, "dhcp.ack", ""))
        later.record(Event(2.0, Stage.SITE, "site.revision", ""))
        later.close()

    monkeypatch.setattr("time.sleep", pass_time)
    seen = islice(eventlog.follow(paths, EventFilter(name="site")), 3)

    assert [event.name for event in seen] == ["site.started", "site.revision", "site.revision"]


def test_a_level_stands_for_all_that_matter_more() -> None:
    assert eventlog.levels_from("failure") == (Level.FAILURE, Level.ALARM)
    assert len(eventlog.levels_from("info")) == 4


def test_a_mac_is_found_in_every_spelling_and_nothing_else_is_taken_for_one() -> None:
    assert eventlog.mac_of("52-54-00-AB-CD-EF") == "52:54:00:ab:cd:ef"
    with pytest.raises(ProvisionerError, match="not a MAC address"):
        eventlog.mac_of("n001")

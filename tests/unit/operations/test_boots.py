"""Timelines, read from an events file that the daemon's own writer made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.events.store import EventStore
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, Stage
from provisioner.operations.boots import boots_of, nodes_in, timeline
from provisioner.operations.check import compile_site
from tests.support.resolved import MAC1, REVISION
from tests.support.site import SITE, write_site


def boot(name: str, opened: float) -> BootRecord:
    return BootRecord(name, "n001", MAC1, "debian-12@1", REVISION, opened, TokenStage.SCRIPT, "script", opened)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Two boots of n001: `aaa1` at 100 s with a DHCP packet half a second before, and `bbb2` at 900 s."""
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[001-002]': }\n"})
    store = EventStore(paths.events)
    store.record(Event(99.5, Stage.DHCP, "dhcp.ack", "10.0.1.1", mac=MAC1))
    store.save_boot(boot("aaa1", 100.0))
    store.record(Event(100.0, Stage.SCRIPT, "script.boot", "", mac=MAC1, boot="aaa1", bytes=700))
    store.record(Event(103.25, Stage.KERNEL, "kernel.sent", "", boot="aaa1", bytes=5000, seconds=0.125))
    store.save_boot(boot("bbb2", 900.0))
    store.close()
    return paths


def test_a_timeline_starts_at_the_first_packet_and_counts_milliseconds_from_there(paths: Paths) -> None:
    found = timeline(paths, "n001", "aaa1")

    assert found.started == 99.5
    assert [(step.at, step.name) for step in found.steps] == [
        (0, "dhcp.ack"),
        (500, "script.boot"),
        (3750, "kernel.sent"),
    ]


def test_a_transfer_has_bytes_and_milliseconds(paths: Paths) -> None:
    steps = timeline(paths, "n001", "aaa1").steps

    assert [(step.bytes, step.took) for step in steps] == [(None, None), (700, None), (5000, 125)]


def test_the_newest_boot_is_shown_unless_one_is_named_and_the_start_of_an_id_is_enough(paths: Paths) -> None:
    assert timeline(paths, "n001").boot.id == "bbb2"
    assert timeline(paths, "n001", "aa").boot.id == "aaa1"


def test_a_boot_without_events_starts_when_it_was_opened(paths: Paths) -> None:
    assert (timeline(paths, "n001").started, timeline(paths, "n001").steps) == (900.0, ())


def test_a_node_that_never_booted_and_a_boot_that_never_was_are_errors(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="n002: never booted"):
        timeline(paths, "n002")
    with pytest.raises(NotFoundError, match="n001: no boot ccc"):
        timeline(paths, "n001", "ccc")


def test_boots_are_listed_newest_first_and_no_more_than_asked_for(paths: Paths) -> None:
    assert [each.id for each in boots_of(paths, ["n001"])] == ["bbb2", "aaa1"]
    assert [each.id for each in boots_of(paths, ["n001"], limit=1)] == ["bbb2"]


def test_a_site_that_never_ran_a_daemon_has_no_boots(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {n001: }\n"})

    assert boots_of(paths, ["n001"]) == []


def test_a_node_that_is_neither_written_nor_in_the_history_does_not_exist(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="there is no node zz"):
        timeline(paths, "zz")
    with pytest.raises(NotFoundError, match="there is no node zz"):
        boots_of(paths, ["zz"])


def test_what_is_served_decides_which_nodes_exist(paths: Paths) -> None:
    compile_site(paths, Catalogue())
    (paths.node_files / "n.yaml").write_text("nodes: {zz: }\n")

    with pytest.raises(NotFoundError, match="n002: never booted"):
        timeline(paths, "n002")
    with pytest.raises(NotFoundError, match="there is no node zz"):
        timeline(paths, "zz")


def test_a_node_that_is_gone_keeps_its_boots(paths: Paths) -> None:
    (paths.node_files / "n.yaml").unlink()

    assert timeline(paths, "n001").boot.id == "bbb2"


def test_a_boot_is_found_by_its_id_alone(paths: Paths) -> None:
    assert timeline(paths, "aaa1").boot.node == "n001"
    assert timeline(paths, "bb").boot.id == "bbb2"


def test_an_id_that_several_boots_start_with_names_them(paths: Paths) -> None:
    store = EventStore(paths.events)
    store.save_boot(boot("aaa2", 950.0))
    store.close()

    with pytest.raises(ProvisionerError, match="several boots start with 'aaa'") as caught:
        timeline(paths, "aaa")

    assert "aaa2, aaa1" in (caught.value.hint or "")


def test_boots_of_all_nodes_can_be_narrowed_by_time_and_state(paths: Paths) -> None:
    store = EventStore(paths.events)
    store.save_boot(replace(boot("ccc3", 990.0), node="n002", state="failed"))
    store.close()

    assert [each.id for each in boots_of(paths, None)] == ["ccc3", "bbb2", "aaa1"]
    assert [each.id for each in boots_of(paths, None, since=500)] == ["ccc3", "bbb2"]
    assert [each.id for each in boots_of(paths, None, states=["script"])] == ["bbb2", "aaa1"]
    assert boots_of(paths, ["n001"], since=2000) == []


def test_a_node_set_may_name_groups_as_they_are_served(paths: Paths) -> None:
    assert nodes_in(paths, "@*") == ("n001", "n002")
    assert nodes_in(paths, "gone[1-2]") == ("gone1", "gone2")

"""The status again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.operations.status import Wanted, counted, site_status
from provisioner.operations.watching import looks
from tests.support.boots import write_boot
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Three nodes: n001 is ready, n002 is in stage 1, n003 never booted."""
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[001-003]': }\n"})
    store = EventStore(paths.events)
    write_boot(store, 1, opened=1000.0)
    write_boot(store, 2, opened=1000.0, until="handover.done", generation="rocky-9@2")
    store.close()
    return paths


def test_a_node_is_told_again_only_when_something_about_it_is_new(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_time(_seconds: float) -> None:
        store = EventStore(paths.events)
        write_boot(store, 2, opened=1000.0, generation="rocky-9@2")
        store.close()

    monkeypatch.setattr("time.sleep", pass_time)
    seen = [[node.node for node in look.changed] for look in looks(paths, Wanted(), 1.0, most=3)]

    assert seen == [["n001", "n002", "n003"], ["n002"], []]


def test_a_boot_under_way_tells_its_newest_event(paths: Paths) -> None:
    steps = {node.node: node.step for node in site_status(paths).nodes}

    assert steps == {"n001": None, "n002": "handover.done", "n003": None}


def test_nodes_are_chosen_by_name_state_and_image(paths: Paths) -> None:
    def chosen(wanted: Wanted) -> list[str]:
        return [node.node for node in site_status(paths, wanted).nodes]

    assert chosen(Wanted(nodes=["n001", "n003"])) == ["n001", "n003"]
    assert chosen(Wanted(states=["system", "never booted"])) == ["n002", "n003"]
    assert chosen(Wanted(image="rocky-9")) == ["n002"] == chosen(Wanted(image="rocky-9@2"))
    assert chosen(Wanted(image="rocky-9", states=["ready"])) == []


def test_states_are_counted_the_most_frequent_first(paths: Paths) -> None:
    store = EventStore(paths.events)
    write_boot(store, 3, opened=1000.0)
    store.close()

    assert list(counted(site_status(paths)).items()) == [("ready", 2), ("system", 1)]

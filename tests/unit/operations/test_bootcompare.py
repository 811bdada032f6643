"""Two boots side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.store import EventStore
from provisioner.operations.bootcompare import compare
from tests.support.boots import write_boot
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[001-002]': }\n"})
    store = EventStore(paths.events)
    write_boot(store, 1, opened=1000.0)
    write_boot(store, 2, opened=1000.0, generation="debian-12@2", slower={"root.sent": 20.0, "ready": 1.0})
    write_boot(store, 1, opened=3000.0, boot="later", until="stage1.started")
    store.close()
    return paths


def test_the_stage_in_which_they_differ_most_is_named(paths: Paths) -> None:
    found = compare(paths, "b001", "n002")

    assert found.slowest == "image"
    assert found.verdict == (
        "the largest difference is in image: n002 (b002) took 24000 ms there, n001 (b001) 4000 ms"
    )
    assert {pair.stage: pair.difference for pair in found.stages if pair.difference} == {
        "image": 20_000,
        "system": 1000,
    }


def test_the_other_way_round_the_same_stage_is_named_with_the_other_sign(paths: Paths) -> None:
    found = compare(paths, "b002", "b001")

    assert {pair.stage: pair.difference for pair in found.stages}["image"] == -20_000
    assert "n002 (b002) took 24000 ms" in found.verdict


def test_what_they_booted_is_told_where_it_differs(paths: Paths) -> None:
    found = compare(paths, "b001", "b002")

    assert found.differs == {"node": ("n001", "n002"), "generation": ("debian-12@1", "debian-12@2")}
    assert found.equal["firmware"] == "bios"
    assert found.equal["loader"] == "undionly.kpxe"


def test_a_node_stands_for_its_newest_boot_and_stages_that_it_has_not_reached_are_open(paths: Paths) -> None:
    found = compare(paths, "n001", "b001")
    image = next(pair for pair in found.stages if pair.stage == "image")

    assert found.first.id == "later"
    assert (image.first, image.second, image.difference) == (None, 4000, None)
    assert found.verdict == "no stage that both came through took another time"


def test_a_boot_that_never_was_is_an_error(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="there is no node zzz"):
        compare(paths, "b001", "zzz")

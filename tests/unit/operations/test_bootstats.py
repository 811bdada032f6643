"""Percentiles of the stages of many boots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.phases import STAGES
from provisioner.events.store import EventStore
from provisioner.model.catalogue import Catalogue
from provisioner.operations.bootstats import TOTAL, Grouping, StageTimes, percentile, stage_times
from provisioner.operations.check import compile_site
from tests.support.boots import write_boot, write_boots
from tests.support.site import SITE, write_site

NODES = "nodes: {'n[001-100]': , 'n[001-010]': {tags: {model: Blade 5}}}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A hundred boots, whose image takes 0.1 s longer from node to node."""
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})
    compile_site(paths, Catalogue())
    write_boots(paths, 100)
    return paths


def one(found: list[StageTimes], stage: str, group: str) -> StageTimes:
    (row,) = [each for each in found if (each.stage, each.group) == (stage, group)]
    return row


def test_percentiles_are_of_the_seconds_that_boots_really_took(paths: Paths) -> None:
    image = one(stage_times(paths, Grouping.IMAGE), "image", "debian-12")

    assert image.boots == 100
    assert [image.p50, image.p90, image.p99, image.longest] == pytest.approx([9.0, 13.0, 13.9, 14.0])
    assert (image.slowest, image.bytes) == ("b100", 76_000)


def test_the_stages_stand_in_their_order_and_the_whole_at_the_end(paths: Paths) -> None:
    stages = [each.stage for each in stage_times(paths, Grouping.ALL)]

    assert stages == [*(stage.value for stage in STAGES), "total"]


def test_boots_are_told_apart_by_the_hardware_that_is_written_or_reported(paths: Paths) -> None:
    store = EventStore(paths.events)
    for number in (11, 12):
        store.save_report(f"n{number:03}", "b", 1.0, {"vendor": "Acme", "model": "X1"})
    store.save_report("n001", "b", 1.0, {"vendor": "Acme", "model": "X1"})
    store.close()

    found = stage_times(paths, Grouping.MODEL)

    assert {each.group: each.boots for each in found} == {"Blade 5": 10, "Acme X1": 2, "unknown": 88}


def test_a_boot_that_is_not_over_does_not_count(paths: Paths) -> None:
    store = EventStore(paths.events)
    write_boot(store, 101, opened=5000.0, until="stage1.started", boot="halfway")
    store.close()

    assert one(stage_times(paths, Grouping.ALL), TOTAL, "all").boots == 100


def test_nodes_and_time_narrow_it_and_nothing_left_is_an_error(paths: Paths) -> None:
    assert one(stage_times(paths, Grouping.ALL, nodes=["n003", "n004"]), TOTAL, "all").boots == 2
    with pytest.raises(NotFoundError, match="no boot is finished"):
        stage_times(paths, Grouping.ALL, since=9000)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 90, 99]))
def test_a_percentile_is_one_of_the_numbers_and_enough_of_them_are_not_above_it(
    numbers: list[float], share: float
) -> None:
    ordered = sorted(numbers)
    found = percentile(ordered, share)

    assert found in ordered
    assert sum(each <= found for each in ordered) * 100 >= share * len(ordered)
    assert sum(each < found for each in ordered) * 100 < share * len(ordered)

"""The page for Prometheus, read back by Prometheus' own parser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from provisioner.api.metrics import Facts, MetricsPage
from provisioner.events.history import History
from provisioner.events.meter import BOUNDS, BootMeter
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Level, Stage
from provisioner.model.tally import Tally
from tests.support.boots import mac_of, write_boot

FACTS = Facts(
    version="1.2",
    revision="ab" * 32,
    served_since=1000.0,
    mistakes=2,
    states={"ready": 3, "never booted": 1},
    boots_under_way=0,
    events_lost=5,
    queues={"events": 7},
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(tmp_path / "events.sqlite")
    yield store
    store.close()


@pytest.fixture
def page(tmp_path: Path, store: EventStore) -> MetricsPage:
    del store
    tally = Tally()
    tally.add("dhcp_messages", "offer", 4)
    tally.add("http_bytes", "root", 1000)
    tally.add("new_things", "blue", 1)
    return MetricsPage(lambda: FACTS, tally, BootMeter(History(tmp_path / "events.sqlite")))


def samples(page: MetricsPage) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.text().decode())
        for sample in family.samples
    }


def wrote(store: EventStore) -> None:
    """Wait until everything is in the file."""
    done = threading.Event()
    store.flushed(done.set)
    assert done.wait(10)


def test_counts_of_the_services_are_told_with_their_labels(page: MetricsPage) -> None:
    found = samples(page)

    assert found["provisioner_dhcp_messages_total", "offer"] == 4
    assert found["provisioner_http_bytes_total", "root"] == 1000
    assert found["provisioner_new_things_total", "blue"] == 1
    assert found["provisioner_tftp_bytes_total",] == 0
    assert found["provisioner_events_lost_total",] == 5


def test_the_state_of_the_site_is_told(page: MetricsPage) -> None:
    found = samples(page)

    assert found["provisioner_nodes", "ready"] == 3
    assert found["provisioner_site_mistakes",] == 2
    assert found["provisioner_revision_info", "ab" * 32] == 1
    assert found["provisioner_queue_length", "events"] == 7
    assert found["provisioner_process_resident_memory_bytes",] > 0


def test_finished_boots_fall_into_buckets_by_stage_and_image(page: MetricsPage, store: EventStore) -> None:
    write_boot(store, 1, opened=1000.0)
    write_boot(store, 2, opened=1000.0, slower={"root.sent": 30.0})
    write_boot(store, 3, opened=1000.0, generation="rocky-9@2", until="stage1.started")
    store.record(Event(1100.0, Stage.STAGE1, "failed", "", Level.FAILURE, mac_of(3), "n003", "b003"))
    wrote(store)

    found = samples(page)

    image = ("debian-12", "image")
    assert found["provisioner_boot_stage_seconds_count", *image] == 2
    assert found["provisioner_boot_stage_seconds_sum", *image] == pytest.approx(4.0 + 34.0)
    buckets = {
        name[2]: count for name, count in found.items() if name[0].endswith("_bucket") and name[1::2] == image
    }
    assert [buckets[each] for each in ("2.5", "5.0", "30.0", "60.0", "+Inf")] == [0, 1, 1, 2, 2]
    assert found["provisioner_boots_total", "debian-12", "ready"] == 2
    assert found["provisioner_boots_total", "rocky-9", "failed"] == 1


def test_a_boot_is_counted_once_and_none_from_before_the_start(
    page: MetricsPage, store: EventStore, tmp_path: Path
) -> None:
    write_boot(store, 1, opened=1000.0)
    wrote(store)
    samples(page)
    again = samples(page)
    fresh = BootMeter(History(tmp_path / "events.sqlite"))
    fresh.update()

    assert again["provisioner_boots_total", "debian-12", "ready"] == 1
    assert not fresh.ends


def test_no_machine_is_a_label(page: MetricsPage, store: EventStore) -> None:
    write_boot(store, 1, opened=1000.0)
    wrote(store)

    text = page.text().decode()

    assert "n001" not in text
    assert mac_of(1) not in text
    assert "b001" not in text


def test_the_ends_of_the_buckets_rise() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))

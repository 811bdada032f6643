"""What looking costs: percentiles, lists and sweeps over ten thousand boots, and what the log adds to an event."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.events.logged import LoggedSink
from provisioner.events.meter import BootMeter
from provisioner.events.retention import Limits, Sweep
from provisioner.events.search import BootFilter, EventFilter
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Stage
from provisioner.operations.bootstats import Grouping, stage_times
from tests.support.boots import STEPS, write_boot

pytestmark = pytest.mark.long

BOOTS = 10_000
EVENTS = 200_000


def spent(work: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of this thread and what came of it."""
    started = time.thread_time()
    result = work()
    return time.thread_time() - started, result


def test_looking_at_ten_thousand_boots(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    meter = BootMeter(History(paths.events))
    store = EventStore(paths.events)
    for number in range(1, BOOTS + 1):
        write_boot(store, number, opened=1000.0 + number)
    store.close()
    history = History(paths.events)

    rows = {
        "prov boot stats --by all": spent(lambda: stage_times(paths, Grouping.ALL)),
        "prov boot list (20 of them)": spent(lambda: history.find_boots(BootFilter())),
        "prov events n001 (10 of them)": spent(lambda: history.find_events(EventFilter(nodes=["n001"], limit=10))),
        "metrics: first scrape after them all": spent(meter.update),
        "metrics: scrape with nothing new": spent(meter.update),
    }

    print(f"\n{BOOTS} boots, {BOOTS * len(STEPS)} events: CPU seconds")
    for name, (seconds, _) in rows.items():
        print(f"  {name:<40} {seconds:8.3f}")
    assert sum(meter.ends.values()) == BOOTS


def test_a_sweep_step_by_step(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "events.sqlite")
    for number in range(EVENTS):
        store.record(
            Event(float(number), Stage.DHCP, "dhcp.ack", "10.0.1.1, boot script", mac="52:54:00:00:00:01")
        )
        if number % 50_000 == 0:
            while store.waiting > 100_000:
                time.sleep(0.01)
    sweep = Sweep(Limits(events=1e9, boots=1e9, size=1 << 40, lately=0.0, nodes=("n001",)))
    took: list[float] = []

    def step(database: object) -> None:
        started = time.perf_counter()
        sweep.step(database)  # type: ignore[arg-type] # the writer's connection
        took.append(time.perf_counter() - started)

    while not sweep.finished:
        if store.waiting == 0:
            store.submit(step)
        time.sleep(0.001)
    store.close()

    took.sort()
    print(f"\na sweep of {sweep.removed.events} events: {len(took)} steps of the writer's thread, milliseconds")
    print(f"  median {took[len(took) // 2] * 1000:.1f}  p99 {took[int(len(took) * 0.99)] * 1000:.1f}")
    assert sweep.removed.events == EVENTS


def test_what_the_log_adds_to_an_event_that_it_does_not_tell() -> None:
    event = Event(1.0, Stage.DHCP, "dhcp.ack", "10.0.1.1")
    passed: list[Event] = []
    sink = LoggedSink(passed.append, time.monotonic)

    def through(target: Callable[[Event], None]) -> None:
        for _ in range(EVENTS):
            target(event)

    bare, _ = spent(lambda: through(passed.append))
    logged, _ = spent(lambda: through(sink))

    print(f"\nan event more for the log: {(logged - bare) / EVENTS * 1e6:.2f} us")
    assert len(passed) == 2 * EVENTS

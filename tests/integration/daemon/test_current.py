"""What the daemon serves while people write: the real workers, and edits between and during reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.current import Current
from provisioner.daemon.workers import Workers
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event
from provisioner.registry.schema import snapshot_path
from provisioner.registry.store import read_snapshot
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(count=1)
    yield workers
    workers.close()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {n0: }\n"})


def serving(paths: Paths, workers: Workers, events: list[Event]) -> Current:
    revision = tasks.compile_revision(paths).revision
    assert revision is not None
    return Current(paths, workers, events.append, read_snapshot(paths, revision), Catalogue())


def add(paths: Paths, name: str) -> None:
    (paths.node_files / f"{name}.yaml").write_text(f"nodes: {{{name}: }}\n")


async def test_whoever_asks_after_an_edit_is_answered_when_it_is_served(paths: Paths, workers: Workers) -> None:
    events: list[Event] = []
    current = serving(paths, workers, events)

    async def edit(name: str) -> None:
        add(paths, name)
        await current.reload()
        assert name in current.snapshot.nodes

    async with asyncio.TaskGroup() as group:
        for number in range(1, 9):
            group.create_task(edit(f"n{number}"))
            # Some ask before, some while and some after files are read.
            await asyncio.sleep(0.004 * number)

    assert len(current.snapshot.nodes) == 9
    assert 1 <= [event.name for event in events].count("site.revision") <= 8


async def test_many_who_ask_at_once_share_a_compilation(paths: Paths, workers: Workers) -> None:
    events: list[Event] = []
    current = serving(paths, workers, events)
    add(paths, "n1")

    await asyncio.gather(*(current.reload() for _ in range(50)))

    assert [event.name for event in events] == ["site.revision"]
    assert list(current.snapshot.nodes) == ["n0", "n1"]


async def test_a_mistake_leaves_what_is_served_and_its_repair_is_served(paths: Paths, workers: Workers) -> None:
    events: list[Event] = []
    current = serving(paths, workers, events)
    before = current.snapshot
    (paths.node_files / "b.yaml").write_text("nodes: {n1: {colour: red}}\n")

    await current.reload()
    assert (current.snapshot, len(current.problems)) == (before, 1)

    add(paths, "b")
    await current.reload()
    assert (sorted(current.snapshot.nodes), current.problems) == (["b", "n0"], ())
    assert [event.name for event in events] == ["site.broken", "site.revision", "site.repaired"]


async def test_revisions_of_boots_under_way_keep_their_snapshots(paths: Paths, workers: Workers) -> None:
    current = serving(paths, workers, [])
    first = current.snapshot.revision
    current.needed = lambda: frozenset({first})

    for number in range(1, 12):
        add(paths, f"n{number}")
        await current.reload()

    assert snapshot_path(paths, first).exists()
    assert len(list(paths.snapshots.glob("*.sqlite"))) == 9

"""A sweep of a real daemon's files: with its workers, its writer, and the limits of the site."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon.current import Current
from provisioner.daemon.sweeper import Sweeper
from provisioner.daemon.workers import Workers
from provisioner.events.history import History
from provisioner.events.search import EventFilter
from provisioner.events.store import EventStore
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, Stage
from provisioner.operations.check import compile_site
from provisioner.registry import leftovers
from provisioner.registry.store import read_current, read_snapshot
from tests.support.boots import STEPS, write_boot
from tests.support.resolved import REVISION

pytestmark = pytest.mark.integration

DAY = 86400.0
SITE = """\
cluster: demo
networks: {provision: {cidr: 10.0.0.0/16}}
retention: {events: 2d, boots: 10d, revisions: 5d}
"""


def revisions(paths: Paths, count: int) -> list[str]:
    """Keep so many revisions of a site with one node, each a month older than the next."""
    made = []
    for number in range(count):
        (paths.node_files / "n.yaml").write_text(f"nodes: {{n001: {{tags: {{number: '{number}'}}}}}}\n")
        made.append(compile_site(paths, Catalogue()).snapshot.revision)
        for place in (*paths.objects.rglob("*"), *(paths.state / "revisions").glob("*")):
            moment = place.stat().st_mtime - 30 * DAY
            os.utime(place, (moment, moment))
    return made


async def test_what_is_older_than_the_site_says_goes_and_a_boot_keeps_its_revision(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    paths.node_files.mkdir(parents=True)
    paths.site_file.write_text(SITE)
    made = revisions(paths, leftovers.NEWEST + 3)
    now = time.time()
    store, workers = EventStore(paths.events), Workers(1)
    write_boot(store, 1, opened=now - 20 * DAY, boot="first")
    write_boot(store, 1, opened=now - 5 * DAY, boot="second")
    write_boot(store, 1, opened=now - 4 * DAY, boot="third")
    store.record(Event(now - 3 * DAY, Stage.DHCP, "dhcp.ignored", ""))
    store.record(Event(now - 1 * DAY, Stage.DHCP, "dhcp.nak", ""))
    current = Current(paths, workers, store.record, read_snapshot(paths, read_current(paths) or ""), Catalogue())
    # The oldest revision is the one of a boot; the next two belong to nobody.
    folder = paths.state / "revisions"
    (folder / f"{made[0]}.json").rename(folder / f"{REVISION}.json")
    try:
        removed = await Sweeper(paths, current, store, workers).sweep()
    finally:
        workers.close()
        store.close()

    assert (removed.boots, removed.events) == (1, 2 * len(STEPS) + 1)
    history = History(paths.events)
    assert [boot.id for boot in history.boots("n001")] == ["third", "second"]
    assert [each.event.name for each in history.find_events(EventFilter(limit=99))] == [*STEPS, "dhcp.nak"]
    assert {place.stem for place in folder.glob("*.json")} == {REVISION, *made[3:]}

"""Two head nodes of one site, with the address of the one that serves: either may go at any moment of a boot."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.lab.daemon import DaemonCommand, LabDaemon
from provisioner.trust.sitekey import SiteKey
from tests.support.world import World, until, world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip"),
    pytest.mark.timeout(400),
]


def other_head(place: World) -> LabDaemon:
    """A head node with the same files and the same key, and a state of its own."""
    SiteKey.load_or_create(place.paths.keys)
    shutil.copytree(place.paths.site, place.folder / "other", symlinks=True)
    command = DaemonCommand.serve(Paths.below(place.folder / "other"))
    return LabDaemon(place.head, replace(command, timeout=120), place.folder / "other.log")


def test_machines_get_ready_when_the_head_nodes_take_turns_in_the_middle_of_their_boots(tmp_path: Path) -> None:
    with world(tmp_path, nodes=12) as place:
        second = other_head(place)
        place.daemon.start()
        clients = place.switch_on(*range(1, 13))
        heads = [place.daemon, second, place.daemon, second, place.daemon]
        for part, old, new in zip((0.15, 0.35, 0.55, 0.75), heads, heads[1:], strict=False):
            until(lambda part=part: place.progress() >= part or not clients.running)
            old.kill()
            new.start()

        outcomes = place.outcomes(clients)
        assert all(each.ready for each in outcomes), [each.causes for each in outcomes]
        place.daemon.stop()


def test_a_machine_that_booted_from_the_other_head_node_since_is_no_alarm(tmp_path: Path) -> None:
    with world(tmp_path, nodes=1) as place:
        second = other_head(place)
        place.daemon.start()
        place.boots(1)
        place.daemon.kill()
        second.start()
        clients = place.switch_on(1)
        until(lambda: place.progress() >= 0.4)
        second.kill()
        place.daemon.start()

        assert all(each.ready for each in place.outcomes(clients))
        assert place.events("access.denied") == []
        place.daemon.stop()

"""A boot storm: every node of a site is switched on in the same moment, and each one ends up ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.model.event import Level
from tests.support.daemon import add_generation, eventually
from tests.support.rig import HEAD, Rig, address_of, daemon, mac_of, name_of, rig, write_nodes
from tests.support.simulated import LOSS, SimulatedNode, Wire

SEED = 7


@dataclass(frozen=True, slots=True)
class Storm:
    """What a storm was like: its nodes after their boots, and the processor time of the daemon in seconds."""

    nodes: Sequence[SimulatedNode]
    cpu_seconds: float

    def table(self) -> str:
        """The steps of a boot with their median and 99th percentile."""
        resumed = sum(node.resumed for node in self.nodes)
        lines = [
            f"\n{len(self.nodes)} nodes at once, {LOSS:.0%} loss, seed {SEED}: all ready, {resumed} roots resumed"
        ]
        lines += [f"processor time of the daemon {self.cpu_seconds:.1f} s", f"{'step':<18}{'p50':>10}{'p99':>10}"]
        for step in self.nodes[0].took:
            took = sorted(node.took[step] for node in self.nodes)
            lines.append(f"{step:<18}{median(took):>8.2f} s{took[int(len(took) * 0.99)]:>8.2f} s")
        return "\n".join(lines)


def storm(folder: Path, count: int) -> Storm:
    """Boot this many nodes at once against the real daemon; AssertionError unless every one gets ready."""
    paths = Paths.below(folder / "site")
    write_nodes(paths, count)
    add_generation(paths)
    with rig() as place:
        _add_addresses(place, count)
        with daemon(place.home, paths) as server:
            with place.clients.entered():
                nodes = asyncio.run(_boot_all(place.theirs, count))
            _all_are_ready(paths, count)
            result = Storm(nodes, server.cpu_seconds())
    assert "Traceback" not in paths.site.with_suffix(".log").read_text()
    return result


def _add_addresses(place: Rig, count: int) -> None:
    # What stage 1 does to its device; here it is one device for all.
    prefix, numbers = HEAD.network.prefixlen, range(1, count + 1)
    lines = "\n".join(f"addr add {address_of(number)}/{prefix} dev {place.theirs}" for number in numbers)
    run(["ip", "-n", place.clients.name, "-batch", "-"], stdin=lines.encode())


async def _boot_all(device: str, count: int) -> list[SimulatedNode]:
    wire = Wire(device)
    nodes = [SimulatedNode(mac_of(number), wire, Random(SEED + number)) for number in range(1, count + 1)]
    try:
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(node.boot())
    finally:
        wire.close()
    return nodes


def _all_are_ready(paths: Paths, count: int) -> None:
    history = History(paths.events)
    wanted = {name_of(number) for number in range(1, count + 1)}
    eventually(lambda: {boot.state for boot in history.latest_boots().values()} == {"ready"})
    assert history.latest_boots().keys() == wanted
    assert all(len(history.boots(name)) == 1 for name in wanted), "a boot was started twice"
    assert history.recent(levels=(Level.ALARM, Level.FAILURE)) == []

"""One process of clients: boots its machines, all at once, and writes down how each of them did."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import IO

from provisioner.lab.storm.node import SimulatedNode
from provisioner.lab.storm.plan import STEPS, Client, Plan, read_crowd
from provisioner.lab.storm.relay import Relay
from provisioner.lab.storm.weather import Link, Sky

_SAMPLE_SECONDS = 0.1
_TOLD_EVERY = 5


def run_crowd(crowd: Path, outcomes: Path, progress: Path) -> None:
    """Boot the machines of a crowd file (`plan.write_crowd`).

    `outcomes` gets a line for each machine that has finished, `progress` is how far all of them are.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan, clients = read_crowd(crowd)
    with outcomes.open("a", buffering=1) as file:
        asyncio.run(_boot_all(plan, clients, file, progress))


async def _boot_all(plan: Plan, clients: Sequence[Client], file: IO[str], progress: Path) -> None:
    shared = Link(plan.link)
    sky = Sky(plan.weather, Random(plan.seed))  # noqa: S311 - a storm can be had again
    relay = Relay(plan, sky)
    relay.start()
    nodes = [SimulatedNode(client, plan, relay, shared) for client in clients]
    watching = asyncio.create_task(_watch(nodes, progress))
    try:
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(_boot(node, file))
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        relay.close()


async def _boot(node: SimulatedNode, file: IO[str]) -> None:
    outcome = await node.run()
    file.write(f"{outcome.line()}\n")


async def _watch(nodes: Sequence[SimulatedNode], progress: Path) -> None:
    """Write down how far the machines are, and how late this very loop is: a late one measures itself."""
    late: list[float] = []
    started = time.monotonic()
    try:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_SAMPLE_SECONDS)
            late.append(time.monotonic() - before - _SAMPLE_SECONDS)
            if len(late) % _TOLD_EVERY == 0:
                _tell(nodes, progress, late, started)
    finally:
        _tell(nodes, progress, late, started)


def _tell(nodes: Sequence[SimulatedNode], progress: Path, late: Sequence[float], started: float) -> None:
    done = sum(len(STEPS) if node.outcome.ready else max(0, len(node.outcome.steps) - 1) for node in nodes)
    ordered = sorted(late)
    told = {
        "steps": done / (len(nodes) * len(STEPS)) if nodes else 1.0,
        "ready": sum(node.outcome.ready for node in nodes),
        "late": ordered[int(len(ordered) * 0.99)] if ordered else 0.0,
        "cpu": time.process_time(),
        "seconds": time.monotonic() - started,
    }
    fresh = progress.with_suffix(".new")
    fresh.write_text(json.dumps(told))
    fresh.replace(progress)

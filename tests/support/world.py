"""The real daemon and machines that boot against it as `prov lab storm` does, in a world that a test may break.

with world(tmp_path, nodes=2) as place:
    place.daemon.start()
    place.break_something()
    assert place.boots(1)
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.lab.daemon import DaemonCommand, LabDaemon, prov
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.lab.storm import scratch
from provisioner.lab.storm.outcome import Outcome
from provisioner.lab.storm.plan import Client, Plan, Weather
from provisioner.lab.storm.storm import cabled, start_clients
from provisioner.model.event import Event

_QUICK = 0.02
_PATIENCE = 240.0
_START_SECONDS = 120.0


@dataclass
class World:
    """A head node's namespace and one for its machines."""

    head: Namespace
    clients: Namespace
    folder: Path
    paths: Paths
    daemon: LabDaemon
    machines: Sequence[Client]
    plan: Plan
    _crowds: list[str] = field(default_factory=list)

    def switch_on(self, *numbers: int, patience: float = _PATIENCE, weather: Weather | None = None) -> Process:
        """Switch machines on, counted from 1; they boot in a process of their own."""
        name = f"{len(self._crowds)}"
        self._crowds.append(name)
        plan = replace(self.plan, patience=patience, weather=weather or Weather())
        return start_clients(self.clients, self.folder, name, plan, [self.machines[each - 1] for each in numbers])

    def outcomes(self, process: Process) -> list[Outcome]:
        """How the machines that were switched on last did, when all of them have finished."""
        assert process.wait(2 * _PATIENCE), "the clients do not end"
        lines = (self.folder / f"outcomes-{self._crowds[-1]}").read_text().splitlines()
        assert lines, (self.folder / f"clients-{self._crowds[-1]}.log").read_text()
        return [Outcome.read(line) for line in lines]

    def boots(self, *numbers: int) -> None:
        """Machines boot, and each gets ready; AssertionError says why one does not."""
        outcomes = self.outcomes(self.switch_on(*numbers))
        assert all(each.ready for each in outcomes), [each.causes for each in outcomes]

    def progress(self) -> float:
        """How many of their steps the machines have done, as a part of 1."""
        file = self.folder / f"progress-{self._crowds[-1]}"
        return float(json.loads(file.read_text())["steps"]) if file.exists() else 0.0

    def events(self, name: str) -> list[Event]:
        """The newest events of one name, newest first."""
        return [each for each in History(self.paths.events).recent(limit=5000) if each.name == name]

    def status(self) -> dict[str, Any]:
        """`prov status` as data."""
        told: dict[str, Any] = json.loads(self.head.run(prov(self.paths, "status", "--format", "json")))
        return told

    def log(self) -> str:
        """What the daemon logged so far."""
        return self.daemon.log.read_text()


@contextmanager
def world(folder: Path, *, nodes: int, words: Sequence[str] = ()) -> Iterator[World]:
    """A site with so many nodes, its network, and a daemon not yet started; `words` go before its command."""
    paths = Paths.below(folder / "site")
    machines = scratch.clients(nodes)
    loader = scratch.write_site(paths, machines, scratch.Sizes(loader=16 << 10, root=256 << 10))
    plan = Plan(
        head=str(scratch.HEAD.ip), relay=str(scratch.RELAY), think=_QUICK, loader_sha256=loader, patience=_PATIENCE
    )
    with Namespace() as head, cabled(head, machines) as clients:
        command = DaemonCommand.serve(paths)
        command = replace(command, words=(*words, *command.words), timeout=_START_SECONDS)
        daemon = LabDaemon(head, command, folder / "daemon.log")
        yield World(head, clients, folder, paths, daemon, machines, plan)


def until(holds: Any, *, patience: float = 120.0) -> None:
    """Wait until something holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"{holds} does not hold after {patience:g} s"
        time.sleep(0.05)

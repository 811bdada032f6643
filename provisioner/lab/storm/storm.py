"""Raises a storm: a site and a daemon of its own, or a lab that is up, and processes of clients against it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, UnavailableError
from provisioner.events.history import History
from provisioner.lab.daemon import DaemonCommand, LabDaemon
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.lab.storm import scratch
from provisioner.lab.storm.cabling import add_routes, cable
from provisioner.lab.storm.outcome import Outcome
from provisioner.lab.storm.plan import Client, Plan, write_crowd
from provisioner.lab.storm.result import Bill, Crowded, Result
from provisioner.lab.storm.scratch import Sizes
from provisioner.lab.storm.usage import Usage

_LOOK_SECONDS = 0.25
_START_SECONDS = 600.0
_SETTLE_SECONDS = 30.0
_GRACE_SECONDS = 60.0

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do: so many machines in so many processes; the daemon is killed `kills` times on the way."""

    nodes: int
    plan: Plan
    sizes: Sizes = field(default_factory=Sizes)
    processes: int = 1
    kills: int = 0


def storm(wanted: Wanted, folder: Path, told: Told = lambda _line: None) -> Result:
    """Raise a storm over a site of its own below a folder, where logs and outcomes stay; `told` hears how it goes.

    ConflictError when there is something in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConflictError(f"{folder} is not empty", hint=f"rm -r {folder}")
    paths = Paths.below(folder / "site")
    machines = scratch.clients(wanted.nodes)
    loader = scratch.write_site(paths, machines, wanted.sizes)
    wanted = replace(wanted, plan=replace(wanted.plan, loader_sha256=loader))
    told(f"the site is written: {wanted.nodes} nodes in {paths.site}")
    with Namespace() as head, cabled(head, machines, wanted.processes) as clients:
        command = replace(DaemonCommand.serve(paths), timeout=_START_SECONDS)
        daemon = LabDaemon(head, command, folder / "daemon.log")
        daemon.start()
        try:
            told("the daemon serves; the nodes are switched on")
            return replace(Storm(wanted, folder, paths, daemon, told).run(clients, machines), sizes=wanted.sizes)
        finally:
            daemon.stop()


@contextmanager
def cabled(head: Namespace, machines: Sequence[Client], processes: int = 1) -> Iterator[Namespace]:
    """A namespace for the machines with a cable to the head's, whose end `storm0` has the head's address."""
    prefix, relay = scratch.HEAD.network.prefixlen, scratch.RELAY
    with cable(head.first.pid, relay=relay, prefix=prefix) as clients:
        head.run(["ip", "address", "add", str(scratch.HEAD), "dev", "storm0"])
        for number in range(1, processes):
            clients.run(["ip", "address", "add", f"{relay + number}/{prefix}", "dev", "uplink"])
        addresses = [IPv4Address(each.address) for each in machines]
        add_routes(head.first.pid, clients, addresses, relay)
        yield clients


def start_clients(
    namespace: Namespace, folder: Path, name: str, plan: Plan, machines: Sequence[Client]
) -> Process:
    """Start a process of clients, with its files in a folder: outcomes-NAME, progress-NAME, clients-NAME.log."""
    crowd = folder / f"crowd-{name}.json"
    write_crowd(crowd, plan, machines)
    files = (crowd, folder / f"outcomes-{name}", folder / f"progress-{name}")
    command = (sys.executable, "-m", "provisioner", "lab", "storm-clients", *map(str, files))
    with (folder / f"clients-{name}.log").open("wb") as output:
        return namespace.spawn(command, output=output, cwd=folder)


class Storm:
    """Runs the clients and looks at the daemon meanwhile."""

    def __init__(self, wanted: Wanted, folder: Path, paths: Paths, daemon: LabDaemon, told: Told) -> None:
        self._wanted = wanted
        self._folder = folder
        self._paths = paths
        self._daemon = daemon
        self._told = told
        self._usage = Usage()
        self._outages: list[float] = []

    def run(self, namespace: Namespace, machines: Sequence[Client]) -> Result:
        """Boot all machines and wait for the last one. UnavailableError when the clients themselves end early."""
        began = time.monotonic()
        count = self._wanted.processes
        crowds = [self._start(namespace, number, machines[number::count]) for number in range(count)]
        self._follow(crowds, began + self._wanted.plan.spread + self._wanted.plan.patience + _GRACE_SECONDS)
        seconds = time.monotonic() - began
        outcomes = [
            Outcome.read(line) for file in self._files("outcomes") for line in file.read_text().splitlines()
        ]
        if len(outcomes) != len(machines):
            message = f"{len(machines) - len(outcomes)} of {len(machines)} clients told nothing of their boots"
            raise UnavailableError(message, hint=f"less {self._folder / 'clients-0.log'}")
        crowded = [_crowded(file) for file in self._files("progress")]
        return Result(outcomes, crowded, self._bill(), seconds, self._ready())

    def _start(self, namespace: Namespace, number: int, machines: Sequence[Client]) -> Process:
        relay = str(IPv4Address(self._wanted.plan.relay) + number)
        plan = replace(self._wanted.plan, relay=relay, seed=self._wanted.plan.seed + number)
        return start_clients(namespace, self._folder, str(number), plan, machines)

    def _follow(self, crowds: Sequence[Process], deadline: float) -> None:
        kills = [number / (self._wanted.kills + 1) for number in range(1, self._wanted.kills + 1)]
        told = 0.0
        while any(crowd.running for crowd in crowds) and time.monotonic() < deadline:
            self._sample()
            done, ready = self._progress()
            if kills and done >= kills[0]:
                kills.pop(0)
                self._kill(done)
            if done >= told + 0.1:
                told = done
                self._told(f"{done:.0%} of all steps are done, {ready} nodes are ready")
            time.sleep(_LOOK_SECONDS)
        for crowd in crowds:
            crowd.end()
        self._sample()

    def _kill(self, done: float) -> None:
        self._told(f"kill -9 of the daemon, with {done:.0%} of all steps done")
        began = time.monotonic()
        self._daemon.kill()
        self._daemon.start()
        self._outages.append(time.monotonic() - began)
        self._told(f"it serves again after {self._outages[-1]:.1f} s")

    def _sample(self) -> None:
        process = self._daemon.process
        if process is not None and process.identity is not None:
            self._usage.sample(process.identity.pid)

    def _progress(self) -> tuple[float, int]:
        """How much of all steps is done, as a part of 1, and how many nodes are ready."""
        told = [json.loads(file.read_text()) for file in self._files("progress")]
        return sum(each["steps"] for each in told) / self._wanted.processes, sum(each["ready"] for each in told)

    def _files(self, kind: str) -> list[Path]:
        files = (self._folder / f"{kind}-{number}" for number in range(self._wanted.processes))
        return [file for file in files if file.exists()]

    def _bill(self) -> Bill:
        usage = self._usage
        return Bill(usage.front, usage.others, usage.memory, usage.front_memory, tuple(self._outages))

    def _ready(self) -> int:
        """How many nodes the head node's record calls ready; what it hears is on the disk a moment later."""
        history, deadline = History(self._paths.events), time.monotonic() + _SETTLE_SECONDS
        while True:
            ready = sum(boot.state == "ready" for boot in history.latest_boots().values())
            if ready >= self._wanted.nodes or time.monotonic() >= deadline:
                return ready
            time.sleep(_LOOK_SECONDS)


def _crowded(file: Path) -> Crowded:
    told = json.loads(file.read_text())
    return Crowded(told["cpu"], told["seconds"], told["late"])

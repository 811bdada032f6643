"""DNS: answers per CPU-second and per second by dnsperf, ours against dnsmasq's for the same names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.peers import listens
from tests.support.rig import HEAD, Rig, Server, address_of, daemon, name_of, rig, running, write_nodes

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.needs("dnsmasq"),
    pytest.mark.usefixtures("one_core"),
]

NODES = 10_000
QUERIES = 100_000
FEW = 40
_PORTS = {"ours": 53, "dnsmasq": 5353}


@dataclass(frozen=True)
class Run:
    """What one run of dnsperf said, and the processor time of the server meanwhile."""

    answered: int
    lost: int
    seconds: float
    cpu: float

    @property
    def each(self) -> float:
        """CPU-microseconds an answer."""
        return self.cpu * 1e6 / self.answered


def test_an_answer_costs_so_much_of_dnsmasq(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    write_nodes(paths, NODES)
    add_generation(paths)
    loads = _loads(tmp_path)
    runs: dict[tuple[str, str], Run] = {}
    with rig() as place:
        with daemon(place.home, paths) as server:
            _measure(place, server, "ours", loads, runs)
        with _dnsmasq(place, tmp_path) as server:
            _measure(place, server, "dnsmasq", loads, runs)

    print(f"\nDNS, {NODES} nodes, {QUERIES} queries by dnsperf, client and servers on one core:")
    print(
        f"  {'questions':<34}{'server':<9}{'us CPU':>8}{'answers/s':>11}{'lost':>6}{'ours/dnsmasq per CPU-s':>24}"
    )
    for load in loads:
        ours, theirs = runs["ours", load], runs["dnsmasq", load]
        for name, each in (("ours", ours), ("dnsmasq", theirs)):
            ratio = f"{theirs.each / ours.each:.2f}" if name == "ours" else ""
            speed = each.answered / each.seconds
            print(f"  {load:<34}{name:<9}{each.each:>8.1f}{speed:>11.0f}{each.lost:>6}{ratio:>24}")
    assert all(each.answered > QUERIES * 0.99 for each in runs.values())


def _loads(folder: Path) -> dict[str, Path]:
    """Questions of nodes that start: the same few names from all; any name of 10,000; and addresses, and typos."""
    random = Random(77)
    some = [random.randint(1, NODES) for _ in range(QUERIES // 10)]
    every = [f"{name_of(n)}.cluster.local A" for n in some]
    mixed = [
        f"{name_of(n)}.cluster.local {kind}"
        if kind in {"A", "AAAA"}
        else f"{address_of(n).reverse_pointer} PTR"
        if kind == "PTR"
        else f"x{n}.cluster.local A"
        for n, kind in ((n, random.choice(["A", "AAAA", "PTR", "none"])) for n in some)
    ]
    texts = {f"{FEW} names": every[:FEW], "any of 10,000 names": every, "names, addresses, typos": mixed}
    found = {}
    for number, (label, lines) in enumerate(texts.items()):
        found[label] = folder / f"queries{number}"
        found[label].write_text("\n".join(lines) + "\n")
    return found


def _measure(
    place: Rig, server: Server, name: str, loads: dict[str, Path], runs: dict[tuple[str, str], Run]
) -> None:
    for label, file in loads.items():
        before = server.cpu_seconds()
        text = place.clients.run(
            [
                "dnsperf",
                "-s",
                str(HEAD.ip),
                "-p",
                str(_PORTS[name]),
                "-d",
                file,
                "-n",
                str(_rounds(file)),
                "-q",
                "50",
            ],
            timeout=300,
        )
        cpu = server.cpu_seconds() - before
        runs[name, label] = Run(
            _number("Queries completed", text), _number("Queries lost", text), _seconds(text), cpu
        )


def _rounds(file: Path) -> int:
    return QUERIES // len(file.read_text().splitlines())


def _number(what: str, text: str) -> int:
    found = re.search(rf"{what}: +(\d+)", text)
    assert found, text
    return int(found[1])


def _seconds(text: str) -> float:
    found = re.search(r"Run time \(s\): +([\d.]+)", text)
    assert found, text
    return float(found[1])


@contextmanager
def _dnsmasq(place: Rig, folder: Path) -> Iterator[Server]:
    config = folder / "dnsmasq.conf"
    numbers = range(1, NODES + 1)
    hosts = folder / "hosts"
    hosts.write_text("".join(f"{address_of(n)} {name_of(n)}.cluster.local\n" for n in numbers))
    config.write_text("local=/cluster.local/\nlocal=/66.10.in-addr.arpa/\n")
    settings = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="]
    command = ["dnsmasq", *settings, "--port=5353", f"--addn-hosts={hosts}", f"--conf-file={config}"]
    with running(
        place.home, command, log=folder / "dnsmasq.log", ready=listens(place.home, "udp", 5353)
    ) as server:
        yield server

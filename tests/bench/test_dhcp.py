"""DHCP: what an exchange (DISCOVER, OFFER, REQUEST, ACK) costs and how long it takes, beside Kea and dnsmasq."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.events.history import History
from tests.support.daemon import add_generation
from tests.support.load import DhcpLoad
from tests.support.packets import IPXE_BIOS, demo
from tests.support.peers import dnsmasq, kea
from tests.support.perfdhcp import perfdhcp
from tests.support.resolved import catalogue
from tests.support.rig import Rig, Server, daemon, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root]

NODES = 1000
EXCHANGES = 10_000
MANY = 10_000
RATE = 5000
SECONDS = 20
_QUIET = 0.05


@pytest.mark.usefixtures("one_core")
def test_an_exchange_costs_so_much_of_kea(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    write_nodes(paths, NODES)
    add_generation(paths)
    with rig() as place:
        with daemon(place.home, paths) as server:
            _wait_until_idle(server)
            ours = _microseconds(place, server)
        with kea(place.home, place.ours, tmp_path, nodes=NODES) as server:
            theirs = _microseconds(place, server)
    pure = _pure_microseconds()

    assert len(History(paths.events).recent(limit=10)) == 10, "our server recorded nothing"
    print(
        f"\nDHCP, {EXCHANGES} exchanges of {NODES} machines, CPU-microseconds an exchange:"
        f"\n  first:       ours {ours[0]:.0f} (codec and policy {pure:.0f}), Kea {theirs[0]:.0f}"
        f"\n  asked again: ours {ours[1]:.0f} with 4 events on disk, Kea {theirs[1]:.0f}"
        f"\n  exchanges per CPU-second, ours to Kea: {theirs[0] / ours[0]:.2f}, again {theirs[1] / ours[1]:.2f}"
    )


@pytest.mark.timeout(900)
def test_ten_thousand_machines_at_five_thousand_exchanges_a_second(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    write_nodes(paths, MANY)
    add_generation(paths)
    rows: list[str] = []
    with rig() as place:
        with daemon(place.home, paths) as server:
            _wait_until_idle(server)
            rows += [_row(each, place, server, tmp_path) for each in ("ours, first", "ours, again", "ours, again")]
            with _edits_of_all_nodes(paths):
                rows.append(_row("ours, with all nodes rendered", place, server, tmp_path))
        for name, peer in (("Kea", kea), ("dnsmasq", dnsmasq)):
            with peer(place.home, place.ours, tmp_path, nodes=MANY) as server:
                rows += [_row(f"{name}, {which}", place, server, tmp_path) for which in ("first", "again")]
    print(
        f"\nDHCP by perfdhcp, {MANY} machines, {RATE} exchanges a second asked for, {SECONDS} s:"
        f"\n  {'':32}{'done':>8}{'drops':>8}{'CPU-us':>8}{'p50 ms':>8}{'p99 ms':>8}\n" + "\n".join(rows)
    )


def _row(name: str, place: Rig, server: Server, folder: Path) -> str:
    """One line of the table; processor time of the program that answers, without its workers."""
    before = next(iter(server.cpu_by_process().values()))
    load = perfdhcp(place, folder, machines=MANY, rate=RATE, seconds=SECONDS)
    # The events of the last exchanges are written a moment later, and belong to the bill.
    time.sleep(0.5)
    spent = next(iter(server.cpu_by_process().values())) - before
    assert load.exchanges, f"{name} answered nothing"
    numbers = f"{load.exchanges:>8}{load.drops:>8}{spent * 1e6 / load.exchanges:>8.0f}"
    return f"  {name:32}{numbers}{load.percentile(0.5):>8.2f}{load.percentile(0.99):>8.2f}"


@contextmanager
def _edits_of_all_nodes(paths: Paths) -> Iterator[None]:
    """Edit what every node has, over and over: all are resolved again, and their overlays rendered."""
    ended = threading.Event()
    file = paths.group_files / "compute.yaml"
    text = file.read_text()

    def edit() -> None:
        number = 0
        while not ended.wait(2):
            number += 1
            fresh = file.with_suffix(".new")
            fresh.write_text(f"{text}    tags: {{edit: t{number}}}\n")
            fresh.replace(file)

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait_until_idle(server: Server) -> None:
    """Wait until the daemon has tried the overlays of all nodes, which it does after its start."""
    spent = -1.0
    while server.cpu_seconds() - spent > _QUIET:
        spent = server.cpu_seconds()
        time.sleep(1)


def _microseconds(place: Rig, server: Server) -> tuple[float, float]:
    """Of an exchange of a machine that was never heard of, and of one that asks the same again."""
    with place.clients.entered():
        load = DhcpLoad(NODES)
    try:
        spent = []
        for exchanges in (NODES, EXCHANGES):
            before = next(iter(server.cpu_by_process().values()))
            load.run(exchanges)
            # The events of the last exchanges are written a moment later, and belong to the bill.
            time.sleep(0.5)
            spent.append((next(iter(server.cpu_by_process().values())) - before) * 1e6 / exchanges)
        return spent[0], spent[1]
    finally:
        load.close()


def _pure_microseconds(count: int = 5000) -> float:
    context = Context(demo(), catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), now=1000.0)
    chosen = {50: bytes((10, 77, 0, 11)), 54: bytes((10, 77, 0, 1))}
    pair = (IPXE_BIOS.datagram(1), IPXE_BIOS.datagram(3, extra=chosen))
    started = time.process_time()
    for _ in range(count):
        for datagram in pair:
            reply = answer(decode(datagram), context).reply
            assert reply is not None
            encode(reply)
    return (time.process_time() - started) * 1e6 / count

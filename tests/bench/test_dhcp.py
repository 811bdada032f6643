"""DHCP: processor time of one exchange (DISCOVER, OFFER, REQUEST, ACK), ours against Kea's."""

from __future__ import annotations

import time
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
from tests.support.peers import kea
from tests.support.resolved import catalogue
from tests.support.rig import Rig, Server, daemon, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.usefixtures("one_core")]

NODES = 1000
EXCHANGES = 10_000


def test_an_exchange_costs_so_much_of_kea(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    write_nodes(paths, NODES)
    add_generation(paths)
    with rig() as place:
        with daemon(place.home, paths) as server:
            ours = _microseconds(place, server)
        with kea(place.home, place.ours, tmp_path, nodes=NODES) as server:
            theirs = _microseconds(place, server)
    pure = _pure_microseconds()

    assert len(History(paths.events).recent(limit=10)) == 10, "our server recorded nothing"
    print(
        f"\nDHCP, {EXCHANGES} exchanges of {NODES} machines, CPU-microseconds an exchange:"
        f"\n  ours {ours:.0f} (of which codec and policy {pure:.0f}; the rest is sockets and events on the disk)"
        f"\n  Kea  {theirs:.0f} (leases in memory, no events)"
        f"\n  exchanges per CPU-second, ours to Kea: {theirs / ours:.2f}"
    )


def _microseconds(place: Rig, server: Server) -> float:
    with place.clients.entered():
        load = DhcpLoad(NODES)
    try:
        load.run(NODES)
        before = server.cpu_seconds()
        load.run(EXCHANGES)
        # The events of the last exchanges are written a moment later, and belong to the bill.
        time.sleep(0.5)
        return (server.cpu_seconds() - before) * 1e6 / EXCHANGES
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

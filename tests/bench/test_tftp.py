"""TFTP: loaders per second of the server's processor time, ours against tftpd-hpa's; and ten thousand at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.cputime import cpu_seconds, since
from tests.support.daemon import add_generation
from tests.support.peers import tftpd
from tests.support.rig import HEAD, RELAY, Rig, Server, daemon, rig, write_nodes
from tests.support.tftpcrowd import crowd
from tests.support.tftpload import Order, fetch_together

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("one_core"),
]

SIZE = 1_000_000
LOADER, SMALL = "ipxe.efi", "undionly.kpxe"
SERVER = (str(HEAD.ip), 69)
CLIENTS = IPv4Network("10.66.128.0/17")
CROWD = 10_000
CROWD_SIZE = 8_000
BLOCKS = (512, 1468)
# Clients at once, and how often.
CROWDS = ((1, 50), (200, 1))
QUIET = 0.05
QUIET_WITHIN = 60


def test_a_loader_costs_so_much_of_tftpd_hpa(tmp_path: Path) -> None:
    with site(tmp_path) as (place, paths):
        with daemon(place.home, paths) as server:
            settle(server)
            ours = {
                (block, clients, window): loaders(
                    place, server, Order(LOADER, SIZE, block, window), clients, times
                )
                for block in BLOCKS
                for clients, times in CROWDS
                for window in (1, 16)
            }
        with tftpd(place.home, paths.state / "loaders") as server:
            theirs = {
                (block, clients): loaders(place, server, Order(LOADER, SIZE, block), clients, times)
                for block in BLOCKS
                for clients, times in CROWDS
            }

    print(
        f"\nTFTP, loaders of {SIZE / 1e6:.0f} MB per CPU-second of the server"
        "\nblock  clients  tftpd-hpa  ours, lock-step (to hold: 0.6)  ours, windowsize 16 (to hold: 1.5)"
    )
    for (block, clients), peer in theirs.items():
        lock_step, windowed = ours[block, clients, 1], ours[block, clients, 16]
        print(
            f"{block:5}  {clients:7}  {peer:9.0f}  {lock_step:4.0f} = {lock_step / peer:5.2f}"
            f"                    {windowed:4.0f} = {windowed / peer:5.2f}"
        )


def test_ten_thousand_transfers_are_held_at_once(tmp_path: Path) -> None:
    content, uses = os.urandom(CROWD_SIZE), []
    with site(tmp_path) as (place, paths):
        (paths.state / "loaders" / SMALL).write_bytes(content)
        with daemon(place.home, paths) as server:
            settle(server)
            idle, before, began = memory(server), cpu_seconds(pid(server)), time.monotonic()
            with place.clients.entered(), crowd(SERVER, addresses(CROWD)) as clients:
                clients.read(SMALL, content, 512, midway=lambda: uses.append(memory(server)))
            used, took = since(before, cpu_seconds(pid(server))), time.monotonic() - began
    packets = CROWD * (CROWD_SIZE // 512 + 2)
    print(
        f"\nTFTP, {CROWD} transfers under way at once, each of {CROWD_SIZE} octets in lock-step: all complete"
        f" in {took:.0f} s"
        f"\n  server: {used / packets * 1e6:.0f} CPU-microseconds a packet, events included;"
        f" {(uses[0] - idle) / CROWD / 1e3:.1f} kB a transfer"
    )


@contextmanager
def site(folder: Path) -> Iterator[tuple[Rig, Paths]]:
    """A site with a loader of its own, and room for many clients at the other end of the cable."""
    paths = Paths.below(folder / "site")
    write_nodes(paths, 1)
    add_generation(paths)
    (paths.state / "loaders").mkdir(parents=True)
    (paths.state / "loaders" / LOADER).write_bytes(os.urandom(SIZE))
    with rig() as place:
        place.clients.ip("route", "add", "local", str(CLIENTS), "dev", "lo")
        # Behind a router: the kernel's table of neighbours holds 1,024.
        place.home.ip("route", "add", str(CLIENTS), "via", str(RELAY))
        yield place, paths


def loaders(place: Rig, server: Server, order: Order, clients: int, times: int) -> float:
    """Loaders per CPU-second when so many clients fetch at once."""
    own = [str(address) for address in addresses(clients)]
    with place.clients.entered():
        used = sum(_bill_of_one(server, order, own) for _ in range(times))
    return clients * times / used


def _bill_of_one(server: Server, order: Order, own: Sequence[str]) -> float:
    bills = [cpu_seconds(pid(server))]
    fetch_together(SERVER, order, own, before_last=lambda: bills.append(cpu_seconds(pid(server))))
    return since(*bills)


def addresses(count: int) -> Sequence[IPv4Address]:
    """Addresses of clients."""
    return [CLIENTS.network_address + 1 + number for number in range(count)]


def settle(server: Server) -> None:
    """Wait until the daemon has done what it does at its start, such as trying all overlays."""
    deadline, before = time.monotonic() + QUIET_WITHIN, cpu_seconds(pid(server))
    while time.monotonic() < deadline:
        time.sleep(2)
        after = cpu_seconds(pid(server))
        if since(before, after) < QUIET:
            return
        before = after
    raise AssertionError("the daemon does not come to rest")


def pid(server: Server) -> int:
    """The server's own process."""
    return next(iter(server.cpu_by_process()))


def memory(server: Server) -> int:
    """Bytes that the server's own process has for itself."""
    return server.memory()[pid(server)]

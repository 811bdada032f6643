"""Thousands of clients at once, honest ones and others."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.model.event import Event
from provisioner.model.tally import Tally
from provisioner.tftp.account import MAX_WARNINGS
from provisioner.tftp.server import MAX_SESSIONS, TftpServer
from provisioner.tftp.table import Table
from tests.support.packets import demo
from tests.support.tftpcrowd import Crowd, crowd

pytestmark = [pytest.mark.integration, pytest.mark.needs("curl")]

HOST = "127.0.0.1"
LOADER = os.urandom(40_000)
SMALL = os.urandom(3_000)
FORGED = MAX_SESSIONS + 4_000
PARTY = 100


def addresses(count: int, first: str = "127.64.0.1") -> list[IPv4Address]:
    return [IPv4Address(first) + number for number in range(count)]


@dataclass
class Bed:
    """A server on loopback, and what it told."""

    server: TftpServer
    events: list[Event]
    tally: Tally

    @property
    def place(self) -> tuple[str, int]:
        return HOST, self.server.port


@pytest.fixture(autouse=True)
def _open_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def server_for(events: list[Event], tally: Tally, *, one_port: bool = False) -> TftpServer:
    return TftpServer(
        address=IPv4Address(HOST),
        port=0,
        table=Table({"loader": LOADER, "small": SMALL}),
        snapshot=demo,
        mac_of=lambda _address: None,
        record=events.append,
        tally=tally,
        one_port=lambda: one_port,
    )


PORTS = pytest.mark.parametrize("bed", [False, True], ids=["a port for each transfer", "one port"], indirect=True)


@pytest.fixture
async def bed(request: pytest.FixtureRequest) -> AsyncIterator[Bed]:
    events: list[Event] = []
    tally = Tally()
    server = server_for(events, tally, one_port=getattr(request, "param", False))
    await server.start()
    yield Bed(server, events, tally)
    await server.close()


@PORTS
async def test_a_thousand_transfers_are_under_way_at_once(bed: Bed) -> None:
    with crowd(bed.place, addresses(1000)) as clients:
        await asyncio.to_thread(clients.read, "small", SMALL, 512)
        await quiet(bed.server)

    assert bed.tally.count("tftp_transfers", "done") == 1000
    assert bed.tally.count("tftp_bytes") == 1000 * len(SMALL)
    assert {event.name for event in bed.events} == {"loader.sent"}


async def test_a_server_with_few_open_files_serves_the_rest_from_the_one_port() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, most))
    tally = Tally()
    server = server_for([], tally)
    await server.start()
    with crowd((HOST, server.port), addresses(300)) as clients:
        await asyncio.to_thread(clients.read, "small", SMALL, 512)
        await quiet(server)
    await server.close()

    assert tally.count("tftp_transfers", "done") == 300


@PORTS
async def test_half_open_transfers_keep_nobody_out(bed: Bed, tmp_path: Path) -> None:
    target = tmp_path / "loader"
    with crowd(bed.place, addresses(FORGED)) as forgers:
        await flood(bed, forgers, FORGED)
        assert bed.tally.count("tftp_transfers", "evicted") == FORGED - MAX_SESSIONS
        command: list[str | os.PathLike[str]] = [
            "curl",
            "-sS",
            "-o",
            target,
            f"tftp://{HOST}:{bed.server.port}/loader",
        ]
        await asyncio.to_thread(run, command, timeout=30)

    assert bed.server.under_way > 10_000
    assert target.read_bytes() == LOADER
    assert "loader.sent" in {event.name for event in bed.events}


@pytest.mark.slow
async def test_half_open_transfers_end_by_themselves_and_say_so_a_few_times(bed: Bed) -> None:
    with crowd(bed.place, addresses(500)) as forgers:
        await flood(bed, forgers, 500)
        await quiet(bed.server)

    assert bed.tally.count("tftp_transfers", "unheard") == 500
    assert {event.name for event in bed.events} == {"loader.unheard"}
    assert MAX_WARNINGS <= len(bed.events) < 500


async def quiet(server: TftpServer) -> None:
    """Wait until nothing is under way any more."""
    # Whoever never answers is given up after some twenty seconds.
    async with asyncio.timeout(90):
        while server.under_way:
            await asyncio.sleep(0.02)


async def flood(bed: Bed, forgers: Crowd, count: int) -> None:
    """So many ask, in parties that the server's socket can hold."""
    for start in range(0, count, PARTY):
        forgers.ask("loader", slice(start, min(start + PARTY, count)))
        async with asyncio.timeout(30):
            while bed.server.under_way + bed.tally.count("tftp_transfers", "evicted") < min(start + PARTY, count):
                await asyncio.sleep(0)

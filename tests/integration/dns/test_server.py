from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address

import pytest
from dnslib import DNSRecord

from provisioner.dns.desk import Desk
from provisioner.dns.forward import Forwarder
from provisioner.dns.guard import Budget
from provisioner.dns.server import DnsServer
from provisioner.dns.stream import Limits, Streams
from provisioner.errors import UnavailableError
from provisioner.host.run import run
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from tests.support.packets import demo, interface, node, snapshot

pytestmark = [pytest.mark.integration, pytest.mark.needs("dig")]

HOST = "127.0.0.1"


class Site:
    """A site whose snapshot a test can swap."""

    def __init__(self) -> None:
        self.snapshot = demo()

    def current(self) -> Snapshot:
        return self.snapshot


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def server(site: Site) -> AsyncIterator[DnsServer]:
    started = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current)
    await started.start()
    yield started
    await started.close()


async def dig(server: DnsServer, *words: str) -> str:
    base = ["dig", f"@{HOST}", "-p", str(server.port), "+tries=1", "+time=15"]
    return await asyncio.to_thread(run, [*base, *words], timeout=60)


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("n001.cluster.local",), "10.77.0.11"),
        (("N001.CLUSTER.LOCAL", "AAAA"), "fd77::11"),
        (("n001-eth1.cluster.local",), "10.77.0.111"),
        (("-x", "10.77.0.11"), "n001.cluster.local."),
        (("cluster.local", "NS"), "provisioner.cluster.local."),
    ],
)
async def test_dig_gets_the_record(
    server: DnsServer, transport: str, words: tuple[str, ...], expected: str
) -> None:
    assert await dig(server, "+short", transport, *words) == f"{expected}\n"


@pytest.mark.parametrize(
    ("name", "status", "soa"),
    [
        ("n009.cluster.local", "NXDOMAIN", True),
        ("n002.cluster.local", "NOERROR", True),
        ("example.org", "REFUSED", False),
    ],
)
async def test_dig_reads_the_status(server: DnsServer, name: str, status: str, *, soa: bool) -> None:
    shown = await dig(server, name, "TXT")

    assert f"status: {status}" in shown
    assert ("SOA\tprovisioner.cluster.local. hostmaster.cluster.local." in shown) is soa
    assert "WARNING: Message has" not in shown


async def test_dig_asks_again_by_tcp_when_the_reply_was_truncated(server: DnsServer, site: Site) -> None:
    many = {f"net{n}": {"cidr": f"10.{n}.0.0/16", "server": f"10.{n}.0.1"} for n in range(100)}
    site.snapshot = _with_networks(many)

    shown = await dig(server, "+noedns", "provisioner.cluster.local")

    assert "Truncated, retrying in TCP mode" in shown
    assert shown.count("\tA\t10.") == 100


async def test_a_client_that_takes_no_replies_is_cut_off(site: Site) -> None:
    many = {f"net{n}": {"cidr": f"10.{n}.0.0/16", "server": f"10.{n}.0.1"} for n in range(100)}
    site.snapshot, ended = _with_networks(many), asyncio.Event()
    desk = Desk(site.current, lambda _revision: 1)
    streams = Streams(desk, Forwarder(tuple), Tally(), Limits(idle_seconds=0.3))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await streams.serve(reader, writer)
        ended.set()

    with socket.create_server((HOST, 0)) as listening, socket.socket() as client:
        # Small ones, so that replies wait in the server and not in the kernel.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server = await asyncio.start_server(serve, sock=listening)
        client.connect(listening.getsockname())
        question = DNSRecord.question("provisioner.cluster.local").pack()
        client.sendall((len(question).to_bytes(2, "big") + question) * 100)
        await asyncio.wait_for(ended.wait(), 10)

        taken = await asyncio.to_thread(_drained, client)
        server.close()
    # What the kernel had, and not the 64 KiB that asyncio keeps for a connection.
    assert 0 < taken < 1 << 16


def _drained(client: socket.socket) -> int:
    """How many octets come until the other side has ended."""
    client.settimeout(10)
    taken = 0
    while piece := client.recv(1 << 16):
        taken += len(piece)
    return taken


def _with_networks(written: dict[str, dict[str, str]]) -> Snapshot:
    base = demo()
    site = base.site.model_validate({"cluster": "demo", "networks": written})
    return Snapshot.build("2", site, [])


async def test_an_edit_is_effective_at_the_next_question(server: DnsServer, site: Site) -> None:
    assert await dig(server, "+short", "n500.cluster.local") == ""

    site.snapshot = snapshot(node("n500", interface("eth0", "10.77.0.50/24")))

    assert await dig(server, "+short", "n500.cluster.local") == "10.77.0.50\n"


async def test_hostile_datagrams_stop_nothing(server: DnsServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        for size in (0, 1, 11, 12, 13, 100, 512, 513, 4000):
            opened.sendto(os.urandom(size), (HOST, server.port))

    assert await dig(server, "+short", "n001.cluster.local") == "10.77.0.11\n"


async def test_hostile_streams_stop_nothing(server: DnsServer) -> None:
    for data in (b"", b"\0", b"\0\0", b"\xff\xff" + os.urandom(100), b"\0\x0c" + os.urandom(12)):
        _, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(data)
        writer.close()
        await writer.wait_closed()

    assert await dig(server, "+short", "+tcp", "n001.cluster.local") == "10.77.0.11\n"


async def test_idle_clients_are_sent_away_and_too_many_are_not_taken(site: Site) -> None:
    limits = Limits(connections=2, idle_seconds=3)
    server = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current, limits=limits)
    await server.start()
    opened = [await asyncio.open_connection(HOST, server.port) for _ in range(3)]
    try:
        async with asyncio.timeout(30):
            assert await opened[2][0].read(1) == b""
            assert [reader.at_eof() for reader, _ in opened] == [False, False, True]
            assert [await reader.read(1) for reader, _ in opened[:2]] == [b"", b""]
    finally:
        for _, writer in opened:
            writer.close()
        await server.close()


async def test_a_connection_carries_a_bounded_number_of_queries(site: Site) -> None:
    server = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current, limits=Limits(queries=2))
    await server.start()
    reader, writer = await asyncio.open_connection(HOST, server.port)
    query = bytes(DNSRecord.question("n001.cluster.local").pack())
    writer.write((len(query).to_bytes(2, "big") + query) * 3)
    try:
        async with asyncio.timeout(30):
            received = await reader.read()
    finally:
        writer.close()
        await server.close()

    assert received.count(bytes((10, 77, 0, 11))) == 2


async def test_closing_with_a_client_at_the_line_may_be_repeated(server: DnsServer) -> None:
    _, writer = await asyncio.open_connection(HOST, server.port)
    await asyncio.sleep(0.05)

    await server.close()
    await server.close()

    writer.close()
    with pytest.raises(OSError, match=r"."):
        await asyncio.open_connection(HOST, server.port)


async def test_a_port_that_is_taken_is_an_error_that_names_it(server: DnsServer) -> None:
    other = DnsServer(address=IPv4Address(HOST), port=server.port, snapshot=demo)

    with pytest.raises(UnavailableError, match=f"{HOST}:{server.port}"):
        await other.start()
    await other.close()


async def test_over_ipv6_the_same_is_answered(site: Site) -> None:
    server = DnsServer(address=IPv6Address("::1"), port=0, snapshot=site.current)
    await server.start()
    try:
        for transport in ("+notcp", "+tcp"):
            words = ["dig", "@::1", "-p", str(server.port), "+tries=1", "+time=15", "+short", transport]
            told = await asyncio.to_thread(run, [*words, "n001.cluster.local"], timeout=60)
            assert told == "10.77.0.11\n"
    finally:
        await server.close()


async def test_who_asks_too_often_for_long_replies_is_sent_to_tcp(site: Site) -> None:
    """A forged sender cannot make us flood somebody with more than was sent to us."""
    budget = Budget(lambda: 0.0, octets=1000)
    server = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current, budget=budget)
    await server.start()
    query = bytes(DNSRecord.question("cluster.local", "ANY").pack())
    loop = asyncio.get_running_loop()
    sizes = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        client.connect((HOST, server.port))
        async with asyncio.timeout(30):
            for _ in range(50):
                client.send(query)
                sizes.append(len(await loop.sock_recv(client, 4096)))

    await server.close()

    surplus = sizes[0] - 2 * len(query)
    assert surplus > 0
    assert sizes == [sizes[0]] * (1000 // surplus) + [len(query)] * (50 - 1000 // surplus)


async def test_nonsense_is_counted_and_costs_one_line_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally()
    server = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current, tally=tally)
    await server.start()
    caplog.set_level(logging.INFO)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(200):
            client.sendto(b"nonsense that is long enough", (HOST, server.port))
        async with asyncio.timeout(30):
            while tally.count("dns_queries", "formerr") < 200:
                await asyncio.sleep(0.01)
    await server.close()

    assert [record.getMessage() for record in caplog.records if record.name.startswith("provisioner")] == [
        f"DNS: {HOST} sends what is no DNS query; more like it is only counted"
    ]


async def test_one_client_has_only_so_many_connections(site: Site) -> None:
    limits = Limits(client_connections=2)
    server = DnsServer(address=IPv4Address(HOST), port=0, snapshot=site.current, limits=limits)
    await server.start()
    opened = [await asyncio.open_connection(HOST, server.port) for _ in range(3)]
    try:
        async with asyncio.timeout(30):
            assert await opened[2][0].read(1) == b""
    finally:
        for _, writer in opened:
            writer.close()
        await server.close()

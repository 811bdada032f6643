from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from dnslib import QTYPE, RR, TXT, DNSRecord

from provisioner.dns.forward import Forwarder, Patience
from provisioner.dns.server import DnsServer
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from tests.support.packets import demo
from tests.support.upstream import Behaviour, Upstream, address, code, silent, upstreams

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"
# For forwarders that reply, and for those that never do.
SURE = Patience(seconds=30.0, rest=30.0, failure=30.0, questions=50, client_questions=10)
QUICK = replace(SURE, seconds=1.0)
NAME = "www.example.org"


class Bed:
    """Our server in front of forwarders, and a client of it."""

    def __init__(self, server: DnsServer, tally: Tally) -> None:
        self._server = server
        self.tally = tally

    async def ask(self, name: str = NAME, kind: str = "A") -> DNSRecord:
        """The reply to one question by UDP, which has to come."""
        packed = bytes(DNSRecord.question(name, kind).pack())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
            client.connect((HOST, self._server.port))
            client.send(packed)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(30):
                reply = await loop.sock_recv(client, 4096)
        assert reply[:2] == packed[:2]
        return DNSRecord.parse(reply)

    async def ask_by_tcp(self, *names: str) -> list[DNSRecord]:
        """The replies to questions on one connection, sent all at once."""
        reader, writer = await asyncio.open_connection(HOST, self._server.port)
        for name in names:
            packed = bytes(DNSRecord.question(name, "TXT").pack())
            writer.write(len(packed).to_bytes(2, "big") + packed)
        replies = []
        async with asyncio.timeout(30):
            for _ in names:
                size = int.from_bytes(await reader.readexactly(2), "big")
                replies.append(DNSRecord.parse(await reader.readexactly(size)))
        writer.close()
        await writer.wait_closed()
        return replies


@asynccontextmanager
async def bed(*behaviours: Behaviour, patience: Patience = SURE) -> AsyncIterator[tuple[Bed, list[Upstream]]]:
    async with upstreams(*behaviours) as (port, servers):
        snapshot = site([f"127.0.0.{number + 2}" for number in range(len(servers))])
        forwarder = Forwarder(lambda: snapshot.site.dns.forwarders, port=port, patience=patience)
        tally = Tally()
        server = DnsServer(
            address=ip_address(HOST), port=0, snapshot=lambda: snapshot, forwarder=forwarder, tally=tally
        )
        await server.start()
        try:
            yield Bed(server, tally), servers
        finally:
            await server.close()


def site(forwarders: list[str]) -> Snapshot:
    base = demo()
    written = {**base.site.model_dump(mode="json", exclude_unset=True), "dns": {"forwarders": forwarders}}
    return Snapshot.build("1", type(base.site).model_validate(written), base.nodes.values())


def found(reply: DNSRecord) -> tuple[int, list[str]]:
    return reply.header.rcode, [str(each.rdata) for each in reply.rr]


async def test_a_name_of_others_is_asked_once_and_then_known() -> None:
    async with bed(address(ttl=300)) as (place, (upstream,)):
        first = await place.ask()
        second = await place.ask(NAME.upper())

    assert found(first) == found(second) == (0, ["192.0.2.80"])
    assert len(upstream.asked) == 1
    assert (first.a.ttl, 200 < second.a.ttl <= 300, str(second.q.qname)) == (300, True, f"{NAME.upper()}.")
    assert (place.tally.count("dns_queries", "forwarded"), place.tally.count("dns_queries", "cached")) == (1, 1)


async def test_names_of_the_site_are_never_asked_of_others() -> None:
    async with bed(address()) as (place, (upstream,)):
        replies = [await place.ask(name) for name in ("n001.cluster.local", "n999.cluster.local")]
        replies.append(await place.ask("99.0.77.10.in-addr.arpa", "PTR"))

    assert [found(reply) for reply in replies] == [(0, ["10.77.0.11"]), (3, []), (3, [])]
    assert upstream.asked == []


@pytest.mark.parametrize("first", [silent, code(2), code(5), lambda _asked, _tcp: [b"nonsense"]])
async def test_where_the_first_forwarder_is_of_no_use_the_second_is_asked(first: Behaviour) -> None:
    async with bed(first, address("192.0.2.81"), patience=QUICK) as (place, _):
        assert found(await place.ask()) == (0, ["192.0.2.81"])


async def test_a_forwarder_that_was_silent_is_asked_last_for_a_while() -> None:
    async with bed(silent, address(), patience=QUICK) as (place, (dead, alive)):
        for number in range(5):
            await place.ask(f"www{number}.example.org")

    assert (len(dead.asked), len(alive.asked)) == (1, 5)


async def test_where_no_forwarder_replies_the_client_hears_so_and_nobody_is_asked_again_at_once() -> None:
    async with bed(silent, silent, patience=QUICK) as (place, servers):
        replies = [await place.ask() for _ in range(3)]

    assert [found(reply) for reply in replies] == [(2, [])] * 3
    assert [len(server.asked) for server in servers] == [1, 1]


async def test_a_name_that_does_not_exist_does_not_exist() -> None:
    async with bed(code(3), address()) as (place, (_, second)):
        assert found(await place.ask()) == (3, [])

    assert second.asked == []


def forged(change: Callable[[DNSRecord], Any]) -> Behaviour:
    """First a reply that was forged in one way, then the honest one."""

    def behave(asked: DNSRecord, tcp: bool) -> list[bytes]:
        (false,) = address("203.0.113.66")(asked, tcp)
        record = DNSRecord.parse(false)
        change(record)
        return [bytes(record.pack()), *address()(asked, tcp)]

    return behave


@pytest.mark.parametrize(
    "change",
    [
        lambda record: setattr(record.header, "id", record.header.id ^ 1),
        lambda record: setattr(record.q, "qname", "www.example.com"),
        lambda record: setattr(record.q, "qtype", QTYPE.AAAA),
        lambda record: setattr(record.header, "qr", 0),
    ],
)
async def test_a_forged_reply_is_passed_over(change: Callable[[DNSRecord], Any]) -> None:
    async with bed(forged(change)) as (place, _):
        assert found(await place.ask()) == (0, ["192.0.2.80"])


async def test_every_question_has_a_number_and_a_port_that_nobody_can_foresee() -> None:
    async with bed(address()) as (place, (upstream,)):
        for number in range(20):
            await place.ask(f"www{number}.example.org")

    assert len({port for _, port in upstream.asked}) > 15
    assert len({record.header.id for record, _ in upstream.asked}) > 15


async def test_a_reply_from_another_address_is_not_heard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.66", 0))

        async with bed(silent, patience=QUICK) as (place, (upstream,)):
            asking = asyncio.create_task(place.ask())
            while not upstream.asked:
                await asyncio.sleep(0.005)
            record, port = upstream.asked[0]
            (false,) = address("203.0.113.66")(record, False)
            other.sendto(false, (HOST, port))
            assert found(await asking) == (2, [])


async def test_equal_questions_at_once_are_asked_once() -> None:
    async with bed(silent, patience=QUICK) as (place, (upstream,)):
        replies = await asyncio.gather(*(place.ask() for _ in range(8)))

    assert {reply.header.rcode for reply in replies} == {2}
    assert len(upstream.asked) == 1


async def test_one_client_can_have_only_so_many_questions_on_their_way() -> None:
    async with bed(silent, patience=QUICK) as (place, (upstream,)):
        asking = [asyncio.create_task(place.ask(f"www{number}.example.org")) for number in range(30)]
        done, waiting = set[asyncio.Task[DNSRecord]](), set(asking)
        while len(done) < QUICK.client_questions:
            done, waiting = await asyncio.wait(asking, timeout=0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert (len(done), len(upstream.asked)) == (QUICK.client_questions, QUICK.client_questions)
    assert place.tally.count("dns_queries", "dropped") == 30 - QUICK.client_questions


def large(asked: DNSRecord, tcp: bool) -> list[bytes]:
    """2,000 octets of text, which fit into no datagram."""
    reply = asked.reply(ra=1)
    reply.ar = []
    if tcp:
        reply.add_answer(*(RR(asked.q.qname, QTYPE.TXT, ttl=60, rdata=TXT("x" * 200)) for _ in range(10)))
    else:
        reply.header.tc = 1
    return [bytes(reply.pack())]


async def test_a_large_reply_is_asked_for_by_tcp_when_the_client_does() -> None:
    async with bed(large) as (place, (upstream,)):
        cut = await place.ask(kind="TXT")
        assert (cut.header.tc, cut.rr) == (1, [])
        assert [port == 0 for _, port in upstream.asked] == [False]

        (whole,) = await place.ask_by_tcp(NAME)

    assert (whole.header.tc, len(whole.rr)) == (0, 10)


async def test_questions_on_one_connection_are_answered_in_turn() -> None:
    async with bed(large) as (place, _):
        replies = await place.ask_by_tcp("a.example.org", "n001.cluster.local", "b.example.org", "x.cluster.local")

    assert [str(each.q.qname) for each in replies] == [
        "a.example.org.",
        "n001.cluster.local.",
        "b.example.org.",
        "x.cluster.local.",
    ]


async def test_closing_with_questions_on_their_way_leaves_nothing_behind() -> None:
    patience = Patience(seconds=60.0)
    async with bed(silent, patience=patience) as (place, (upstream,)):
        asking = asyncio.create_task(place.ask())
        while not upstream.asked:
            await asyncio.sleep(0.005)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

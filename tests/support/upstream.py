"""DNS servers of others, inside the test: what they are asked is kept, what they reply is up to the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from dnslib import QTYPE, RR, A, DNSRecord

Source = tuple[str, int]
Behaviour = Callable[[DNSRecord, bool], list[bytes]]
"""What to send back for a question that came by TCP or not: nothing, or one datagram and more."""


def address(value: str = "192.0.2.80", *, ttl: int = 300) -> Behaviour:
    """The honest server: one address for every name."""

    def behave(asked: DNSRecord, _tcp: bool) -> list[bytes]:
        reply = asked.reply(ra=1)
        reply.ar = []
        reply.add_answer(RR(asked.q.qname, QTYPE.A, ttl=ttl, rdata=A(value)))
        return [bytes(reply.pack())]

    return behave


def code(number: int) -> Behaviour:
    """A server that always replies with one code."""

    def behave(asked: DNSRecord, _tcp: bool) -> list[bytes]:
        reply = asked.reply(ra=1)
        reply.ar = []
        reply.header.rcode = number
        return [bytes(reply.pack())]

    return behave


def silent(_asked: DNSRecord, _tcp: bool) -> list[bytes]:
    """A server that is not there."""
    return []


@dataclass
class Upstream(asyncio.DatagramProtocol):
    """One server. `asked` are the questions with the port that they came from."""

    behave: Behaviour
    asked: list[tuple[DNSRecord, int]] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own class is not below this one.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Source) -> None:
        record = DNSRecord.parse(data)
        self.asked.append((record, addr[1]))
        assert self.transport is not None
        for reply in self.behave(record, False):
            self.transport.sendto(reply, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record = DNSRecord.parse(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
        self.asked.append((record, 0))
        for reply in self.behave(record, True):
            writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()


def _itself(server: Upstream) -> Upstream:
    return server


@asynccontextmanager
async def upstreams(*behaviours: Behaviour) -> AsyncIterator[tuple[int, list[Upstream]]]:
    """Servers on 127.0.0.2 and the following addresses, all on one port, which comes with them."""
    loop = asyncio.get_running_loop()
    servers = [Upstream(each) for each in behaviours]
    port, open_servers = 0, []
    for number, server in enumerate(servers):
        host = f"127.0.0.{number + 2}"
        stream = socket.create_server((host, port))
        port = stream.getsockname()[1]
        open_servers.append(await asyncio.start_server(server.serve, sock=stream))
        await loop.create_datagram_endpoint(partial(_itself, server), local_addr=(host, port))
    try:
        yield port, servers
    finally:
        for server in servers:
            assert server.transport is not None
            server.transport.close()
        for opened in open_servers:
            opened.close()
            await opened.wait_closed()
        await asyncio.sleep(0)

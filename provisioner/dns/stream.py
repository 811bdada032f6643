"""DNS over TCP (RFC 7766): several queries on a connection, each behind its length, and whole zones."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass

from provisioner.dns.codec import Query
from provisioner.dns.desk import Desk
from provisioner.dns.forward import Forwarder
from provisioner.dns.guard import Standing
from provisioner.dns.respond import TCP_LIMIT, Decision
from provisioner.dns.transfer import transfer
from provisioner.model.tally import Tally

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What TCP clients may take.

    Connections at once, altogether and of one client; seconds for the next query, and for taking a reply; queries
    on one connection; zone transfers at once.
    """

    connections: int = 128
    client_connections: int = 16
    idle_seconds: float = 5.0
    queries: int = 100
    transfers: int = 4


class Streams:
    """The TCP clients of one server."""

    def __init__(self, desk: Desk, forwarder: Forwarder, tally: Tally, limits: Limits) -> None:
        self._desk = desk
        self._forwarder = forwarder
        self._tally = tally
        self._limits = limits
        self._open: dict[asyncio.StreamWriter, str] = {}
        self._of_client: Counter[str] = Counter()
        self._transfers = asyncio.Semaphore(limits.transfers)

    def drop(self) -> None:
        """Send all clients away."""
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it has had enough."""
        peer = writer.get_extra_info("peername")
        if not peer or not self._has_room(peer[0]):
            writer.transport.abort()
            return
        client = peer[0]
        self._open[writer] = client
        self._of_client[client] += 1
        try:
            try:
                await self._converse(reader, writer, client)
            except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
                logger.debug("dns: a TCP client left: %s", error)
            await self._end(writer)
        finally:
            del self._open[writer]
            self._of_client -= Counter((client,))
            writer.close()

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        """Close it. Who does not take what is left for him would keep the connection, which nobody counts then."""
        writer.close()
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await writer.wait_closed()
        except (TimeoutError, OSError):
            writer.transport.abort()

    def _has_room(self, client: str) -> bool:
        full = len(self._open) >= self._limits.connections
        return not full and self._of_client[client] < self._limits.client_connections

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str) -> None:
        standing = self._desk.standing(client)
        for _ in range(self._limits.queries if standing is not Standing.STRANGER else 1):
            async with asyncio.timeout(self._limits.idle_seconds):
                size = int.from_bytes(await reader.readexactly(2), "big")
                data = await reader.readexactly(size)
            decision = self._desk.decide(data, standing, tcp=True)
            self._tally.add("dns_queries", decision.label)
            if decision.transfer is not None:
                await self._transfer(decision.transfer, writer, client)
            elif not await self._reply(decision, writer, client):
                return

    async def _reply(self, decision: Decision, writer: asyncio.StreamWriter, client: str) -> bool:
        reply, query = decision.reply, decision.forward
        if query is not None:
            reply = self._forwarder.remembered(query, TCP_LIMIT)
            reply = reply or await self._forwarder.ask(query, client, limit=TCP_LIMIT, tcp=True)
        if reply is None:
            return False
        await self._send(reply, writer)
        return True

    async def _transfer(self, query: Query, writer: asyncio.StreamWriter, client: str) -> None:
        # Of one snapshot from the first message to the last.
        zones = self._desk.zones
        async with self._transfers:
            for message in transfer(query, zones):
                await self._send(message, writer)
                # Others have their turn between two messages, also where the kernel takes them all at once.
                await asyncio.sleep(0)
        logger.info("DNS: %s copied the zone %s, serial %d", client, query.question.name, zones.serial)

    async def _send(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(len(message).to_bytes(2, "big") + message)
        async with asyncio.timeout(self._limits.idle_seconds):
            await writer.drain()

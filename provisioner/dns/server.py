"""The DNS server: one UDP and one TCP socket on one address. It decides nothing (see `zone`)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from provisioner.dns.respond import respond
from provisioner.dns.zone import Zones
from provisioner.errors import UnavailableError
from provisioner.model.snapshot import Snapshot

logger = logging.getLogger(__name__)

Source = tuple[str | object, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """What TCP clients may take: how many at once, seconds for the next query, queries on one connection."""

    connections: int = 128
    idle_seconds: float = 5.0
    queries: int = 100


_DEFAULT_LIMITS = Limits()


class DnsServer:
    """Serves the zones of the current snapshot on one IPv4 address."""

    def __init__(
        self,
        *,
        address: IPv4Address,
        port: int = 53,
        snapshot: Callable[[], Snapshot],
        limits: Limits = _DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._address = address
        self._port = port
        self._snapshot = snapshot
        self._zones: Zones | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port, known after `start` where 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen. UnavailableError when address and port cannot be had."""
        loop = asyncio.get_running_loop()
        stream, datagram = _open(self._address, self._port)
        self._port = stream.getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Receiver(self._receive), sock=datagram)
        self._server = await asyncio.start_server(self._serve, sock=stream)

    async def close(self) -> None:
        """Stop listening and drop TCP clients; closing twice is no error."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        for writer in list(self._connections):
            writer.transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        await asyncio.sleep(0)

    def _receive(self, data: bytes, source: Source) -> None:
        reply = self._respond(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, source)

    def _respond(self, data: bytes, *, tcp: bool = False) -> bytes | None:
        snapshot = self._snapshot()
        if self._zones is None or self._zones.snapshot is not snapshot:
            self._zones = Zones.of(snapshot)
        return respond(data, self._zones, tcp=tcp)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limits.connections:
            writer.transport.abort()
            return
        self._connections.add(writer)
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            logger.debug("dns: a TCP client left: %s", error)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self._limits.queries):
            async with asyncio.timeout(self._limits.idle_seconds):
                size = int.from_bytes(await reader.readexactly(2), "big")
                reply = self._respond(await reader.readexactly(size), tcp=True)
                if reply is None:
                    return
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, receive: Callable[[bytes, Source], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Source) -> None:
        self._receive(data, addr)

    def error_received(self, exc: Exception) -> None:
        logger.debug("dns: %s", exc)


def _open(address: IPv4Address, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on one port, which the first of them chooses where it is 0."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((str(address), port))
        datagram.bind((str(address), stream.getsockname()[1]))
    except OSError as error:
        stream.close()
        datagram.close()
        hint = f"see who listens: ss -lunpt 'sport = :{port}'"
        raise UnavailableError(f"DNS cannot listen on {address}:{port}: {error.strerror}", hint=hint) from error
    return stream, datagram

"""The DNS server: one UDP and one TCP socket on one address. It decides nothing (see `desk` and `zone`)."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

from provisioner.dns.codec import Query
from provisioner.dns.desk import Desk
from provisioner.dns.forward import Forwarder
from provisioner.dns.guard import Budget, Standing
from provisioner.dns.message import Code
from provisioner.dns.notify import Notifier
from provisioner.dns.respond import DROPPED
from provisioner.dns.stream import Limits, Streams
from provisioner.errors import UnavailableError
from provisioner.host.datagrams import waiting
from provisioner.model.address import Address
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally

logger = logging.getLogger(__name__)

_PORT = 53
_READ = 4096
_BUFFER = 1 << 20
_SECONDS_BETWEEN_COMPLAINTS = 60.0

_DEFAULT_LIMITS = Limits()

# What recvfrom says of a sender: its address as text, and its port; of IPv6 also flow and scope.
Source = tuple[Any, ...]


def _constant(_revision: str) -> int:
    return 1


class DnsServer:
    """Serves the zones of the current snapshot on one address. `serial` gives that of a revision's zones."""

    def __init__(
        self,
        *,
        address: Address,
        port: int = _PORT,
        snapshot: Callable[[], Snapshot],
        serial: Callable[[str], int] = _constant,
        tally: Tally | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        forwarder: Forwarder | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._address = address
        self._port = port
        self._tally = tally or Tally()
        self._desk = Desk(snapshot, serial)
        self._forwarder = forwarder or Forwarder(lambda: snapshot().site.dns.forwarders)
        self._streams = Streams(self._desk, self._forwarder, self._tally, limits)
        self._budget = budget or Budget(time.monotonic)
        self._notifier = Notifier(lambda: self._desk.zones, self._notify)
        self._datagrams: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._complained = float("-inf")

    @property
    def port(self) -> int:
        """The port, known after `start` where 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen. UnavailableError when address and port cannot be had."""
        stream, self._datagrams = _open(self._address, self._port)
        self._port = stream.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._datagrams, self._readable)
        self._server = await asyncio.start_server(self._streams.serve, sock=stream)
        self._begin(self._notifier.run())

    async def close(self) -> None:
        """Stop listening and drop TCP clients; closing twice is no error."""
        if self._datagrams is not None:
            asyncio.get_running_loop().remove_reader(self._datagrams)
            self._datagrams.close()
            self._datagrams = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._forwarder.close()
        self._streams.drop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        await asyncio.sleep(0)

    def _readable(self) -> None:
        if self._datagrams is not None:
            for data, source in waiting(self._datagrams, _READ):
                self._receive(data, source)

    def _receive(self, data: bytes, source: Source) -> None:
        client = source[0]
        standing = self._desk.standing(client)
        decision = self._desk.decide(data, standing)
        if decision.forward is not None:
            self._pass_on(decision.forward, data, source)
            return
        if decision.reply is None and self._notifier.heard(data, ip_address(client.partition("%")[0])):
            return
        if decision.label in {DROPPED, Code.FORMAT_ERROR.word}:
            self._complain(client)
        if decision.reply is None or (standing is Standing.STRANGER and not self._budget.refuses()):
            self._tally.add("dns_queries", DROPPED)
            return
        self._tally.add("dns_queries", decision.label)
        self._answer(decision.reply, data, source)

    def _answer(self, reply: bytes, data: bytes, source: Source) -> None:
        if not self._budget.allows(source[0], len(data), len(reply)):
            reply = _cut(reply)
        self._send(reply, source)

    def _pass_on(self, query: Query, data: bytes, source: Source) -> None:
        known = self._forwarder.remembered(query, query.udp_limit)
        if known is not None:
            self._tally.add("dns_queries", "cached")
            self._answer(known, data, source)
        else:
            self._begin(self._fetch(query, data, source))

    async def _fetch(self, query: Query, data: bytes, source: Source) -> None:
        reply = await self._forwarder.ask(query, source[0], limit=query.udp_limit, tcp=False)
        self._tally.add("dns_queries", DROPPED if reply is None else "forwarded")
        if reply is not None:
            self._answer(reply, data, source)

    def _notify(self, message: bytes, address: Address) -> None:
        if address.version == self._address.version:
            self._send(message, (str(address), _PORT))

    def _send(self, reply: bytes, source: Source) -> None:
        if self._datagrams is None:
            return
        try:
            self._datagrams.sendto(reply, source)
        except OSError as error:
            # A full buffer too: who asked asks again.
            logger.debug("dns: no reply to %s: %s", source[0], error)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _complain(self, client: str) -> None:
        now = time.monotonic()
        if now - self._complained >= _SECONDS_BETWEEN_COMPLAINTS:
            self._complained = now
            logger.info("DNS: %s sends what is no DNS query; more like it is only counted", client)


def _cut(reply: bytes) -> bytes:
    """The beginning of a reply, marked as truncated: its header and question."""
    at = 12
    while reply[at]:
        at += reply[at] + 1
    flags = bytes((reply[2] | 2, reply[3]))
    return reply[:2] + flags + b"\0\1" + bytes(6) + reply[12 : at + 5]


def _open(address: Address, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on one port, which the first of them chooses where it is 0."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    stream = socket.socket(family, socket.SOCK_STREAM)
    datagram = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((str(address), port))
        datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        datagram.bind((str(address), stream.getsockname()[1]))
    except OSError as error:
        stream.close()
        datagram.close()
        hint = f"see who listens: ss -lunpt 'sport = :{port}'"
        raise UnavailableError(f"DNS cannot listen on {address}:{port}: {error.strerror}", hint=hint) from error
    return stream, datagram

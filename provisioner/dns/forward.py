"""Questions about names of other people: asked of the site's forwarders, each under a port and number of its own.

A reply counts only from the address that was asked, to the port that asked, with the number and the question that
were sent (RFC 5452). Equal questions of several clients are asked once, so that nobody gets many tries at one
answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provisioner.dns.cache import Cache, Key, key_of
from provisioner.dns.codec import Query
from provisioner.dns.message import Code
from provisioner.dns.passage import Passage, failure, incoming, outgoing, passed_on
from provisioner.errors import ProtocolError
from provisioner.model.address import Address

logger = logging.getLogger(__name__)

_PORT = 53
# Below are the ports of services; 49,152 others are left to choose from.
_FIRST_FREE_PORT = 16_384
_PORT_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of forwarding.

    Seconds for one forwarder's reply, for leaving one alone that gave none, and for not asking again what failed;
    questions on their way at once, altogether and of one client.
    """

    seconds: float = 2.0
    rest: float = 30.0
    failure: float = 5.0
    questions: int = 1000
    client_questions: int = 100


_DEFAULT_PATIENCE = Patience()

Target = tuple[Address, int]


class Forwarder:
    """Asks forwarders, and remembers what they replied. `forwarders` names them at the time of each question."""

    def __init__(
        self,
        forwarders: Callable[[], Sequence[Address]],
        *,
        port: int = _PORT,
        patience: Patience = _DEFAULT_PATIENCE,
    ) -> None:
        self._forwarders = forwarders
        self._port = port
        self._patience = patience
        self._cache = Cache(time.monotonic)
        self._known: Sequence[Address] = ()
        self._under_way: dict[tuple[Key, bool], asyncio.Task[Passage | None]] = {}
        self._of_client: Counter[object] = Counter()
        self._resting: dict[Address, float] = {}
        self._failed: dict[Key, float] = {}

    async def close(self) -> None:
        """Give up every question that is on its way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def remembered(self, query: Query, limit: int) -> bytes | None:
        """The reply to a client, when it is known already or known to be out of reach."""
        self._check_forwarders()
        key = key_of(query)
        kept = self._cache.get(key)
        if kept is not None:
            return passed_on(kept[0], query, kept[1], limit)
        if self._failed.get(key, 0.0) > time.monotonic():
            return failure(query)
        return None

    async def ask(self, query: Query, client: object, *, limit: int, tcp: bool) -> bytes | None:
        """The reply of a forwarder for a client; SERVFAIL without one, None when it has too many on their way."""
        if self._of_client[client] >= self._patience.client_questions:
            return None
        self._of_client[client] += 1
        try:
            passage = await self._shared(query, tcp=tcp)
        finally:
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]
        return failure(query) if passage is None else passed_on(passage, query, 0, limit)

    async def _shared(self, query: Query, *, tcp: bool) -> Passage | None:
        key = key_of(query), tcp
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= self._patience.questions:
                return None
            task = self._under_way[key] = asyncio.create_task(self._find(query, tcp=tcp))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # One client that leaves must not take the answer from the others.
        return await asyncio.shield(task)

    async def _find(self, query: Query, *, tcp: bool) -> Passage | None:
        last: Passage | None = None
        for forwarder in self._in_order():
            try:
                passage = await self._reply_of((forwarder, self._port), query, tcp=tcp)
            except (OSError, TimeoutError, ProtocolError) as error:
                logger.debug("dns: the forwarder %s: %s", forwarder, str(error) or "no reply in time")
                self._resting[forwarder] = time.monotonic() + self._patience.rest
                continue
            self._resting.pop(forwarder, None)
            if passage.code in {Code.NO_ERROR, Code.NAME_ERROR}:
                self._cache.put(key_of(query), passage)
                return passage
            last = passage
        self._remember_failure(key_of(query))
        return last

    def _in_order(self) -> list[Address]:
        """As written, but those that gave no reply lately are asked last."""
        now = time.monotonic()
        return sorted(self._known, key=lambda each: self._resting.get(each, 0.0) > now)

    def _check_forwarders(self) -> None:
        forwarders = self._forwarders()
        if forwarders != self._known:
            # Others may have another view of the world, or the old ones were replaced because they lied.
            self._known = forwarders
            self._cache.clear()
            self._failed.clear()

    def _remember_failure(self, key: Key) -> None:
        if len(self._failed) >= self._patience.questions:
            self._failed.clear()
        self._failed[key] = time.monotonic() + self._patience.failure

    async def _reply_of(self, target: Target, query: Query, *, tcp: bool) -> Passage:
        async with asyncio.timeout(self._patience.seconds):
            passage = await _by_udp(target, query)
            return await _by_tcp(target, query) if passage.is_cut and tcp else passage


async def _by_udp(target: Target, query: Query) -> Passage:
    number = secrets.randbelow(1 << 16)
    loop = asyncio.get_running_loop()
    # A socket that is connected hears of nobody else.
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Waiting(query, number), sock=_connected(target)
    )
    try:
        transport.sendto(outgoing(query, number))
        return await protocol.passage
    finally:
        transport.close()


async def _by_tcp(target: Target, query: Query) -> Passage:
    number = secrets.randbelow(1 << 16)
    reader, writer = await asyncio.open_connection(str(target[0]), target[1])
    try:
        message = outgoing(query, number)
        writer.write(len(message).to_bytes(2, "big") + message)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return incoming(await reader.readexactly(size), query, number)
    except asyncio.IncompleteReadError as error:
        raise ProtocolError(f"a forwarder broke off: {error}") from None
    finally:
        writer.close()


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the one reply to a question. What is no such reply is passed over: the right one may follow."""

    def __init__(self, query: Query, number: int) -> None:
        self._query = query
        self._number = number
        self.passage: asyncio.Future[Passage] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio calls it so
        try:
            passage = incoming(data, self._query, self._number)
        except ProtocolError as error:
            logger.debug("dns: passed over: %s", error)
            return
        if not self.passage.done():
            self.passage.set_result(passage)

    def error_received(self, exc: Exception) -> None:
        if not self.passage.done():
            self.passage.set_exception(exc)


def _connected(target: Target) -> socket.socket:
    """A UDP socket from a random port to a forwarder."""
    family = socket.AF_INET if target[0].version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        _bind(opened, "0.0.0.0" if family == socket.AF_INET else "::")  # noqa: S104 - it is connected next
        opened.connect((str(target[0]), target[1]))
    except BaseException:
        opened.close()
        raise
    return opened


def _bind(opened: socket.socket, address: str) -> None:
    for _ in range(_PORT_ATTEMPTS):
        try:
            opened.bind((address, _FIRST_FREE_PORT + secrets.randbelow((1 << 16) - _FIRST_FREE_PORT)))
        except OSError:
            continue
        return
    # Nearly all ports are taken; the kernel finds one of the rest, at random too.
    opened.bind((address, 0))

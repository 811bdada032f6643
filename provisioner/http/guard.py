"""Connections that cost something and do nothing: slow senders, slow readers, and too many of one machine.

Each connection has a guard between the socket and aiohttp. It holds no data. Whoever does not get a request
together in time, or does not take its answer, is cut off; where connections run out, the one that has been silent
the longest makes room, and a node that boots is never silent.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from provisioner.model.tally import Tally

IDLE = 75.0
"""Seconds that a connection may stay open between two requests."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a connection may take: seconds for a whole request, and for a piece of its answer; and how many may be.

    An answer moves on by 48 KiB at least in `reading` seconds: that is what asyncio keeps of it. `of_an_address`
    counts those that have shown no token.
    """

    asking: float = 20.0
    reading: float = 60.0
    of_an_address: int = 256
    in_all: int = 20_000


class Guard:
    """All connections of the service."""

    def __init__(self, tally: Tally, allowance: Allowance | None = None) -> None:
        self.allowance = allowance or Allowance()
        self._tally = tally
        self._by_address: Counter[str] = Counter()
        # Those from which no whole request has come yet, the oldest first.
        self._silent: OrderedDict[_Guarded, None] = OrderedDict()
        self._open = 0

    def over(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """What to listen with in the place of a protocol factory."""
        return lambda: _Guarded(self, make())

    def opened(self, guarded: _Guarded) -> bool:
        """Count a connection in; no where its machine has too many, or there is no room at all."""
        if self._by_address[guarded.address] >= self.allowance.of_an_address:
            self.refused("too many connections of one address")
            return False
        if self._open >= self.allowance.in_all and not self._make_room():
            self.refused("too many connections")
            return False
        self._open += 1
        self._by_address[guarded.address] += 1
        self._silent[guarded] = None
        return True

    def spoke(self, guarded: _Guarded) -> None:
        """A whole request came."""
        self._silent.pop(guarded, None)

    def trusted(self, guarded: _Guarded) -> None:
        """A genuine token came: nodes behind one address, or that wait for news, are no crowd of strangers."""
        self._by_address[guarded.address] -= 1
        if not self._by_address[guarded.address]:
            del self._by_address[guarded.address]

    def closed(self, guarded: _Guarded) -> None:
        """Count a connection out."""
        self.spoke(guarded)
        self._open -= 1
        if not guarded.is_trusted:
            self.trusted(guarded)

    def refused(self, why: str) -> None:
        """Note that a client was cut off."""
        self._tally.add("http_refused", why)

    def _make_room(self) -> bool:
        oldest = next(iter(self._silent), None)
        if oldest is None:
            return False
        del self._silent[oldest]
        oldest.cut("made room")
        return True


class _Guarded(asyncio.Protocol):
    """One connection: passes everything on, and holds two clocks."""

    def __init__(self, guard: Guard, inner: asyncio.Protocol) -> None:
        self.address = ""
        self.is_trusted = False
        self._guard = guard
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._counted = False
        self._busy = False
        self._asking: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def asked(self, *, body: bool) -> None:
        """The head of a request is here; `body` says that more is to come."""
        self._guard.spoke(self)
        self._busy = True
        if not body:
            self._asking = _stopped(self._asking)

    def trust(self) -> None:
        """Its request carried a genuine token."""
        if not self.is_trusted:
            self.is_trusted = True
            self._guard.trusted(self)

    def answered(self) -> None:
        """The answer is known. What the client sends from here on is another request."""
        self._busy = False
        self._asking = _stopped(self._asking)

    def cut(self, why: str) -> None:
        """End the connection now, whatever is on its way."""
        self._guard.refused(why)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it in, or close it."""
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._counted = self._guard.opened(self)
        if not self._counted:
            transport.abort()
            return
        self._tell_kernel(transport)
        self._wait()
        self._inner.connection_made(transport)

    def _tell_kernel(self, transport: asyncio.Transport) -> None:
        # What asyncio has handed over, the kernel keeps sending for a quarter of an hour otherwise.
        milliseconds = int(2000 * self._guard.allowance.reading)
        connection = transport.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def _wait(self) -> None:
        loop, seconds = asyncio.get_running_loop(), self._guard.allowance.asking
        self._asking = loop.call_later(seconds, self.cut, "slow request")

    def data_received(self, data: bytes) -> None:
        """Start the clock of a request with its first bytes."""
        if self._asking is None and not self._busy:
            self._wait()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self._asking, self._reading = _stopped(self._asking), _stopped(self._reading)
        if self._counted:
            self._guard.closed(self)
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not keep up with its answer."""
        loop, seconds = asyncio.get_running_loop(), self._guard.allowance.reading
        self._reading = loop.call_later(seconds, self.cut, "slow reader")
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It moved on."""
        self._reading = _stopped(self._reading)
        self._inner.resume_writing()


def guard_of(request: web.Request) -> _Guarded | None:
    """The guard of the connection on which a request came; None where it came on none of ours."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, _Guarded) else None


def _stopped(clock: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No clock, in the place of one that is to ring no more."""
    if clock is not None:
        clock.cancel()
    return None

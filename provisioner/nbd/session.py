"""One NBD client: what it negotiates, then what it reads, until it has had enough or falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from provisioner.boot.access import Denied
from provisioner.errors import ProtocolError
from provisioner.nbd import codec, policy
from provisioner.nbd.message import Command, Fault, Option, Reply, Request
from provisioner.nbd.policy import Answer

_PIECE = 256 << 10
_PREFERRED = 128 << 10
_MOST_OPTIONS = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take.

    Connections at once, altogether and of one address before they have shown a token; seconds for the whole of the
    negotiation, and for taking a piece of an answer.
    """

    connections: int = 20_000
    unproven: int = 16
    negotiation_seconds: float = 20.0
    piece_seconds: float = 120.0


class Readable(Protocol):
    """An export that is open: its size in bytes, and its bytes."""

    @property
    def size(self) -> int:
        """Bytes of it."""

    def close(self) -> None:
        """Give it back."""

    async def read(self, offset: int, length: int, threads: Executor) -> bytearray:
        """A stretch of it; OSError where that cannot be read."""


class Session:
    """A connection. `open` gives the export of a name, `count` is told of every answer with its bytes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        threads: Executor,
        limits: Limits,
        count: Callable[[str, int], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._threads = threads
        self._limits = limits
        self._count = count
        self._padded = True
        self.sent = 0

    async def negotiate(self, open_: Callable[[str], Readable | Denied]) -> Readable | None:
        """Agree on an export; None where the client goes, and ProtocolError where it speaks no NBD."""
        self._writer.write(codec.greeting())
        self._padded = codec.wants_padding(await self._reader.readexactly(codec.CLIENT_FLAGS_SIZE))
        for _ in range(_MOST_OPTIONS):
            header = codec.option_header(await self._reader.readexactly(codec.OPTION_SIZE))
            if header.length > policy.MOST_OPTION_DATA:
                self._writer.write(codec.option_reply(header.option, Reply.TOO_BIG))
                return None
            answer = policy.answer(header.option, await self._reader.readexactly(header.length))
            chosen, ends = self._settle(header.option, answer, open_)
            await self._writer.drain()
            if chosen is not None or ends:
                return chosen
        raise ProtocolError("an NBD client that asks and never reads")

    def _settle(
        self, option: int, answer: Answer, open_: Callable[[str], Readable | Denied]
    ) -> tuple[Readable | None, bool]:
        if answer.name is None:
            self._writer.write(answer.reply)
            return None, answer.ends
        found = open_(answer.name)
        if isinstance(found, Denied):
            # EXPORT_NAME has no way to say no.
            if option != Option.EXPORT_NAME:
                self._writer.write(codec.option_reply(option, Reply.UNKNOWN, found.reason.encode()))
            return None, option == Option.EXPORT_NAME
        if option == Option.EXPORT_NAME:
            self._writer.write(codec.export_name_reply(found.size, padded=self._padded))
            return found, False
        self._writer.write(
            codec.export_reply(option, found.size, block=policy.BLOCK, preferred=_PREFERRED, most=policy.MOST_READ)
        )
        if option == Option.INFO:
            found.close()
            return None, False
        return found, False

    async def serve(self, export: Readable) -> None:
        """Answer commands until the client says that it has had enough.

        Raises IncompleteReadError, TimeoutError or OSError where it goes without a word.
        """
        while True:
            request = codec.request(await self._reader.readexactly(codec.REQUEST_SIZE))
            if request.command == Command.DISCONNECT:
                return
            fault = policy.fault_of(request, export.size)
            if fault is Fault.NONE:
                await self._send(request, export)
            else:
                await self._refuse(request, fault)

    async def _refuse(self, request: Request, fault: Fault) -> None:
        if request.command == Command.WRITE:
            await self._skip(request.length)
        self._count("refused", 0)
        self._writer.write(codec.simple_reply(request.cookie, fault))
        await self._drain()

    async def _skip(self, length: int) -> None:
        if length > policy.MOST_READ:
            raise ProtocolError("an NBD client that writes more than one may")
        while length:
            length -= len(await self._reader.readexactly(min(length, _PIECE)))

    async def _send(self, request: Request, export: Readable) -> None:
        """Read and send in pieces: others have their turn between two, and memory stays small."""
        offset, end = request.offset, request.offset + request.length
        try:
            data = await export.read(offset, min(_PIECE, end - offset), self._threads)
        except OSError:
            await self._refuse(request, Fault.IO)
            return
        self._writer.write(codec.simple_reply(request.cookie))
        while True:
            self._writer.write(data)
            await self._drain()
            offset += len(data)
            if offset >= end:
                break
            data = await export.read(offset, min(_PIECE, end - offset), self._threads)
        self.sent += request.length
        self._count("read", request.length)

    async def _drain(self) -> None:
        async with asyncio.timeout(self._limits.piece_seconds):
            await self._writer.drain()
        # A client whose questions are here already would keep all others waiting.
        await asyncio.sleep(0)

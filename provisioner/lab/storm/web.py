"""HTTP/1.1 as iPXE and curl speak it: one request after the other, a length, a range, and a clear end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from provisioner.errors import ProtocolError, UnavailableError
from provisioner.lab.storm.weather import Link, Sky

_CONNECT_SECONDS = 5.0
# curl gives up on less than 512 bytes a second for 30 s.
_SILENCE_SECONDS = 30.0
_PIECE = 64 << 10
# TCP sends the first packet of a connection again after this time (RFC 6298 section 2).
_FIRST_TIMER = 1.0

Sink = Callable[[bytes], object]


class RefusedError(ProtocolError):
    """An answer that is final: a status of 400 to 499."""


class BusyError(UnavailableError):
    """An answer that says to come back; `seconds` from now."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class BrokenError(UnavailableError):
    """The connection was not made, or broke off."""


@dataclass(frozen=True, slots=True)
class Cables:
    """What a client's bytes come through: its own port and the link that all share."""

    port: Link
    shared: Link
    sky: Sky


class Connection:
    """A connection from the address of one client; a context manager. Lost packets break transfers off."""

    def __init__(self, source: str, cables: Cables, agent: str) -> None:
        self._source = source
        self._cables = cables
        self._agent = agent
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    async def get(self, url: str, sink: Sink, *, start: int = 0) -> int:
        """Fetch from byte `start` on, piece by piece into `sink`; the size of the whole thing.

        Raises BrokenError, BusyError and RefusedError.
        """
        return await self._ask("GET", url, b"", sink, start)

    async def post(self, url: str, body: bytes) -> bytes:
        """Send a body; the body of the answer. Raises what `get` raises."""
        answer = bytearray()
        await self._ask("POST", url, body, answer.extend, 0)
        return bytes(answer)

    async def _ask(self, method: str, url: str, body: bytes, sink: Sink, start: int) -> int:
        target = urlsplit(url)
        head = [f"{method} {target.path} HTTP/1.1", f"Host: {target.netloc}", f"User-Agent: {self._agent}"]
        head += [f"Range: bytes={start}-"] if start else []
        head += [f"Content-Length: {len(body)}"] if method == "POST" else []
        try:
            reader, writer = await self._open(target.hostname or "", target.port or 80)
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            return await self._answer(reader, sink, start)
        except (OSError, EOFError, TimeoutError) as error:
            self._close()
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise BrokenError(f"the connection broke: {reason}") from None
        except BaseException:
            self._close()
            raise

    async def _open(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self._close()
            if self._cables.sky.loses():
                await asyncio.sleep(_FIRST_TIMER)
            opening = asyncio.open_connection(host, port, local_addr=(self._source, 0), limit=_PIECE)
            self._streams = await asyncio.wait_for(opening, _CONNECT_SECONDS)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader, sink: Sink, start: int) -> int:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _SILENCE_SECONDS)
        status, headers = _parse(head)
        size = int(headers.get("content-length", 0))
        if status not in {200, 204, 206}:
            text = (await asyncio.wait_for(reader.readexactly(size), _SILENCE_SECONDS)).decode(errors="replace")
            raise _error(status, text.strip()[:200], headers)
        if start and status != 206:
            raise ProtocolError(f"a range was asked for and status {status} came")
        breaks_at = self._cables.sky.place(size) if self._cables.sky.loses() else size
        await self._body(reader, sink, size, breaks_at)
        return start + size

    async def _body(self, reader: asyncio.StreamReader, sink: Sink, size: int, breaks_at: int) -> None:
        got = 0
        while got < size:
            piece = await asyncio.wait_for(reader.read(min(_PIECE, size - got)), _SILENCE_SECONDS)
            if not piece:
                raise EOFError
            await self._cables.port.carry(len(piece))
            await self._cables.shared.carry(len(piece))
            sink(piece)
            got += len(piece)
            if breaks_at <= got < size:
                raise ConnectionResetError(104, "broken off by the weather")

    def _close(self) -> None:
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
            self._streams = None


def _parse(head: bytes) -> tuple[int, Mapping[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdecimal():
        raise ProtocolError(f"{first[:80]!r} is no answer by HTTP")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return int(words[1]), {name.strip().lower(): value.strip() for name, value in pairs}


def _error(status: int, text: str, headers: Mapping[str, str]) -> ProtocolError | UnavailableError:
    if 400 <= status < 500:
        return RefusedError(f"status {status}: {text}")
    after = headers.get("retry-after", "")
    return BusyError(f"status {status}: {text}", float(after) if after.isdecimal() else 0.0)

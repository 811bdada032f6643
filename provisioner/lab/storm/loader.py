"""Fetching a loader by TFTP as firmware does: RFC 1350, 2347, 2348, 2349, and the windows of UEFI (RFC 7440)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from provisioner.errors import ProtocolError, UnavailableError
from provisioner.lab.storm.weather import Sky

_DATA, _ERROR, _OACK = b"\0\3", b"\0\5", b"\0\6"
_ABORT = b"\0\5\0\x08\0"
_DEFAULT_BLOCK = 512
_WRAP = 1 << 16
# What firmware waits before it asks again, and how often: EDK II has 4 s and 6 tries.
_SECONDS = 4.0
_TRIES = 6
# The last acknowledgement may be on its way for a while.
_LINGER = 0.2


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that came: its size and SHA-256, and how often the client had to ask again."""

    size: int
    sha256: str
    repeats: int


async def fetch_loader(source: str, server: tuple[str, int], name: str, *, uefi: bool, sky: Sky) -> Loaded:
    """Fetch a file the way that a BIOS or UEFI does: UEFI asks for the size alone first, and breaks off.

    Raises UnavailableError in silence, ProtocolError where it is refused.
    """
    if not uefi:
        return await _transfer(source, server, _request(name, {"tsize": 0, "blksize": 1456}), sky=sky)
    asked = await _transfer(source, server, _request(name, {"tsize": 0}), sky=sky, size_only=True)
    wanted = {"tsize": 0, "blksize": 1468, "windowsize": 4}
    loaded = await _transfer(source, server, _request(name, wanted), sky=sky)
    if asked.size != loaded.size:
        raise ProtocolError(f"TFTP promised {asked.size} bytes of {name} and sent {loaded.size}")
    return Loaded(loaded.size, loaded.sha256, asked.repeats + loaded.repeats)


async def _transfer(
    source: str, server: tuple[str, int], request: bytes, *, sky: Sky, size_only: bool = False
) -> Loaded:
    loop = asyncio.get_running_loop()
    endpoint = loop.create_datagram_endpoint(
        lambda: _Transfer(server, request, sky, size_only=size_only), local_addr=(source, 0)
    )
    transport, transfer = await endpoint
    try:
        return await transfer.result
    finally:
        loop.call_later(_LINGER, transport.close)


class _Transfer(asyncio.DatagramProtocol):
    """One transfer. The server answers from a port of its own, which is the other end from then on."""

    def __init__(self, server: tuple[str, int], request: bytes, sky: Sky, *, size_only: bool) -> None:
        self._server = server
        self._peer: tuple[str, int] | None = None
        self._sky = sky
        self._size_only = size_only
        self._last = request
        self._block, self._window, self._expected, self._in_window = _DEFAULT_BLOCK, 1, 1, 0
        self._size, self._digest, self._repeats, self._silences = 0, hashlib.sha256(), 0, 0
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[Loaded] = self._loop.create_future()
        self._alarm: asyncio.TimerHandle | None = None
        self._heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        # Python 3.11 does not derive its transports of datagrams from the type that stands for them.
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._heard = self._loop.time()
        self._send(self._last)
        self._alarm = self._loop.call_later(_SECONDS, self._listen)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the alarm."""
        if self._alarm is not None:
            self._alarm.cancel()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a packet, if the weather lets it through."""
        self._sky.deliver(lambda: self._receive(data, addr))

    def _receive(self, data: bytes, peer: tuple[str, int]) -> None:
        if self.result.done() or peer != (self._peer or peer):
            return
        self._peer = peer
        self._heard, self._silences = self._loop.time(), 0
        kind = data[:2]
        if kind == _DATA:
            self._take(int.from_bytes(data[2:4], "big"), data[4:])
        elif kind == _OACK:
            self._agree(data)
        elif kind == _ERROR:
            text = data[4:].partition(b"\0")[0].decode("ascii", "replace")
            self.result.set_exception(ProtocolError(f"TFTP refuses: {text}"))

    def _agree(self, data: bytes) -> None:
        words = data[2:].decode("ascii", "replace").split("\0")
        granted = dict(zip(words[::2], words[1::2], strict=False))
        if self._size_only:
            self._send(_ABORT)
            self.result.set_result(Loaded(int(granted.get("tsize", 0)), "", self._repeats))
            return
        if self._expected == 1:
            self._block = int(granted.get("blksize", _DEFAULT_BLOCK))
            self._window = int(granted.get("windowsize", 1))
            self._acknowledge(0)

    def _take(self, block: int, content: bytes) -> None:
        if block != self._expected & 0xFFFF:
            self._take_other((block - self._expected) & 0xFFFF)
            return
        self._digest.update(content)
        self._size += len(content)
        self._expected += 1
        self._in_window += 1
        finished = len(content) < self._block
        if finished or self._in_window >= self._window:
            self._acknowledge(block)
        if finished:
            self.result.set_result(Loaded(self._size, self._digest.hexdigest(), self._repeats))

    def _take_other(self, ahead: int) -> None:
        """Say what is here, when the block before the expected one comes again or one is missing.

        The first means that the acknowledgement was lost, the second goes by RFC 7440 section 4.
        """
        if ahead == _WRAP - 1 or (self._window > 1 and ahead < self._window):
            self._acknowledge(self._expected - 1)

    def _acknowledge(self, block: int) -> None:
        self._in_window = 0
        self._last = b"\0\4" + (block & 0xFFFF).to_bytes(2, "big")
        self._send(self._last)

    def _send(self, data: bytes) -> None:
        target = self._peer or self._server
        self._sky.deliver(lambda: self._put(data, target))

    def _put(self, data: bytes, target: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, target)

    def _listen(self) -> None:
        quiet = self._loop.time() - self._heard
        if quiet >= _SECONDS:
            self._silences += 1
            self._repeats += 1
            if self._silences > _TRIES:
                self.result.set_exception(UnavailableError("no answer by TFTP"))
                return
            self._heard, quiet = self._loop.time(), 0.0
            self._send(self._last)
        self._alarm = self._loop.call_later(_SECONDS - quiet, self._listen)


def _request(name: str, options: Mapping[str, int]) -> bytes:
    pairs = "".join(f"{key}\0{value}\0" for key, value in options.items())
    return f"\0\1{name}\0octet\0{pairs}".encode()

"""Thousands of TFTP clients behind one socket, each with an address of its own (IP_PKTINFO, ip(7)).

The addresses have to belong to the place where the crowd is: on the loopback device 127.0.0.0/8 does. All are in
step: nobody gets a second block before everybody has the first, so all transfers are under way at once.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

_IP_PKTINFO = 8
_info = struct.Struct("=I4s4s")
_AT_ONCE = 48
_PATIENCE = 0.5
_TRIES = 40


@dataclass(slots=True)
class _Reader:
    """One client: where its server's answers come from, and how many octets it has."""

    port: int
    packet: bytes
    expected: int = -1
    received: int = 0
    complete: bool = False


class Crowd:
    """Readers of one content in lock-step; AssertionError when one gets anything else."""

    def __init__(self, opened: socket.socket, server: tuple[str, int], addresses: Sequence[IPv4Address]) -> None:
        self._socket = opened
        self._server = server
        self._addresses = [address.packed for address in addresses]
        self._readers: dict[bytes, _Reader] = {}

    def ask(self, name: str, part: slice) -> None:
        """Some of them ask for a file, and do not look at the answer."""
        for address in self._addresses[part]:
            self._say(address, _Reader(self._server[1], f"\0\1{name}\0octet\0".encode()))

    def read(self, name: str, content: bytes, block: int, midway: Callable[[], None] = lambda: None) -> None:
        """Everybody reads a file. `midway` is called when all have begun and nobody has ended."""
        request = f"\0\1{name}\0octet\0blksize\0{block}\0".encode()
        self._readers = {address: _Reader(self._server[1], request) for address in self._addresses}
        # The options and the first block.
        for _ in range(2):
            self._step(list(self._readers), content, block)
        midway()
        while waiting := [address for address, each in self._readers.items() if not each.complete]:
            self._step(waiting, content, block)
        for address, reader in self._readers.items():
            assert reader.received == len(content)
            self._say(address, reader)

    def _step(self, addresses: Sequence[bytes], content: bytes, block: int) -> None:
        """Everybody says its packet and gets the answer."""
        ahead, outstanding, tries = iter(addresses), set[bytes](), 0
        for address in self._more(ahead, outstanding):
            self._say(address, self._readers[address])
        while outstanding:
            try:
                heard = self._hear(content, block)
            except TimeoutError:
                tries += 1
                assert tries < _TRIES, f"{len(outstanding)} get no answer"
                for address in outstanding:
                    self._say(address, self._readers[address])
                continue
            outstanding.discard(heard)
            for address in self._more(ahead, outstanding):
                self._say(address, self._readers[address])

    def _more(self, ahead: Iterator[bytes], outstanding: set[bytes]) -> list[bytes]:
        new = [address for _, address in zip(range(_AT_ONCE - len(outstanding)), ahead, strict=False)]
        outstanding.update(new)
        return new

    def _say(self, address: bytes, reader: _Reader) -> None:
        info = (socket.IPPROTO_IP, _IP_PKTINFO, _info.pack(0, address, bytes(4)))
        self._socket.sendmsg([reader.packet], [info], 0, (self._server[0], reader.port))

    def _hear(self, content: bytes, block: int) -> bytes:
        """Read one packet; the address that it moved on, or none for one that came twice."""
        data, notes, _, source = self._socket.recvmsg(2048, 64)
        address = _info.unpack(notes[0][2][: _info.size])[2]
        reader = self._readers[address]
        number = int.from_bytes(data[2:4], "big")
        if data[1] == 6:
            number = 0
        else:
            assert data[1] == 3, data
        if number != reader.expected + 1:
            return b""
        reader.expected, reader.port = number, source[1]
        reader.packet = b"\0\4" + number.to_bytes(2, "big")
        if number:
            assert data[4:] == content[(number - 1) * block : number * block]
            reader.received += len(data) - 4
            reader.complete = len(data) - 4 < block
        return bytes(address)


@contextmanager
def crowd(server: tuple[str, int], addresses: Sequence[IPv4Address]) -> Iterator[Crowd]:
    """A client at each of these addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        opened.settimeout(_PATIENCE)
        opened.bind(("0.0.0.0", 0))
        yield Crowd(opened, server, addresses)

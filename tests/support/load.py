"""Load for the benchmarks: small clients that do nothing but the protocol, so that the server is what is measured.

They run in the namespace of the clients: enter it before they are made.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from contextlib import closing
from ipaddress import IPv4Address

from tests.support.packets import IPXE_BIOS
from tests.support.rig import HEAD, RELAY, address_of, mac_of

_AT_ONCE = 32
_SECONDS = 30.0
_BLOCK = 1468
_KIND_AT = 240


class DhcpLoad:
    """A relay with many iPXE clients behind it, some of which ask at any time; all packets are made beforehand."""

    def __init__(self, machines: int) -> None:
        self._machines = machines
        self._discovers = {number: self._datagram(1, number) for number in range(1, machines + 1)}
        self._requests = {number: self._datagram(3, number) for number in range(1, machines + 1)}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(_SECONDS)
        self._socket.bind((str(RELAY), 67))
        self._socket.connect((str(HEAD.ip), 67))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def run(self, exchanges: int) -> None:
        """DISCOVER, OFFER, REQUEST, ACK so many times; AssertionError at a wrong reply or none."""
        numbers = [1 + each % self._machines for each in range(exchanges)]
        waiting = iter(numbers)
        for _ in range(_AT_ONCE):
            self._socket.send(self._discovers[next(waiting)])
        done = 0
        while done < exchanges:
            number, kind, offered = self._reply()
            assert offered == address_of(number).packed, f"{IPv4Address(offered)} for machine {number}"
            if kind == 2:
                self._socket.send(self._requests[number])
                continue
            assert kind == 5, f"a message of type {kind}"
            done += 1
            if (following := next(waiting, None)) is not None:
                self._socket.send(self._discovers[following])

    def _reply(self) -> tuple[int, int, bytes]:
        data = self._socket.recv(2048)
        at = data.index(b"\x35\x01", _KIND_AT)
        return int.from_bytes(data[4:8], "big"), data[at + 2], data[16:20]

    def _datagram(self, kind: int, number: int) -> bytes:
        chosen = {50: address_of(number).packed, 54: HEAD.ip.packed} if kind == 3 else {}
        own = {61: b"\x01" + mac_of(number).octets}
        return IPXE_BIOS.datagram(
            kind, mac=mac_of(number), xid=number, giaddr=RELAY.packed, extra={**chosen, **own}
        )


def fetch_by_tftp(name: str, *, window: int, before_last: Callable[[], None]) -> tuple[int, str]:
    """Fetch a file in blocks of 1468 octets; its size and SHA-256.

    `before_last` is called when all data is there and the server still waits for the last acknowledgement: some
    servers have a process for each transfer, whose bill is gone with it.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as opened:
        opened.settimeout(_SECONDS)
        options = f"blksize\0{_BLOCK}\0" + (f"windowsize\0{window}\0" if window > 1 else "")
        opened.sendto(f"\0\1{name}\0octet\0{options}".encode(), (str(HEAD.ip), 69))
        granted, server = opened.recvfrom(2048)
        assert granted[:2] == b"\0\6", granted
        assert window == 1 or b"windowsize\0" + str(window).encode() in granted, granted
        opened.connect(server)
        opened.send(b"\0\4\0\0")
        return _receive(opened, window, before_last)


def _receive(opened: socket.socket, window: int, before_last: Callable[[], None]) -> tuple[int, str]:
    digest, size, expected = hashlib.sha256(), 0, 1
    buffer = bytearray(_BLOCK + 4)
    view = memoryview(buffer)
    while True:
        count = opened.recv_into(buffer)
        block = int.from_bytes(buffer[2:4], "big")
        if buffer[1] == 6 or (expected - block - 1) & 0xFFFF < 0x8000:
            # Sent again, because our acknowledgement came late.
            continue
        assert block == expected & 0xFFFF, f"block {block} in the place of {expected & 0xFFFF}"
        digest.update(view[4:count])
        size += count - 4
        last = count < _BLOCK + 4
        if last:
            before_last()
        if last or expected % window == 0:
            opened.send(b"\0\4" + block.to_bytes(2, "big"))
        if last:
            return size, digest.hexdigest()
        expected += 1

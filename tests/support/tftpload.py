"""Many TFTP clients in one process that do nothing but the protocol, so that the server is what is measured.

They run in the namespace of the clients: enter it before they are made.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic

_SECONDS = 5.0
_LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What every client asks for: a file of `size` octets in blocks and windows of this size."""

    name: str
    size: int
    block: int
    window: int = 1

    @property
    def request(self) -> bytes:
        """The read request."""
        options = f"blksize\0{self.block}\0" + (f"windowsize\0{self.window}\0" if self.window > 1 else "")
        return f"\0\1{self.name}\0octet\0{options}".encode()


@dataclass(slots=True)
class _Client:
    """A socket, the block that it waits for, and what it has."""

    opened: socket.socket
    last: bytes = b""
    expected: int = 0
    received: int = 0
    buffer: bytearray = field(default_factory=lambda: bytearray(2048))

    def answer(self, order: Order) -> bool:
        """Read one packet and acknowledge what is due; True when all has come and `last` is to be acknowledged."""
        if self.expected == 0:
            granted, server = self.opened.recvfrom(2048)
            assert granted[:2] == b"\0\6", granted
            self.opened.connect(server)
            self.opened.send(b"\0\4\0\0")
            self.expected = 1
            return False
        count = self.opened.recv_into(self.buffer) - 4
        block = int.from_bytes(self.buffer[2:4], "big")
        assert block == self.expected & 0xFFFF, f"block {block} in the place of {self.expected & 0xFFFF}"
        self.received += count
        last = count < order.block
        if last:
            self.last = bytes(self.buffer[2:4])
        elif self.expected % order.window == 0:
            self.opened.send(b"\0\4" + self.buffer[2:4])
        self.expected += 1
        return last


def fetch_together(
    server: tuple[str, int], order: Order, addresses: Sequence[str], before_last: Callable[[], None] = lambda: None
) -> None:
    """A client at each address fetches; AssertionError when one of them gets anything but all blocks in order.

    `before_last` is called when all data is there and the server still waits for the last acknowledgements: some
    servers have a process for each transfer, whose bill is gone with it.
    """
    with ExitStack() as stack:
        poll = select.epoll()
        stack.callback(poll.close)
        opened = [stack.enter_context(_bound(address)) for address in addresses]
        clients = [_Client(each) for each in opened]
        waiting = {each.opened.fileno(): each for each in clients}
        for each in opened:
            poll.register(each, select.EPOLLIN)
            each.sendto(order.request, server)
        _serve(poll, waiting, order)
        before_last()
        for client in clients:
            client.opened.send(b"\0\4" + client.last)


def _bound(address: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, 0))
    return opened


def _serve(poll: select.epoll, waiting: dict[int, _Client], order: Order) -> None:
    deadline = monotonic() + _LONGEST
    while waiting:
        ready = poll.poll(_SECONDS)
        assert ready, f"{len(waiting)} clients wait, and nothing comes"
        assert monotonic() < deadline, f"{len(waiting)} clients are not done"
        for number, _ in ready:
            if waiting[number].answer(order):
                poll.unregister(number)
                assert waiting.pop(number).received == order.size


def half_open(server: tuple[str, int], name: str, addresses: Sequence[str], each: int) -> list[socket.socket]:
    """Ask for a file from so many ports of each address and never say a word again; the sockets."""
    opened = [_bound(address) for address in addresses for _ in range(each)]
    for client in opened:
        client.sendto(f"\0\1{name}\0octet\0tsize\x000\0".encode(), server)
    return opened

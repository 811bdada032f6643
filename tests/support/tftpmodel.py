"""Both ends of a transfer without a socket: a reading client as RFC 7440 section 4 describes it, and wires."""

from __future__ import annotations

from provisioner.tftp.wire import Listener

OACK, DATA = 6, 3


def acknowledge(block: int) -> bytes:
    """The packet that acknowledges a block."""
    return b"\0\4" + block.to_bytes(2, "big")


class Wires:
    """What a session sends, packet by packet, for a test to hand over."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.longest = 0
        self.open = True

    def attach(self, listener: Listener) -> None:
        """Nothing comes by itself."""

    def send(self, packets: bytes, size: int) -> None:
        """Keep the packets."""
        assert self.open, "sent after the end"
        cut = [packets[at : at + size] for at in range(0, len(packets), size)]
        self.longest = max(self.longest, len(cut))
        self.sent += cut

    def poll(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """No more may be sent."""
        self.open = False


class Reader:
    """Acknowledges the options, a full window, the end, or a gap; `content` is what it has."""

    def __init__(self, block: int, window: int) -> None:
        self.content = b""
        self.complete = False
        self._block = block
        self._window = window
        self._acknowledged = -1
        self._next = 1
        self._in_window = 0

    def receive(self, packet: bytes) -> bytes | None:
        """The acknowledgement that a packet calls for, if any."""
        if packet[1] == OACK:
            return self._say(0) if self._next == 1 else None
        assert packet[1] == DATA, packet
        if int.from_bytes(packet[2:4], "big") != self._next & 0xFFFF:
            self._in_window = 0
            return self._say(self._next - 1)
        return self._take(packet[4:])

    def impatient(self) -> bytes | None:
        """What it repeats after a while without a packet; None where it has not been answered at all."""
        self._in_window = 0
        return self._say(self._next - 1) if self._acknowledged >= 0 else None

    def _take(self, data: bytes) -> bytes | None:
        assert not self.complete, "data after the end"
        assert len(data) <= self._block
        self.content += data
        self._next += 1
        self._in_window += 1
        self.complete = len(data) < self._block
        if self.complete or self._in_window == self._window:
            self._in_window = 0
            return self._say(self._next - 1)
        return None

    def _say(self, number: int) -> bytes:
        self._acknowledged = number
        return acknowledge(number & 0xFFFF)

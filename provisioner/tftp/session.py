"""One transfer under way: its blocks, the wire to its client, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from mmap import mmap
from random import random

from provisioner.errors import ProtocolError
from provisioner.tftp.codec import HEADER, acknowledged, blocks, decode, encode
from provisioner.tftp.packet import Failure, OptionAcknowledge
from provisioner.tftp.transfer import Transfer
from provisioner.tftp.wheel import TICK, Wheel
from provisioner.tftp.wire import Wire

_QUIET = 3
"""Ticks after which a repeated acknowledgement in lock-step means that the block was lost."""

_JITTER = 0.25
"""Machines that were switched on together shall not stay together: pauses are up to this part longer."""


class End(StrEnum):
    """How a transfer ended."""

    DONE = "done"
    DECLINED = "declined"
    """The client broke off before it took any data, as firmware does that only asks for the size."""
    UNHEARD = "unheard"
    """The client never answered the first packet."""
    FAILED = "failed"
    EVICTED = "evicted"
    """It was half-open, and its place was needed."""


Done = Callable[["Session", End, str], None]
"""Called once at the end: with the session, how it ended, and the reason where that is not plain."""


class Session:
    """Moves a transfer's packets over a wire; `done` is called once, after the wire is closed.

    `request` is the datagram that began it, which the client may send again.
    """

    def __init__(
        self, content: bytes | mmap, transfer: Transfer, wire: Wire, wheel: Wheel, *, request: bytes, done: Done
    ) -> None:
        self.transfer = transfer
        self.request = request
        self.slot = 0
        self._content = memoryview(content)
        self._block = transfer.terms.block
        self._wire = wire
        self._wheel = wheel
        self._done = done
        self._sent_at = wheel.now
        self._pause = 0.0
        self._started = time.monotonic()
        self._open = True

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self._open

    @property
    def seconds(self) -> float:
        """How long the session has lasted."""
        return time.monotonic() - self._started

    def start(self) -> None:
        """Send the first packet and wait for the client."""
        self._wire.attach(self)
        self._send(self.transfer.start())
        self._sleep()

    def close(self, end: End, reason: str = "") -> None:
        """End the session; closing twice is no error."""
        if not self._open:
            return
        self._open = False
        self._wheel.drop(self)
        self._wire.close()
        self._done(self, end, reason)

    def poll(self) -> None:
        """Hear now what has arrived already."""
        if self._open:
            self._wire.poll()

    def receive(self, data: bytes) -> None:
        """A datagram of the client."""
        block = acknowledged(data)
        if block is None:
            self._other(data)
            return
        numbers = self.transfer.acknowledge(block)
        if numbers:
            self._send(numbers)
        elif self.transfer.finished:
            self.close(End.DONE)
        elif self._wheel.now - self._sent_at >= _QUIET:
            self._send(self.transfer.nudge(block))

    def repeat(self) -> None:
        """The client asks again for what it was answered already: that counts as a silence, so it ends."""
        self._send(self.transfer.silence())
        if self.transfer.lost:
            self._lost()

    def gone(self, reason: str) -> None:
        """Nobody listens at the client's port any more."""
        self._broken_off(f"the client is gone: {reason}")

    def wake(self) -> None:
        """The wheel's call: the client may have been silent for too long."""
        if not self._open:
            return
        waited = (self._wheel.now - self._sent_at) * TICK
        if waited < self._pause:
            self._wheel.put(self, self._pause - waited)
            return
        self._send(self.transfer.silence())
        if self.transfer.lost:
            self._lost()
        else:
            self._sleep()

    def _sleep(self) -> None:
        self._pause = self.transfer.pause * (1 + random() * _JITTER)  # noqa: S311 - it spreads clients and hides nothing
        self._wheel.put(self, self._pause)

    def _send(self, numbers: range) -> None:
        if not numbers:
            return
        self._sent_at = self._wheel.now
        if numbers.start:
            self._wire.send(blocks(self._content, self._block, numbers), self._block + HEADER)
        else:
            granted = encode(OptionAcknowledge(self.transfer.terms.granted))
            self._wire.send(granted, len(granted))

    def _other(self, data: bytes) -> None:
        try:
            packet = decode(data)
        except ProtocolError:
            return
        if isinstance(packet, Failure):
            self._broken_off(f"the client broke off: {packet.message or 'no reason'} (error {packet.code})")

    def _broken_off(self, reason: str) -> None:
        self.close(End.FAILED if self.transfer.progress else End.DECLINED, reason)

    def _lost(self) -> None:
        if self.transfer.heard:
            self.close(End.FAILED, "the client fell silent")
        else:
            self.close(End.UNHEARD, "the client never answered the first packet")

"""One transfer on a socket of its own, which is its transfer identifier (RFC 1350 section 4)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from provisioner.errors import ProtocolError
from provisioner.tftp.codec import MAX_REQUEST, decode, encode
from provisioner.tftp.packet import Acknowledge, Data, Failure, OptionAcknowledge
from provisioner.tftp.transfer import Transfer

Done = Callable[["Session", str | None], None]
"""Called once at the end: with the session, and what went wrong or None."""


class Session:
    """Moves a transfer's packets through a socket that is connected to the client.

    The kernel drops what comes from anybody else. `done` is called once, after the socket is closed. `declined`
    says that the client broke off before it took any data, as firmware does that only asks for the size.
    """

    def __init__(self, opened: socket.socket, transfer: Transfer, done: Done) -> None:
        self.transfer = transfer
        self.declined = False
        self._socket = opened
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._open = True

    @property
    def seconds(self) -> float:
        """How long the session has lasted."""
        return self._loop.time() - self._started

    def start(self) -> None:
        """Send the first packets and wait for the client."""
        self._loop.add_reader(self._socket, self._readable)
        self._send(self.transfer.start())
        self._watch()

    def close(self, problem: str | None = None) -> None:
        """End the session; closing twice is no error."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._socket)
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()
        self._done(self, problem)

    def _readable(self) -> None:
        try:
            packet = decode(self._socket.recv(MAX_REQUEST + 1))
        except (BlockingIOError, ProtocolError):
            return
        except OSError as error:
            self._broken_off(f"the client is gone: {error.strerror}")
            return
        match packet:
            case Acknowledge(block):
                self._send(self.transfer.acknowledge(block))
                if self.transfer.finished:
                    self.close()
            case Failure(code, message):
                self._broken_off(f"the client broke off: {message or 'no reason'} (error {code})")
            case _:
                pass

    def _broken_off(self, problem: str) -> None:
        self.declined = self.transfer.progress == 0
        self.close(problem)

    def _send(self, packets: Sequence[Data | OptionAcknowledge]) -> None:
        if not packets:
            return
        self._due = self._loop.time() + self.transfer.pause
        try:
            for packet in packets:
                self._socket.send(encode(packet))
        except OSError:
            # A full buffer loses packets as a wire does, and a client that is gone shows up at the next read.
            return

    def _watch(self) -> None:
        # One timer that looks again costs less than one that is moved at every packet.
        self._timer = self._loop.call_at(self._due, self._overdue)

    def _overdue(self) -> None:
        if self._loop.time() < self._due:
            self._watch()
            return
        self._send(self.transfer.silence())
        if self.transfer.lost:
            self.close("the client fell silent")
        else:
            self._watch()

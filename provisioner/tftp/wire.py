"""The way to one client: from a port of the transfer's own (RFC 1350 section 4), or from the one that all share.

A window is one call of the kernel, which cuts it into datagrams itself (UDP_SEGMENT of linux/udp.h, Linux 4.18).
Where the way out cannot do that, the datagrams are sent one by one.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from provisioner.model.address import Address
from provisioner.tftp.codec import MAX_REQUEST
from provisioner.tftp.readers import Readers

logger = logging.getLogger(__name__)

_UDP_SEGMENT = 103
_LENGTH = struct.Struct("=H").pack
# A window's blocks do not fit the way out, its device makes no check sums, a kernel without the option.
_UNCUTTABLE = {errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP}

Source = tuple[str, int] | tuple[str, int, int, int]
"""Who sent a datagram, as sockets tell it: host and port first."""


class Listener(Protocol):
    """Who hears what a client sends."""

    def receive(self, data: bytes) -> None:
        """A datagram of the client."""

    def gone(self, reason: str) -> None:
        """Nobody is there any more."""


class Wire(Protocol):
    """Sends to one client. A packet that the kernel does not take is lost, as on any other wire."""

    def attach(self, listener: Listener) -> None:
        """Tell who hears the client."""

    def send(self, packets: bytes, size: int) -> None:
        """Send what lies end to end in `packets`, each of `size` octets, the last maybe shorter."""

    def poll(self) -> None:
        """Hear now what has arrived already."""

    def close(self) -> None:
        """Send and hear no more."""


class SharedPort:
    """Sends from the socket that listens; whoever reads that hands the client's datagrams to the listener."""

    def __init__(self, opened: socket.socket, source: Source) -> None:
        self._socket = opened
        self._source = source
        self._cuts = True

    def attach(self, listener: Listener) -> None:
        """Nothing to do here."""

    def send(self, packets: bytes, size: int) -> None:
        """Send what lies end to end in `packets`."""
        with suppress(OSError):
            if len(packets) <= size:
                self._socket.sendto(packets, self._source)
            elif not (self._cuts and _cut(self._socket, packets, size, self._source)):
                self._cuts = False
                _one_by_one(packets, size, lambda packet: self._socket.sendto(packet, self._source))

    def poll(self) -> None:
        """Nothing to do here."""

    def close(self) -> None:
        """Nothing to do here."""


class OwnPort:
    """A socket that is connected to the client: the kernel drops what comes from anybody else."""

    def __init__(self, address: Address, source: Source, readers: Readers) -> None:
        """Open the socket; OSError when there is none to be had."""
        self._socket = socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind((str(address), 0))
            self._socket.connect(source)
        except OSError:
            self._socket.close()
            raise
        self._readers = readers
        self._cuts = True
        self._open = True

    def attach(self, listener: Listener) -> None:
        """Tell who hears the client."""
        self._listener = listener
        self._readers.add(self._socket, self.poll)

    def send(self, packets: bytes, size: int) -> None:
        """Send what lies end to end in `packets`."""
        # A client that is gone shows up at the next read.
        with suppress(OSError):
            if len(packets) <= size:
                self._socket.send(packets)
            elif not (self._cuts and _cut(self._socket, packets, size)):
                self._cuts = False
                _one_by_one(packets, size, self._socket.send)

    def poll(self) -> None:
        """Hear the datagram that has arrived."""
        try:
            data = self._socket.recv(MAX_REQUEST + 1)
        except BlockingIOError:
            return
        except OSError as error:
            self._listener.gone(error.strerror or str(error))
            return
        self._listener.receive(data)

    def close(self) -> None:
        """Close the socket; closing twice is no error."""
        if self._open:
            self._open = False
            self._readers.remove(self._socket)
            self._socket.close()


def family_of(address: Address) -> socket.AddressFamily:
    """The kind of socket for an address."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _cut(opened: socket.socket, packets: bytes, size: int, source: Source | None = None) -> bool:
    """Have the kernel cut it into datagrams; False when it cannot on this way."""
    try:
        opened.sendmsg([packets], [(socket.IPPROTO_UDP, _UDP_SEGMENT, _LENGTH(size))], 0, source)
    except OSError as error:
        if error.errno not in _UNCUTTABLE:
            raise
        logger.debug("tftp: windows are sent in single datagrams: %s", error)
        return False
    return True


def _one_by_one(packets: bytes, size: int, send: Callable[[memoryview], object]) -> None:
    view = memoryview(packets)
    for start in range(0, len(packets), size):
        send(view[start : start + size])

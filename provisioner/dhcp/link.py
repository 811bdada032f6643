"""Sending to a machine by its hardware address, below the system's table of neighbours."""

from __future__ import annotations

import socket

_ETHERTYPE_IP = 0x0800


class Link:
    """A packet socket on one interface, for IPv4 packets; needs CAP_NET_RAW.

    Raises OSError where the system refuses it, when it is made and when it sends.
    """

    def __init__(self, interface: str) -> None:
        self._interface = interface
        # Protocol 0 receives nothing. The system makes the link's own header (SOCK_DGRAM), so VLANs work too.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)

    def send(self, packet: bytes, hardware: bytes) -> None:
        """Send an IPv4 packet to the machine with this hardware address."""
        self._socket.sendto(packet, (self._interface, _ETHERTYPE_IP, 0, 0, hardware))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

"""Watching for DHCP servers that are not ours, on a network whose addresses we give out."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Callable
from ipaddress import IPv4Address

from provisioner.dhcp.codec import MAX_SIZE, decode
from provisioner.dhcp.message import Kind, Message, Op, Option
from provisioner.dhcp.report import Throttle, foreign, unwatched
from provisioner.errors import ProtocolError
from provisioner.host.datagrams import WatchedSocket
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import DhcpMode

QUIET_SECONDS = 600
"""A foreign server is told again after this long."""

_SO_ATTACH_FILTER = 26
_ETHERTYPE_IP = 0x0800
_AT_ONCE = 16
_IP_SIZE = 20
_UDP_SIZE = 8
_LARGEST = MAX_SIZE + 60 + _UDP_SIZE
# From port 67 to port 68, whole packets, told by the system's own filter machine (classic BPF: code, two jumps,
# and a number), so that no other packet wakes this program. The packet begins with its IPv4 header.
_FILTER = (
    (0x30, 0, 0, 9),  # the protocol
    (0x15, 0, 8, 17),  # is UDP
    (0x28, 0, 0, 6),  # flags and the place in a larger packet
    (0x45, 6, 0, 0x1FFF),  # at its beginning
    (0xB1, 0, 0, 0),  # behind the IPv4 header
    (0x48, 0, 0, 0),  # the port that it comes from
    (0x15, 0, 3, 67),
    (0x48, 0, 0, 2),  # the port that it goes to
    (0x15, 0, 1, 68),
    (0x06, 0, 0, _LARGEST),
    (0x06, 0, 0, 0),
)


class Sentry:
    """Tells of servers that answer machines on one interface, where our own address is `address`.

    Servers speak to port 68, which no server hears, so this takes a packet socket and CAP_NET_RAW; where the
    system refuses, that is told once. It sees what is broadcast or flooded to this machine: every server
    sends such messages sooner or later.
    """

    def __init__(
        self, *, interface: str, address: IPv4Address, snapshot: Callable[[], Snapshot], record: EventSink
    ) -> None:
        self._interface = interface
        self._address = address
        self._snapshot = snapshot
        self._record = record
        self._throttle = Throttle(QUIET_SECONDS)
        self._watched = WatchedSocket()

    async def start(self) -> None:
        """Listen, or tell why not."""
        try:
            opened = _open(self._interface)
        except OSError as error:
            self._record(unwatched(self._interface, error.strerror or str(error), time.time()))
            return
        self._watched.open(opened, self._readable)

    async def close(self) -> None:
        """Stop listening; closing twice is no error."""
        self._watched.close()

    def _readable(self, opened: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet, (*_, hardware) = opened.recvfrom(_LARGEST)
            except OSError:
                # Nothing more, or an interface that went down; the socket works again when it comes back.
                return
            self._look(packet, hardware)

    def _look(self, packet: bytes, hardware: bytes) -> None:
        snapshot = self._snapshot()
        found = snapshot.network_of(self._address)
        if found is None or found[1].dhcp is not DhcpMode.AUTHORITATIVE:
            return
        message = server_message(packet)
        if message is None:
            return
        server = message.address(Option.SERVER) or IPv4Address(packet[12:16])
        now = time.time()
        # A relay passes on what we answered at another network of the site, and other head nodes answer too.
        ours = {self._address, *(head for each in snapshot.site.networks.values() for head in each.heads)}
        if server not in ours and self._throttle.allows((server, hardware), now):
            self._record(foreign(message, server, hardware.hex(":"), now))


def server_message(packet: bytes) -> Message | None:
    """The OFFER, ACK or NAK in an IPv4 packet of UDP, or None for anything else."""
    header = 4 * (packet[0] & 15) if len(packet) > _IP_SIZE else len(packet)
    try:
        message = decode(packet[header + _UDP_SIZE :])
    except ProtocolError:
        return None
    return message if message.op is Op.REPLY and message.kind in (Kind.OFFER, Kind.ACK, Kind.NAK) else None


def _open(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    try:
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _FILTER))
        pointer = struct.pack("HL", len(_FILTER), ctypes.addressof(program))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        # Only now, so that nothing arrives past the filter.
        opened.bind((interface, _ETHERTYPE_IP))
    except OSError:
        opened.close()
        raise
    return opened

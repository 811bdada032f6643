"""The DHCP server: one UDP socket on one interface. It decides nothing (see `policy`)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Address

from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import MAX_SIZE, decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import Answer, answer
from provisioner.dhcp.reply import SERVER_PORT, destination
from provisioner.dhcp.report import Throttle, events_of, malformed
from provisioner.errors import ProtocolError, UnavailableError
from provisioner.host.datagrams import waiting
from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot

# A rack that is switched on at once must fit while the loop does something else: 4,000 messages of 600 octets.
_RECEIVE_BUFFER = 4 << 20


class DhcpServer:
    """Serves one interface, whose own IPv4 address is `address`.

    Replies go to the relay, to the address that the client uses, or to everybody (RFC 2131 section 4.1). Raw
    frames to clients that have no address yet, which keep a reply from the other machines, are not sent.
    """

    def __init__(
        self,
        *,
        interface: str,
        address: IPv4Address,
        port: int = SERVER_PORT,
        http_port: int,
        snapshot: Callable[[], Snapshot],
        catalogue: Callable[[], Catalogue],
        record: EventSink,
    ) -> None:
        self._interface = interface
        self._address = address
        self._port = port
        self._http_port = http_port
        self._snapshot = snapshot
        self._catalogue = catalogue
        self._record = record
        self._leases = Leases()
        self._throttle = Throttle()
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Listen. UnavailableError when the interface or the port cannot be had."""
        self._socket = _open(self._interface, self._port)
        asyncio.get_running_loop().add_reader(self._socket, self._readable, self._socket)

    async def close(self) -> None:
        """Stop listening; closing twice is no error."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def mac_of(self, address: IPv4Address) -> MacAddress | None:
        """The machine that holds an address of the pool now."""
        lease = self._leases.at(address, time.time())
        return lease.mac if lease else None

    def _readable(self, opened: socket.socket) -> None:
        for data, source in waiting(opened, MAX_SIZE + 1):
            self._receive(data, source[0])

    def _receive(self, data: bytes, source: str) -> None:
        now = time.time()
        try:
            message = decode(data)
        except ProtocolError as error:
            if self._throttle.allows(source, now):
                self._record(malformed(source, error.message, now))
            return
        decided = answer(message, self._context(now))
        self._remember(decided)
        if decided.reply is not None:
            self._send(encode(decided.reply), destination(decided.reply), now)
        client = decided.client.machine.mac if decided.client else source
        if decided.reply is not None or self._throttle.allows((client, decided.name, decided.reason), now):
            for event in events_of(message, decided, now):
                self._record(event)

    def _context(self, now: float) -> Context:
        return Context(
            snapshot=self._snapshot(),
            catalogue=self._catalogue(),
            server=self._address,
            http_port=self._http_port,
            leases=self._leases,
            now=now,
        )

    def _remember(self, decided: Answer) -> None:
        if decided.drop is not None:
            self._leases.drop(decided.drop)
        if decided.keep is not None:
            self._leases.keep(decided.keep)

    def _send(self, data: bytes, target: tuple[str, int], now: float) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, target)
        except OSError as error:
            # An unreachable relay, a full buffer, a full table of neighbours: the client asks again.
            reason = f"no reply could be sent to {target[0]}: {error.strerror}"
            if self._throttle.allows((target[0], "unsent", reason), now):
                self._record(Event(now, Stage.DHCP, "dhcp.unsent", reason, Level.FAILURE))


def _open(interface: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        # Broadcasts arrive only at the wildcard address, so the device keeps other networks out.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        opened.bind(("", port))
    except OSError as error:
        opened.close()
        raise UnavailableError(
            f"DHCP cannot listen on port {port} of {interface}: {error.strerror}",
            hint="another DHCP server may run: ss -lunp 'sport = :67'",
        ) from error
    return opened

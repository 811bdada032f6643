"""The DHCP server: one UDP socket on one interface. It decides nothing (see `policy`)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Address

from provisioner.boot.attempts import Attempts
from provisioner.boot.loader import NOT_LOOKED_AT, Shelf
from provisioner.dhcp.codec import MAX_SIZE
from provisioner.dhcp.desk import Desk
from provisioner.dhcp.outlet import Outlet
from provisioner.dhcp.reply import SERVER_PORT
from provisioner.errors import UnavailableError
from provisioner.host.datagrams import WatchedSocket, waiting
from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally

# A rack that is switched on at once must fit while the loop does something else: 4,000 messages of 600 octets.
_RECEIVE_BUFFER = 4 << 20


class DhcpServer:
    """Serves one interface, whose own IPv4 address is `address`.

    With `boot_service` it is what a proxy has besides, at port 4011. `shelf` are the loaders that there are, and
    `attempts` those that were given in vain. `beside` names other networks of the interface, whose servers hear
    every broadcast too.

    Replies go to the relay, to the address that the client uses, to its hardware address while it has none, or to
    everybody (RFC 2131 section 4.1).
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
        tally: Tally | None = None,
        boot_service: bool = False,
        shelf: Shelf = NOT_LOOKED_AT,
        attempts: Attempts | None = None,
        beside: frozenset[str] = frozenset(),
    ) -> None:
        self._interface = interface
        self._source = (address, port)
        self._snapshot = snapshot
        self._catalogue = catalogue
        self._record = record
        self._tally = tally if tally is not None else Tally()
        self._desk = Desk(
            address,
            http_port,
            boot_service=boot_service,
            shelf=shelf,
            attempts=attempts,
            beside=beside,
            steady=time.monotonic,
        )
        self._watched = WatchedSocket()
        self._outlet: Outlet | None = None

    async def start(self) -> None:
        """Listen. UnavailableError when the interface or the port cannot be had."""
        opened = _open(self._interface, self._source[1])
        self._outlet = Outlet(opened, self._interface, self._source, self._record)
        self._watched.open(opened, self._readable)

    async def close(self) -> None:
        """Stop listening; closing twice is no error."""
        if self._outlet is not None:
            self._outlet.close()
            self._outlet = None
        self._watched.close()

    def mac_of(self, address: IPv4Address) -> MacAddress | None:
        """The machine that holds an address of the pool now."""
        lease = self._desk.leases.at(address, time.monotonic())
        return lease.mac if lease else None

    def _readable(self, opened: socket.socket) -> None:
        for data, source in waiting(opened, MAX_SIZE + 1):
            now = time.time()
            site = self._snapshot(), self._catalogue()
            outcome = self._desk.handle(data, source, site, now=now)
            name = outcome.name
            if outcome.reply is not None and outcome.target is not None and self._outlet is not None:
                name = name if self._outlet.send(outcome.reply, outcome.target, now) else "unsent"
            self._tally.add("dhcp_messages", name)
            for event in outcome.events:
                self._record(event)


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

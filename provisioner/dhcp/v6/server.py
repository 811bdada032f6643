"""The DHCPv6 server: one UDP socket on one interface. It decides nothing (see `policy`)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from ipaddress import IPv6Address

from provisioner.boot.attempts import Attempts
from provisioner.boot.loader import NOT_LOOKED_AT, Shelf
from provisioner.dhcp.client import Program
from provisioner.dhcp.report import Throttle, stuck
from provisioner.dhcp.v6.case import Context
from provisioner.dhcp.v6.codec import MAX_SIZE, decode, encode
from provisioner.dhcp.v6.message import ALL_SERVERS, CLIENT_PORT, SERVER_PORT, Kind, Option, Packet
from provisioner.dhcp.v6.policy import Answer, answer
from provisioner.errors import ProtocolError, UnavailableError
from provisioner.host.datagrams import WatchedSocket, waiting
from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally

_RECEIVE_BUFFER = 4 << 20
_FAMILY = "dhcp6_messages"


class Dhcp6Server:
    """Serves one interface, whose own IPv6 address is `address`. It keeps nothing between two messages."""

    def __init__(
        self,
        *,
        interface: str,
        address: IPv6Address,
        snapshot: Callable[[], Snapshot],
        catalogue: Callable[[], Catalogue],
        record: EventSink,
        tally: Tally,
        shelf: Shelf = NOT_LOOKED_AT,
        attempts: Attempts | None = None,
    ) -> None:
        self._interface = interface
        self._address = address
        self._snapshot = snapshot
        self._catalogue = catalogue
        self._record = record
        self._tally = tally
        self._shelf = shelf
        self._attempts = attempts or Attempts()
        self._throttle = Throttle()
        self._watched = WatchedSocket()

    async def start(self) -> None:
        """Listen. UnavailableError when the interface or the port cannot be had."""
        opened = _open(self._interface)
        self._watched.open(opened, self._readable)

    async def close(self) -> None:
        """Stop listening; closing twice is no error."""
        self._watched.close()

    def _readable(self, opened: socket.socket) -> None:
        for data, source in waiting(opened, MAX_SIZE + 1):
            self._receive(opened, data, source)

    def _receive(self, opened: socket.socket, data: bytes, source: tuple[str | int, ...]) -> None:
        now, sender = time.time(), str(source[0]).partition("%")[0]
        try:
            packet = decode(data)
        except ProtocolError as error:
            self._tally.add(_FAMILY, "malformed")
            if self._throttle.allows(sender, now):
                self._record(_malformed(sender, error.message, now))
            return
        context = Context(self._snapshot(), self._catalogue(), self._address, self._shelf, self._attempts.step)
        decided = answer(packet, IPv6Address(sender), context)
        self._tally.add(_FAMILY, decided.name)
        if decided.reply is not None:
            port = SERVER_PORT if packet.relays else CLIENT_PORT
            self._send(opened, encode(decided.reply), (sender, port, 0, int(source[3])), now)
        asker = decided.mac or sender
        if decided.reply is not None or self._throttle.allows((asker, decided.name, decided.reason), now):
            self._record(_event(packet, decided, sender, now))
        loads = _who_loads(decided)
        if loads is not None and self._attempts.gave(loads, now=now):
            self._record(stuck(loads, decided.node, now))

    def _send(self, opened: socket.socket, data: bytes, target: tuple[str, int, int, int], now: float) -> None:
        try:
            opened.sendto(data, target)
        except OSError as error:
            # An unreachable relay, a full buffer, a full table of neighbours: the client asks again.
            self._tally.add(_FAMILY, "unsent")
            reason = f"no reply could be sent to {target[0]}: {error.strerror}"
            if self._throttle.allows((target[0], "unsent", reason), now):
                self._record(Event(now, Stage.DHCP, "dhcp6.unsent", reason, Level.FAILURE))


def _who_loads(decided: Answer) -> MacAddress | None:
    """The machine whose firmware has its address now, and loads what the reply names."""
    if decided.name != "reply" or decided.reply is None or decided.client is None:
        return None
    is_firmware = decided.client.program in (Program.PXE, Program.HTTP)
    return decided.mac if is_firmware and decided.reply.message.option(Option.BOOT_FILE_URL) else None


def _event(packet: Packet, decided: Answer, sender: str, now: float) -> Event:
    client, name = decided.client, decided.name
    kinds = {kind.value: kind.name.replace("_", "-") for kind in Kind}
    asked = kinds.get(packet.message.kind, "nothing")
    who = f" from {client.program.value}" if client else f" from {sender}"
    data = {"firmware": client.firmware.value, "program": client.program.name.lower()} if client else {}
    return Event(
        time=now,
        stage=Stage.DHCP,
        name=f"dhcp6.{name}",
        message=f"{asked}{who}: {decided.reason}",
        level=decided.level,
        mac=decided.mac,
        node=decided.node,
        address=str(decided.address) if decided.address else None,
        data=dict(data),
    )


def _malformed(source: str, reason: str, now: float) -> Event:
    return Event(now, Stage.DHCP, "dhcp6.malformed", reason, Level.WARNING, data={"source": source})


def _open(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        opened.bind(("::", SERVER_PORT))
        group = ALL_SERVERS.packed + struct.pack("@I", socket.if_nametoindex(interface))
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    except OSError as error:
        opened.close()
        raise UnavailableError(
            f"DHCPv6 cannot listen on port {SERVER_PORT} of {interface}: {error.strerror}",
            hint=f"another DHCPv6 server may run: ss -lunp 'sport = :{SERVER_PORT}'",
        ) from error
    return opened

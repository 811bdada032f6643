"""Sending replies: through the system's own tables, or straight to the hardware of a client without an address."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address

from provisioner.dhcp.frame import udp_packet
from provisioner.dhcp.link import Link
from provisioner.dhcp.reply import Target, everybody
from provisioner.dhcp.report import Throttle, unsent
from provisioner.model.event import Event, EventSink, Level, Stage


class Outlet:
    """Where the replies of one interface leave. What cannot be sent is an event, the same one once a minute.

    Where the system refuses raw frames, which take CAP_NET_RAW, a client without an address is reached by
    broadcast, as if it had asked for that; this is told once.
    """

    def __init__(self, opened: socket.socket, interface: str, source: tuple[IPv4Address, int], sink: EventSink):
        self._socket = opened
        self._source = source
        self._record = sink
        self._throttle = Throttle()
        self._link = self._open_link(interface)

    def send(self, reply: bytes, target: Target, now: float) -> bool:
        """Send a reply; whether the system took it."""
        if target.hardware and self._link is None:
            target = everybody(target)
        try:
            if target.hardware and self._link is not None:
                destination = IPv4Address(target.address), target.port
                self._link.send(udp_packet(reply, self._source, destination), target.hardware)
            else:
                self._socket.sendto(reply, target[:2])
        except OSError as error:
            # An unreachable relay, a full buffer, a full table of neighbours: the client asks again.
            reason = f"no reply could be sent to {target.address}: {error.strerror}"
            if self._throttle.allows((target.address, reason), now):
                self._record(unsent(reason, now))
            return False
        return True

    def close(self) -> None:
        """Close what this object opened itself."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _open_link(self, interface: str) -> Link | None:
        try:
            return Link(interface)
        except OSError as error:
            reason = (
                f"replies to machines without an address go to everybody on {interface}, because raw frames cannot"
                f" be sent: {error.strerror} (the daemon needs CAP_NET_RAW)"
            )
            self._record(Event(time.time(), Stage.DHCP, "dhcp.broadcast", reason, Level.WARNING))
            return None

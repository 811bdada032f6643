"""What becomes of requests, as events and counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address

from provisioner.model.address import Address, MacAddress
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.tftp.meter import Meter
from provisioner.tftp.session import End, Session

MAX_WARNINGS = 50
"""Warnings a second. What is beyond is only counted: a flood has as many senders as it likes."""

logger = logging.getLogger(__name__)


class Account:
    """Records events and counts. `mac_of` knows the machines that hold addresses of a pool."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        mac_of: Callable[[IPv4Address], MacAddress | None],
        record: EventSink,
        tally: Tally,
    ) -> None:
        self._snapshot = snapshot
        self._mac_of = mac_of
        self._record = record
        self._tally = tally
        self._warnings: Meter[None] = Meter(MAX_WARNINGS, time.monotonic)

    def ended(self, host: str, file: str, session: Session, end: End, reason: str) -> None:
        """A transfer is over."""
        self.counted(session, end)
        match end:
            case End.DONE:
                self._tell(host, "sent", f"{file} sent", level=Level.INFO, session=session)
            case End.FAILED:
                self._tell(host, "failed", f"{file}: {reason}", session=session)
            case End.UNHEARD:
                self._tell(host, "unheard", f"{file}: {reason}", session=session)
            case _:
                # OVMF and others ask for the size, break off and ask again: no failure.
                logger.debug("tftp: %s: %s: %s %s", host, file, end, reason)

    def counted(self, session: Session, end: End) -> None:
        """A transfer is over that somebody else tells about."""
        self._tally.add("tftp_transfers", end)
        self._tally.add("tftp_bytes", amount=session.transfer.progress)

    def refused(self, host: str, name: str, reason: str) -> None:
        """A request was answered with an error."""
        self._tally.add("tftp_transfers", "malformed" if name == "malformed" else "refused")
        self._tell(host, name, reason)

    def ignored(self, label: str) -> None:
        """A datagram that got no answer."""
        self._tally.add("tftp_transfers", label)

    def _tell(
        self, host: str, name: str, message: str, *, level: Level = Level.WARNING, session: Session | None = None
    ) -> None:
        if level is Level.WARNING and not self._warnings.allows(None):
            return
        node, mac = self._who(host)
        event = Event(
            time=time.time(),
            stage=Stage.LOADER,
            name=f"loader.{name}",
            message=message,
            level=level,
            mac=mac,
            node=node.name if node else None,
            address=host,
            bytes=session.transfer.progress if session else None,
            seconds=session.seconds if session else None,
        )
        self._record(event)

    def _who(self, host: str) -> tuple[ResolvedNode | None, str | None]:
        address, snapshot = ip_address(host), self._snapshot()
        node = snapshot.by_address.get(address)
        if node is not None:
            return node, next((each.mac for each in node.interfaces if _has(each, address)), None)
        mac = self._mac_of(address) if isinstance(address, IPv4Address) else None
        return (snapshot.by_mac.get(mac) if mac else None), mac


def _has(interface: ResolvedInterface, address: Address) -> bool:
    return any(own is not None and own.ip == address for own in (interface.ip, interface.ip6))

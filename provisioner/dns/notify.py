"""Tells secondaries that the zones changed (RFC 1996), until each one says that it heard it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from provisioner.dns.codec import notification
from provisioner.dns.zone import Zones
from provisioner.model.address import Address

_LOOK_SECONDS = 1.0
_HEADER = 12
# Looks after the change at which a message is sent again; then its refresh time has to do.
_SENDINGS = frozenset({0, 2, 6, 14, 30})


class Notifier:
    """Looks for a new serial once a second. `send` puts a datagram on its way from the port that serves DNS."""

    def __init__(self, zones: Callable[[], Zones], send: Callable[[bytes, Address], None]) -> None:
        self._zones = zones
        self._send = send
        self._told: int | None = None
        self._looks = 0
        self._pending: dict[tuple[bytes, Address], bytes] = {}

    async def run(self) -> None:
        """Look and tell, until it is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Send what is due."""
        zones = self._zones()
        if zones.serial != self._told:
            self._told, self._looks = zones.serial, 0
            self._pending = dict(self._messages(zones))
        if self._looks in _SENDINGS:
            for (_, address), message in self._pending.items():
                self._send(message, address)
        self._looks += 1

    def heard(self, data: bytes, source: Address) -> bool:
        """Whether a datagram is the reply of a secondary to what it was told."""
        is_reply = len(data) >= _HEADER and data[2] & 0xF8 == 0xA0
        return is_reply and self._pending.pop((data[:2], source), None) is not None

    @staticmethod
    def _messages(zones: Zones) -> list[tuple[tuple[bytes, Address], bytes]]:
        found = []
        for address in zones.snapshot.site.dns.notify:
            for apex, domain in zones.apexes.items():
                message = notification(secrets.randbelow(1 << 16), zones.authority(apex, domain))
                found.append(((message[:2], address), message))
        return found

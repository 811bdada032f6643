"""The services of a network, kept on the device that has the head node's address there.

Sockets of DHCP belong to a device. One that is taken away and comes back, or hands its address to another (a bond,
a bridge), leaves them deaf without an error: so somebody has to look.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

import psutil

from provisioner.daemon.rounds import Rounds
from provisioner.daemon.services import Place, Service, Wiring, dhcp_server, network_services
from provisioner.errors import UnavailableError
from provisioner.host import net
from provisioner.model.event import Event, Level, Stage
from provisioner.model.written import Ports

logger = logging.getLogger(__name__)


class Footing:
    """One network: its services where its address is. `trouble` says why nodes there hear nothing, or is empty."""

    def __init__(self, place: Place, wiring: Wiring, ports: Ports) -> None:
        self.place = place
        self.trouble = ""
        self.dhcp = dhcp_server(wiring, place, ports)
        self._wiring = wiring
        self._ports = ports
        self._services: list[Service] = []
        self._index = 0

    async def start(self) -> None:
        """Open the sockets. UnavailableError when they cannot be had."""
        self._index = _index(self.place.interface)
        for service in network_services(self._wiring, self.place, self._ports, self.dhcp):
            self._services.append(service)
            await service.start()

    async def close(self) -> None:
        """Close the sockets."""
        while self._services:
            await self._services.pop().close()

    async def look(self) -> None:
        """Follow the address to the device that has it now, and say what is missing when that changes."""
        trouble = await asyncio.to_thread(self._trouble)
        if not trouble:
            trouble = await self._follow() or await asyncio.to_thread(self._trouble6)
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble:
            self._tell("network.lost", trouble, Level.FAILURE)
        else:
            self._tell(
                "network.back", f"{self.place.address} is on {self.place.interface} and it is up", Level.INFO
            )

    def _trouble(self) -> str:
        name, address = self.place.network, self.place.address
        device = net.addresses().get(address)
        if device is None:
            return f"no device has {address} any more, the head node's address in network {name}"
        stats = psutil.net_if_stats().get(device)
        if stats is not None and not stats.isup:
            return f"{device}, the head node's device in network {name}, is down"
        return ""

    def _trouble6(self) -> str:
        # The kernel takes IPv6 addresses away from a device that goes down, and does not give them back.
        name, address = self.place.network, self.place.address6
        if address is None or address in net.addresses6():
            return ""
        return f"no device has {address} any more, the head node's IPv6 address in network {name}"

    async def _follow(self) -> str:
        """Begin again where the address is, if that is another device than the sockets were made for."""
        device = net.addresses().get(self.place.address)
        if device is None or (device == self.place.interface and _index(device) == self._index):
            return "" if self._services else await self._restart(self.place.interface)
        self._tell("network.moved", f"{self.place.address} is on {device} now", Level.WARNING)
        return await self._restart(device)

    async def _restart(self, device: str) -> str:
        await self.close()
        self.place = replace(self.place, interface=device)
        self.dhcp = dhcp_server(self._wiring, self.place, self._ports)
        try:
            await self.start()
        except (UnavailableError, OSError) as error:
            # What was opened alone would look like all of it; the next look tries again.
            await self.close()
            return str(error)
        return ""

    def _tell(self, name: str, message: str, level: Level) -> None:
        logger.log(logging.INFO if level is Level.INFO else logging.ERROR, "%s", message)
        self._wiring.record(Event(time.time(), Stage.SITE, name, message, level, address=str(self.place.address)))


class Watchman(Rounds):
    """Looks at every network once a second."""

    def __init__(self, footings: Sequence[Footing]) -> None:
        self._footings = footings

    def troubles(self) -> list[str]:
        """What is missing now, a sentence for each network."""
        return [each.trouble for each in self._footings if each.trouble]

    async def round(self) -> None:
        """Look at each; nothing that one device does ends the look at the others."""
        for footing in self._footings:
            try:
                await footing.look()
            except Exception:
                logger.exception("network %s", footing.place.network)


def _index(device: str) -> int:
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return 0

"""The services of one network, built on the interface where the head node meets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from provisioner.dhcp.advertise import RouterAdvertiser
from provisioner.dhcp.server import DhcpServer
from provisioner.dns.server import DnsServer
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.model.written import DhcpMode, Ports
from provisioner.tftp.server import TftpServer
from provisioner.tftp.table import Table


class Service(Protocol):
    """Anything that the daemon starts and stops."""

    async def start(self) -> None:
        """Open sockets."""

    async def close(self) -> None:
        """Close them."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every network service gets: the snapshot and images, the loaders, where events and counts go."""

    snapshot: Callable[[], Snapshot]
    catalogue: Callable[[], Catalogue]
    loaders: Mapping[str, bytes]
    record: EventSink
    tally: Tally


@dataclass(frozen=True, slots=True)
class Place:
    """Where the head node stands in a network: the device and its own address there."""

    network: str
    interface: str
    address: IPv4Address


def dhcp_server(wiring: Wiring, place: Place, ports: Ports) -> DhcpServer:
    """The DHCP server of a network; whether it is started is `network_services`' choice."""
    return DhcpServer(
        interface=place.interface,
        address=place.address,
        port=ports.dhcp,
        http_port=ports.http,
        snapshot=wiring.snapshot,
        catalogue=wiring.catalogue,
        record=wiring.record,
    )


def network_services(wiring: Wiring, place: Place, ports: Ports, dhcp: DhcpServer) -> list[Service]:
    """DHCP (where this network wants it), TFTP and DNS for one network; a port of 0 leaves a service out."""
    mode = wiring.snapshot().site.networks[place.network].dhcp
    services: list[Service] = []
    if mode is DhcpMode.AUTHORITATIVE and ports.dhcp:
        # Only a network that we own gets our router advertisements.
        services += [dhcp, RouterAdvertiser(interface=place.interface)]
    if ports.tftp:
        services.append(_tftp(wiring, place, ports, dhcp))
    if ports.dns:
        services.append(DnsServer(address=place.address, port=ports.dns, snapshot=wiring.snapshot))
    return services


def _tftp(wiring: Wiring, place: Place, ports: Ports, dhcp: DhcpServer) -> TftpServer:
    script = f"#!ipxe\nchain --replace http://{place.address}:{ports.http}/boot/${{netX/mac:hexhyp}}\n".encode()
    return TftpServer(
        address=place.address,
        port=ports.tftp,
        table=Table(wiring.loaders, {"autoexec.ipxe": lambda _client: script}),
        snapshot=wiring.snapshot,
        mac_of=dhcp.mac_of,
        record=wiring.record,
    )

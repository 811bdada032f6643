"""The services of one network, built on the interface where the head node meets it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol

from provisioner.boot.attempts import Attempts
from provisioner.boot.loader import NOT_LOOKED_AT, Shelf
from provisioner.dhcp.advertise import RouterAdvertiser
from provisioner.dhcp.reply import BOOT_SERVICE_PORT
from provisioner.dhcp.sentry import Sentry
from provisioner.dhcp.server import DhcpServer
from provisioner.dhcp.v6.server import Dhcp6Server
from provisioner.dns.server import DnsServer
from provisioner.model.address import Address
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.model.written import Dhcp6Mode, DhcpMode, Ports
from provisioner.tftp.server import TftpServer
from provisioner.tftp.table import Held, Table

BootFinder = Callable[[str, str, str], Coroutine[Any, Any, Held] | None]


class Service(Protocol):
    """Anything that the daemon starts and stops."""

    async def start(self) -> None:
        """Open sockets."""

    async def close(self) -> None:
        """Close them."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every network service gets: the snapshot and images, the loaders, where events and counts go.

    `serial` gives that of a revision's DNS zones, `nbd` the server of roots that stream, on an address;
    `boot_files` what GRUB fetches by TFTP from our URL there.
    """

    snapshot: Callable[[], Snapshot]
    catalogue: Callable[[], Catalogue]
    loaders: Mapping[str, bytes]
    record: EventSink
    tally: Tally
    serial: Callable[[str], int]
    nbd: Callable[[Address], Service] | None = None
    shelf: Shelf = NOT_LOOKED_AT
    attempts: Attempts = field(default_factory=Attempts)
    boot_files: BootFinder = lambda _name, _client, _url: None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the head node stands in a network: the device and its own addresses there.

    `address6` is None where nothing is served over IPv6. `beside` names the other networks on that device.
    """

    network: str
    interface: str
    address: IPv4Address
    address6: IPv6Address | None = None
    beside: frozenset[str] = frozenset()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where services of this network listen."""
        return (self.address, self.address6) if self.address6 else (self.address,)


def dhcp_server(wiring: Wiring, place: Place, ports: Ports, *, boot_service: bool = False) -> DhcpServer:
    """The DHCP server of a network, or what a proxy has besides; `network_services` chooses what is started."""
    return DhcpServer(
        interface=place.interface,
        address=place.address,
        port=BOOT_SERVICE_PORT if boot_service else ports.dhcp,
        http_port=ports.http,
        snapshot=wiring.snapshot,
        catalogue=wiring.catalogue,
        record=wiring.record,
        tally=wiring.tally,
        boot_service=boot_service,
        shelf=wiring.shelf,
        attempts=wiring.attempts,
        beside=place.beside,
    )


def network_services(wiring: Wiring, place: Place, ports: Ports, dhcp: DhcpServer) -> list[Service]:
    """DHCP (where this network wants it), TFTP and DNS for one network; a port of 0 leaves a service out."""
    network = wiring.snapshot().site.networks[place.network]
    services: list[Service] = []
    if network.dhcp is not DhcpMode.OFF and ports.dhcp:
        services.append(dhcp)
    if network.dhcp is DhcpMode.AUTHORITATIVE and ports.dhcp:
        services.append(_sentry(wiring, place))
    if network.dhcp is DhcpMode.PROXY and ports.dhcp:
        services.append(dhcp_server(wiring, place, ports, boot_service=True))
    if place.address6 and network.dhcp6 is Dhcp6Mode.AUTHORITATIVE:
        services.append(_dhcp6(wiring, place.interface, place.address6))
        services.append(RouterAdvertiser(interface=place.interface, prefix=network.cidr6))
    elif network.dhcp is DhcpMode.AUTHORITATIVE and ports.dhcp:
        # Only a network that we own gets our router advertisements.
        services.append(RouterAdvertiser(interface=place.interface))
    for address in place.addresses:
        services += _services_at(wiring, place, address, dhcp)
    return services


def _services_at(wiring: Wiring, place: Place, address: Address, dhcp: DhcpServer) -> Iterator[Service]:
    """What is the same over IPv4 and IPv6."""
    ports = wiring.snapshot().site.ports
    if ports.tftp:
        yield _tftp(wiring, place, address, dhcp)
    if ports.dns:
        yield _dns(wiring, address, ports)
    if ports.nbd and wiring.nbd:
        yield wiring.nbd(address)


def _sentry(wiring: Wiring, place: Place) -> Sentry:
    return Sentry(interface=place.interface, address=place.address, snapshot=wiring.snapshot, record=wiring.record)


def _dhcp6(wiring: Wiring, interface: str, address: IPv6Address) -> Dhcp6Server:
    return Dhcp6Server(
        interface=interface,
        address=address,
        snapshot=wiring.snapshot,
        catalogue=wiring.catalogue,
        record=wiring.record,
        tally=wiring.tally,
        shelf=wiring.shelf,
        attempts=wiring.attempts,
    )


def _dns(wiring: Wiring, address: Address, ports: Ports) -> DnsServer:
    return DnsServer(
        address=address,
        port=ports.dns,
        snapshot=wiring.snapshot,
        serial=wiring.serial,
        tally=wiring.tally,
    )


def _tftp(wiring: Wiring, place: Place, address: Address, dhcp: DhcpServer) -> TftpServer:
    ports = wiring.snapshot().site.ports
    host = f"[{address}]" if address.version == 6 else f"{address}"
    url = f"http://{host}:{ports.http}"
    script = f"#!ipxe\nchain --replace {url}/boot/${{netX/mac:hexhyp}}\n".encode()
    return TftpServer(
        address=address,
        port=ports.tftp,
        table=Table(
            wiring.loaders,
            {"autoexec.ipxe": lambda _client: script},
            lambda name, client: wiring.boot_files(name, client, url),
        ),
        snapshot=wiring.snapshot,
        mac_of=dhcp.mac_of,
        record=wiring.record,
        tally=wiring.tally,
        one_port=lambda: wiring.snapshot().site.networks[place.network].tftp.one_port,
    )

"""What a DHCP server needs to boot our nodes, for sites that keep their own.

One plan, which the modules beside this one write in the languages of these servers.

It says what our own server would answer (`provisioner.dhcp.policy`), as far as a configuration file can say it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from provisioner.model.address import MacAddress
from provisioner.model.boot import Firmware
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import AddressRange, Network

# Every type of architecture that IANA has numbered so far is below it.
_ARCHITECTURES = range(64)
_RESOLVER_LIMIT = 8
NO_PROXY = bytes.fromhex("b00101")
"""Option 175 for iPXE: its option 176 (no-pxedhcp) is 1, so it does not wait 3 s for a proxy's offer."""

# iPXE expands its own settings in the name of a file: the address of the device that it boots from, with hyphens.
_SCRIPT = "/boot/${netX/mac:hexhyp}"


@dataclass(frozen=True, slots=True)
class Host:
    """A device that boots: `label` is a name that no other device has, `name` is its node's."""

    label: str
    name: str
    mac: MacAddress
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Loader:
    """A file, and the architectures (option 93, RFC 4578 section 2.1) that load it; None: those that name none."""

    file: str
    architectures: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Subnet:
    """One network: what its machines are told, what lies where, and the devices in it."""

    name: str
    cidr: IPv4Network
    head: IPv4Address
    gateway: IPv4Address | None
    resolvers: tuple[IPv4Address, ...]
    domain: str
    search: tuple[str, ...]
    pool: AddressRange | None
    url: str
    hosts: tuple[Host, ...]

    @property
    def script(self) -> str:
        """Where iPXE finds its boot script."""
        return self.url + _SCRIPT

    def loader_url(self, loader: Loader) -> str:
        """Where UEFI HTTP boot finds a loader."""
        return f"{self.url}/loader/{loader.file}"


@dataclass(frozen=True, slots=True)
class Addressing:
    """Every network of a site, and a sentence for what no DHCP server can be told."""

    subnets: tuple[Subnet, ...]
    loaders: tuple[Loader, ...]
    left_out: tuple[str, ...] = ()


def addressing_of(
    snapshot: Snapshot, names: Collection[str] | None = None, networks: Collection[str] = ()
) -> Addressing:
    """These nodes, or all of them, in these networks of a site, or in all of them.

    Raises LookupError for a network that the site does not have.
    """
    written = snapshot.site.networks
    for name in networks:
        if name not in written:
            raise LookupError(f"there is no network {name}")
    nodes = [node for name, node in sorted(snapshot.nodes.items()) if names is None or name in names]
    subnets = tuple(
        _subnet(snapshot, name, network, nodes)
        for name, network in written.items()
        if not networks or name in networks
    )
    known = {host.name for subnet in subnets for host in subnet.hosts}
    silent = [node.name for node in nodes if node.name not in known]
    sentence = f"{fold(silent)}: no device there has both a MAC and an IPv4 address"
    return Addressing(subnets, tuple(_loaders()), (sentence,) if silent else ())


def _subnet(snapshot: Snapshot, name: str, network: Network, nodes: Iterable[ResolvedNode]) -> Subnet:
    own = network.heads if snapshot.site.ports.dns else ()
    written = tuple(each for each in network.dns if isinstance(each, IPv4Address))[:_RESOLVER_LIMIT]
    return Subnet(
        name=name,
        cidr=network.cidr,
        head=network.head,
        gateway=network.gateway,
        resolvers=written or own,
        domain=network.domain,
        search=tuple(dict.fromkeys((network.domain, *network.search))) if network.search else (),
        pool=network.pool,
        url=snapshot.head_url(name),
        hosts=tuple(_hosts(network, nodes)),
    )


def _hosts(network: Network, nodes: Iterable[ResolvedNode]) -> Iterator[Host]:
    for node in nodes:
        for device in node.interfaces:
            if device.mac and device.ip and device.ip.ip in network.cidr:
                yield Host(f"{node.name}-{device.name}", node.name, device.mac, device.ip.ip)


def _loaders() -> Iterator[Loader]:
    found: dict[str, list[int | None]] = {}
    for code in (None, *_ARCHITECTURES):
        file = Firmware.from_architecture(code).loader
        if file:
            found.setdefault(file, []).append(code)
    yield from (Loader(file, tuple(codes)) for file, codes in found.items())

"""Everything that one DHCPv6 answer depends on, gathered before it is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from uuid import UUID, uuid5

from provisioner.boot.loader import NOT_LOOKED_AT, Choice, Shelf, choose
from provisioner.dhcp.v6.client import Client
from provisioner.dhcp.v6.message import Packet
from provisioner.model.address import MacAddress
from provisioner.model.boot import Machine
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network

# A machine without a hardware address is known by its UUID (RFC 6355), and no attempts of it are counted.
_NOBODY = MacAddress("00:00:00:00:00:00")
_NAMES = UUID("7f0c6c1e-6f0e-5c55-9b0a-3f1f6a1d8c02")


@dataclass(frozen=True, slots=True)
class Context:
    """The state of the world: `server` is our own address where the message came in.

    `shelf` are the loaders that there are, `step_of` how many of them a machine has tried in vain.
    """

    snapshot: Snapshot
    catalogue: Catalogue
    server: IPv6Address
    shelf: Shelf = NOT_LOOKED_AT
    step_of: Callable[[MacAddress], int] = lambda _: 0

    @property
    def duid(self) -> bytes:
        """The name of this server (RFC 8415 section 11.5): the same for every daemon of the site.

        So a client that got its address from one of them renews it at any other.
        """
        return b"\0\x04" + uuid5(_NAMES, self.snapshot.site.cluster).bytes

    def network_for(self, packet: Packet) -> tuple[str, Network] | None:
        """The network that the client is on: where its relay says, the nearest to it first, or else our own."""
        links = (each.link for each in reversed(packet.relays))
        link = next((each for each in links if not (each.is_unspecified or each.is_link_local)), self.server)
        return self.snapshot.network_of(link)

    def node_of(self, client: Client) -> ResolvedNode | None:
        """The node that a machine is by its UUID, where nothing tells the device that asks."""
        if client.mac is not None or not client.uuids:
            return None
        return next((node for each in client.uuids if (node := self.snapshot.by_uuid.get(each))), None)


@dataclass(frozen=True, slots=True)
class Case:
    """One message, who sent it, on which network, and what is known of the machine: `reason` says why so."""

    packet: Packet
    context: Context
    client: Client
    network_name: str
    network: Network
    mac: MacAddress | None
    node: ResolvedNode | None
    reason: str

    @property
    def loader(self) -> Choice:
        """What the firmware of this machine loads."""
        machine = Machine(self.mac or _NOBODY, self.client.firmware, vendor=self.client.vendor)
        said = self.context.snapshot.site.loaders
        return choose(machine, self.node, self.context.shelf, said=said, step=self.context.step_of(machine.mac))

    @property
    def address(self) -> IPv6Address | None:
        """The address that the node reserves for this device on this network."""
        device = self.node.interface_of(self.mac) if self.node and self.mac else None
        own = device.ip6.ip if device and device.ip6 else None
        return own if own and self.network.cidr6 and own in self.network.cidr6 else None

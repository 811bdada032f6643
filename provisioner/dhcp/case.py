"""Everything that one DHCP answer depends on, gathered before it is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from provisioner.boot.loader import NOT_LOOKED_AT, Choice, Shelf, choose
from provisioner.dhcp.client import Client
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.message import NO_ADDRESS, Message
from provisioner.model.address import MacAddress
from provisioner.model.boot import Decision
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network


@dataclass(frozen=True, slots=True)
class Context:
    """The state of the world: `server` is our own address where the message came in, `now` seconds of leases.

    `boot_service` says that it came to port 4011, where firmware asks for a boot file and nothing else. `shelf`
    are the loaders that there are, `step_of` how many of them a machine has tried in vain. `beside` are the names
    of the other networks on the device where it came in.
    """

    snapshot: Snapshot
    catalogue: Catalogue
    server: IPv4Address
    http_port: int
    leases: Leases
    now: float
    boot_service: bool = False
    shelf: Shelf = NOT_LOOKED_AT
    step_of: Callable[[MacAddress], int] = lambda _: 0
    beside: frozenset[str] = frozenset()

    def network_for(self, message: Message) -> tuple[str, Network] | None:
        """The network that the client is on.

        The relay's address tells, else the address that the client uses already (a client behind a relay
        renews by unicast, RFC 2131 section 4.3.2), else the interface.
        """
        if message.giaddr != NO_ADDRESS:
            return self.snapshot.network_of(message.giaddr)
        used = self.snapshot.network_of(message.ciaddr) if message.ciaddr != NO_ADDRESS else None
        return used or self.snapshot.network_of(self.server)


@dataclass(frozen=True, slots=True)
class Case:
    """One message, who sent it, on which network, what the machine boots, and which node it is, if any."""

    message: Message
    context: Context
    client: Client
    network_name: str
    network: Network
    decision: Decision
    node: ResolvedNode | None

    def beside(self, address: IPv4Address) -> str | None:
        """The network on the same device that an address is of, whose own server heard this message too."""
        networks = self.context.snapshot.site.networks
        # What a relay brings is of its network alone.
        names = self.context.beside if self.message.giaddr == NO_ADDRESS else frozenset[str]()
        return next((name for name in sorted(names & networks.keys()) if address in networks[name].cidr), None)

    @property
    def loader(self) -> Choice:
        """What the firmware of this machine loads."""
        machine, context = self.client.machine, self.context
        said, step = context.snapshot.site.loaders, context.step_of(machine.mac)
        return choose(machine, self.node, context.shelf, said=said, step=step)

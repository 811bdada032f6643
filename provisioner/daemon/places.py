"""Where the head node stands in each network of its site."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address

from provisioner.daemon.services import Place
from provisioner.errors import UnavailableError
from provisioner.host import net
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Dhcp6Mode, DhcpMode, Network


def places_of(snapshot: Snapshot) -> list[Place]:
    """Where this machine stands in each network of the site.

    A network without our DHCP may be one where the head node is not: storage, or the management of machines.
    Raises UnavailableError where it has to be, and where it is nowhere.
    """
    own = net.addresses()
    places: list[Place] = []
    for name, network in snapshot.site.networks.items():
        if network.relayed:
            # Relays bring its questions to where the head node is; answers find their way by its gateway.
            continue
        head = network.own_head(own)
        if head is None:
            is_elsewhere = network.dhcp is DhcpMode.OFF and network.dhcp6 is Dhcp6Mode.OFF
            if is_elsewhere and (places or name != _last(snapshot)):
                continue
            heads = " or ".join(map(str, network.heads))
            message = f"no network device of this machine has {heads}, the head node's address in network {name}"
            hint = (
                f"ip address add {network.head}/{network.cidr.prefixlen} dev DEVICE, or set networks.{name}.server"
            )
            raise UnavailableError(message, hint=hint)
        places.append(Place(name, own[head], head, _head6(name, network)))
    return [replace(each, beside=_beside(each, places)) for each in places]


def _beside(place: Place, places: Iterable[Place]) -> frozenset[str]:
    """The other networks on the device of a place."""
    return frozenset(each.network for each in places if each.interface == place.interface) - {place.network}


def _last(snapshot: Snapshot) -> str:
    """The last network that the head node can be in: the one to name where it is in none."""
    return [name for name, network in snapshot.site.networks.items() if not network.relayed][-1]


def _head6(name: str, network: Network) -> IPv6Address | None:
    """The head node's IPv6 address in a network where it gives out such addresses.

    Raises UnavailableError where no device has it. Of several head nodes one has it, and alone serves IPv6.
    """
    head = network.head6
    if network.dhcp6 is Dhcp6Mode.OFF or head is None or network.cidr6 is None:
        return None
    if head not in net.addresses6():
        if len(network.heads) > 1:
            return None
        message = f"no network device of this machine has {head}, the head node's IPv6 address in network {name}"
        hint = f"ip address add {head}/{network.cidr6.prefixlen} dev DEVICE, or set networks.{name}.server6"
        raise UnavailableError(message, hint=hint)
    return head

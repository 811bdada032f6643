"""The address of one interface: the pattern that was written, the number of the node, and its network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from provisioner.model.address import Address, AddressPattern, node_number
from provisioner.model.written import Network


def ipv4_of(node: str, pattern: AddressPattern, network: Network) -> IPv4Interface:
    """The IPv4 address of a node in a network, with the prefix length of the network.

    Raises ValueError with the reason when the node has no number to count by, when the address is none of IPv4
    or outside the network, or when it belongs to somebody else: to the network itself, to the server, to the
    gateway or to the pool of unknown machines.
    """
    address = _counted(node, pattern)
    if not isinstance(address, IPv4Address):
        raise ValueError(f"{address} is an IPv6 address; write it as ip6")  # noqa: TRY004 - the text is wrong, not a type
    if address not in network.cidr:
        raise ValueError(f"{address} is outside the network {network.cidr}")
    owner = _owner(address, network)
    if owner:
        raise ValueError(f"{address} is {owner}")
    return IPv4Interface((int(address), network.cidr.prefixlen))


def ipv6_of(node: str, pattern: AddressPattern, network: Network) -> IPv6Interface:
    """The IPv6 address of a node in a network, with the prefix length of the network; ValueError says why not."""
    address = _counted(node, pattern)
    if not isinstance(address, IPv6Address):
        raise ValueError(f"{address} is an IPv4 address; write it as ip")  # noqa: TRY004 - as above
    if network.cidr6 is None:
        raise ValueError(f"there is no room for {address}: the network has no cidr6")
    if address not in network.cidr6:
        raise ValueError(f"{address} is outside the network {network.cidr6}")
    if address == network.head6:
        raise ValueError(f"{address} is the address of the server")
    return IPv6Interface((int(address), network.cidr6.prefixlen))


def _counted(node: str, pattern: AddressPattern) -> Address:
    try:
        return pattern.resolve(node_number(node))
    except ValueError as error:
        # ipaddress refuses to count past either end of all addresses.
        raise ValueError(f"the address {pattern} of {node} cannot be counted: {error}") from None


def _owner(address: IPv4Address, network: Network) -> str | None:
    if address == network.cidr.network_address and network.cidr.prefixlen < 31:
        return "the address of the network itself"
    if address == network.cidr.broadcast_address and network.cidr.prefixlen < 31:
        return "the broadcast address"
    if address in network.heads:
        return "the address of the server"
    if address == network.gateway:
        return "the address of the gateway"
    if network.pool:
        first, last = network.pool.ends
        if first <= address <= last:
            return f"in the pool {network.pool}, which is kept for unknown machines"
    return None

"""The network of a lab: one bridge with the head's address on it, and a tap for every node."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from provisioner.model.written import Site

BRIDGE = "br0"
_HEAD6 = IPv6Interface("fd77::1/64")


@dataclass(frozen=True, slots=True)
class LabNetwork:
    """The head's addresses, with the prefix lengths of their networks, on the bridge that all nodes share."""

    head: IPv4Interface
    head6: IPv6Interface = _HEAD6

    def commands(self) -> list[list[str]]:
        """What builds it in an empty network namespace."""
        return [
            # A bridge that learns first would swallow the 15 s in which firmware asks for its address.
            ["ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0"],
            ["ip", "address", "add", str(self.head), "dev", BRIDGE],
            ["ip", "address", "add", str(self.head6), "dev", BRIDGE, "nodad"],
            ["ip", "link", "set", BRIDGE, "up"],
        ]


def tap_commands(tap: str) -> list[list[str]]:
    """What plugs a new tap device into the bridge."""
    return [
        ["ip", "tuntap", "add", "dev", tap, "mode", "tap"],
        ["ip", "link", "set", tap, "master", BRIDGE, "up"],
    ]


def network_of(site: Site) -> LabNetwork:
    """The lab of a site: its first network, with the head node's address in it."""
    network = next(iter(site.networks.values()))
    head = IPv4Interface((int(network.head), network.cidr.prefixlen))
    if network.head6 is None or network.cidr6 is None:
        return LabNetwork(head)
    return LabNetwork(head, IPv6Interface((int(network.head6), network.cidr6.prefixlen)))

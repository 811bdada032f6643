"""The names that a node has in its domain: one for itself, and one for each further device with an address.

DNS, `hosts`, exports, SSH certificates and known hosts agree on them.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.model.address import Address
from provisioner.model.resolved import ResolvedInterface, ResolvedNode


def host_names(node: ResolvedNode) -> Iterator[tuple[str, tuple[Address, ...]]]:
    """Short names with their addresses, the node's own first.

    Its own name means the device that boots, else the first with an address; a further one is `NODE-DEVICE`.
    """
    devices = sorted(node.interfaces, key=lambda each: each.name != node.primary)
    for index, device in enumerate(each for each in devices if addresses(each)):
        yield (f"{node.name}-{device_label(device.name)}" if index else node.name), addresses(device)


def device_label(device: str) -> str:
    """What a device adds to the name of its node. A VLAN's dot (`bond0.100`) would make two labels of it."""
    return device.lower().replace(".", "-")


def addresses(device: ResolvedInterface) -> tuple[Address, ...]:
    """The addresses of a device, IPv4 first."""
    return tuple(each.ip for each in (device.ip, device.ip6) if each)


def all_names(node: ResolvedNode) -> list[str]:
    """Everything that a person may type to reach a node: short and full names, and addresses."""
    named = list(host_names(node)) or [(node.name, ())]
    short = [name for name, _ in named]
    return [
        *short,
        *(f"{name}.{node.domain}" for name in short),
        *(str(address) for _, those in named for address in those),
    ]

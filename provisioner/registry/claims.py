"""What only one node may have: hardware addresses, addresses, and names in DNS, with the place that gave it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from provisioner.model.hostnames import device_label
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, Source
from provisioner.model.steps import dotted

WIRE, DNS = "wire", "dns"
NAME, LABEL = "name", "label"


class Claim(NamedTuple):
    """One value that a node takes in a space where values may be taken once.

    `kind` is the field that it comes from, or `name` and `label` for the node's own name and that of a further
    interface in DNS. `position` counts the claims of a node. A name has no place: `line` is 0.
    """

    node: str
    position: int
    space: str
    value: str
    kind: str
    interface: str
    file: str
    line: int
    column: int

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column."""
        return self.file, self.line, self.column


def claims_of(node: ResolvedNode) -> tuple[Claim, ...]:
    """Everything that a node claims: hardware addresses and addresses first, then names."""
    found = [*_on_the_wire(node), *_in_dns(node)]
    return tuple(
        Claim(node.name, position, space, value, kind, interface, *_place(source))
        for position, (space, value, kind, interface, source) in enumerate(found)
    )


_Found = tuple[str, str, str, str, Source | None]


def _on_the_wire(node: ResolvedNode) -> Iterator[_Found]:
    for each in node.interfaces:
        hardware = each.mac or each.infiniband_address
        fields = (("mac", hardware), ("ip", each.ip and each.ip.ip), ("ip6", each.ip6 and each.ip6.ip))
        for key, value in fields:
            if value:
                source = node.provenance[dotted(("interfaces", each.name, key))][-1]
                yield WIRE, str(value), key, each.name, source
    if node.bmc:
        for key, value in (("mac", node.bmc.mac), ("ip", node.bmc.ip and node.bmc.ip.ip)):
            if value:
                yield WIRE, str(value), key, "bmc", node.provenance[f"bmc.{key}"][-1]


def _in_dns(node: ResolvedNode) -> Iterator[_Found]:
    yield DNS, node.name.lower(), NAME, "", None
    for each in _further(node):
        label = f"{node.name}-{device_label(each.name)}".lower()
        key = "ip" if each.ip else "ip6"
        yield DNS, label, LABEL, each.name, node.provenance[dotted(("interfaces", each.name, key))][-1]


def _further(node: ResolvedNode) -> Iterator[ResolvedInterface]:
    return (each for each in node.interfaces if each.name != node.primary and (each.ip or each.ip6))


def _place(source: Source | None) -> tuple[str, int, int]:
    return (source.file, source.line, source.column) if source else ("", 0, 0)

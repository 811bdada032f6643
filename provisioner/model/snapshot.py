"""The snapshot: one frozen, indexed view of a whole site at one revision."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from provisioner.model.address import Address, MacAddress, http_url
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.written import Network, Site

K = TypeVar("K")


@dataclass(frozen=True)
class Snapshot:
    """A site at one revision. Services hold a reference; a reload swaps it."""

    revision: str
    site: Site
    nodes: Mapping[str, ResolvedNode]
    by_mac: Mapping[MacAddress, ResolvedNode]
    by_address: Mapping[Address, ResolvedNode]

    @classmethod
    def build(cls, revision: str, site: Site, nodes: Iterable[ResolvedNode]) -> Snapshot:
        """Index resolved nodes, which the registry has checked to be free of duplicates."""
        named = {node.name: node for node in nodes}
        return cls(
            revision=revision,
            site=site,
            nodes=MappingProxyType(named),
            by_mac=MappingProxyType(
                {mac: node for node in named.values() for each in node.interfaces if (mac := each.boot_mac)}
            ),
            by_address=MappingProxyType(
                {address: node for node in named.values() for address in _addresses(node)}
            ),
        )

    def changed(self, revision: str, site: Site, changed: Mapping[str, ResolvedNode | None]) -> Snapshot:
        """The snapshot of another revision, told by the nodes that are others there; None for one that is gone."""
        before = [self.nodes[name] for name in changed if name in self.nodes]
        after = Snapshot.build(revision, site, (node for node in changed.values() if node))
        return Snapshot(
            revision=revision,
            site=site,
            nodes=_replaced(self.nodes, (node.name for node in before), after.nodes),
            by_mac=_replaced(
                self.by_mac, (each.boot_mac for node in before for each in node.interfaces), after.by_mac
            ),
            by_address=_replaced(
                self.by_address, (each for node in before for each in _addresses(node)), after.by_address
            ),
        )

    @cached_property
    def by_uuid(self) -> Mapping[UUID, ResolvedNode]:
        """The nodes that have a UUID written, by it; one that several nodes have tells none of them."""
        found: dict[UUID, ResolvedNode | None] = {}
        for node in self.nodes.values():
            if node.uuid:
                found[node.uuid] = None if node.uuid in found else node
        return {uuid: node for uuid, node in found.items() if node}

    def head_url(self, network: str, own: Container[IPv4Address] = ()) -> str:
        """Where the HTTP service answers in a network: of several head nodes the one with these addresses."""
        written = self.site.networks[network]
        return f"http://{written.own_head(own) or written.head}:{self.site.ports.http}"

    def boot_urls(self, interface: ResolvedInterface) -> tuple[str, ...]:
        """Where the HTTP services of all head nodes answer a node that boots by this interface."""
        heads = interface.heads_in(self.site.networks[interface.network])
        return tuple(http_url(each, self.site.ports.http) for each in heads)

    def network_of(self, address: Address) -> tuple[str, Network] | None:
        """The name and definition of the network that holds an address."""
        for name, network in self.site.networks.items():
            cidr = network.cidr if address.version == 4 else network.cidr6
            if cidr is not None and address in cidr:
                return name, network
        return None


def _addresses(node: ResolvedNode) -> Iterator[Address]:
    return (value.ip for each in node.interfaces for value in (each.ip, each.ip6) if value)


def _replaced(
    old: Mapping[K, ResolvedNode], gone: Iterable[K | None], new: Mapping[K, ResolvedNode]
) -> Mapping[K, ResolvedNode]:
    kept = dict(old)
    for key in gone:
        if key is not None:
            kept.pop(key, None)
    return MappingProxyType({**kept, **new})

"""The snapshot: one frozen, indexed view of a whole site at one revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from provisioner.model.address import Address, MacAddress
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import Network, Site


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
        interfaces = [(node, each) for node in named.values() for each in node.interfaces]
        return cls(
            revision=revision,
            site=site,
            nodes=MappingProxyType(named),
            by_mac=MappingProxyType({each.mac: node for node, each in interfaces if each.mac}),
            by_address=MappingProxyType(
                {value.ip: node for node, each in interfaces for value in (each.ip, each.ip6) if value}
            ),
        )

    def head_url(self, network: str) -> str:
        """Where the HTTP service answers in a network of the site."""
        return f"http://{self.site.networks[network].head}:{self.site.ports.http}"

    def network_of(self, address: Address) -> tuple[str, Network] | None:
        """The name and definition of the network that holds an address."""
        for name, network in self.site.networks.items():
            cidr = network.cidr if address.version == 4 else network.cidr6
            if cidr is not None and address in cidr:
                return name, network
        return None

"""Groups and node entries to resolved nodes. Pure; the total order of who wins is written here.

Weakest first:

1. the defaults of the product;
2. the groups of the node: all of its entries' `groups`, in the order of the entries, left to right; a group's
   own groups come before it, depth first, each group once, where it is met first;
3. the entries of the node: files in byte order of their path, entries in the order of the file.

A scalar of a stronger place replaces the weaker one. Lists (`groups`, `overlays.system`, `overlays.runtime`,
`kernel.args`) are appended, to the defaults too: a group that adds an overlay does not take the network away from
its nodes. An item that is there already is not added again. Maps (`tags`, `interfaces`)
merge by key, recursively. Removing an inherited item (`~name`) has no syntax yet.

The interface that boots is the first by name with a MAC, or else the first with an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, TypeVar

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.address import AddressPattern
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, Source
from provisioner.model.written import Network, NodeEntry, RootKind, Site
from provisioner.registry.addresses import ipv4_of, ipv6_of
from provisioner.registry.facts import Fact, Facts, facts_of, groups_of, merge, scalar
from provisioner.registry.inherit import Groups, linearise

A = TypeVar("A", IPv4Interface, IPv6Interface)

DEFAULT_SYSTEM_OVERLAYS = ("hostname", "hosts", "network", "ssh", "agent")
DEFAULT_SCRIPT = "boot"


@dataclass(frozen=True)
class Resolution:
    """The nodes of a site, sorted by name, and what went wrong with their addresses."""

    nodes: tuple[ResolvedNode, ...]
    problems: tuple[Problem, ...]


def resolve(site: Site, groups: Groups, entries: Sequence[Entry[NodeEntry]]) -> Resolution:
    """Every node that is written, with every field set and the places that each value came from."""
    of_node: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        for name in entry.names:
            of_node.setdefault(name, []).append(index)
    resolver = _Resolver(site, groups, entries)
    nodes = tuple(resolver.node(name, tuple(of_node[name])) for name in sorted(of_node))
    return Resolution(nodes, tuple(resolver.problems.values()))


@dataclass(frozen=True)
class _Profile:
    """What all nodes made of the same entries share: everything but names and addresses."""

    facts: Facts
    groups: tuple[str, ...]
    interfaces: tuple[str, ...]
    shared: dict[str, Any]
    provenance: dict[str, tuple[Source, ...]]


@dataclass
class _Resolver:
    """Holds what is worked out once and used for many nodes: chains of groups, and profiles."""

    site: Site
    groups: Groups
    entries: Sequence[Entry[NodeEntry]]
    problems: dict[tuple[str, int, int], Problem] = field(default_factory=dict)
    chains: dict[tuple[str, ...], tuple[tuple[str, ...], Facts]] = field(default_factory=dict)
    profiles: dict[tuple[int, ...], _Profile] = field(default_factory=dict)

    def node(self, name: str, indexes: tuple[int, ...]) -> ResolvedNode:
        """One node, from the entries with these indexes."""
        profile = self.profile(indexes)
        interfaces = tuple(self.interface(name, profile, each) for each in profile.interfaces)
        primary = _primary(interfaces)
        return ResolvedNode.model_construct(
            name=name,
            domain=self.domain(primary),
            interfaces=interfaces,
            primary=primary.name if primary else None,
            groups=profile.groups,
            provenance=profile.provenance,
            **profile.shared,
        )

    def profile(self, indexes: tuple[int, ...]) -> _Profile:
        """What the entries with these indexes say together with their groups; worked out once."""
        known = self.profiles.get(indexes)
        if known is None:
            entries = [self.entries[index] for index in indexes]
            groups, inherited = self.chain(groups_of(entry.value for entry in entries))
            own = [facts_of(entry, f"node {entry.key.text}") for entry in entries]
            known = self.profiles[indexes] = _profile(merge([inherited, *own]), groups)
        return known

    def chain(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], Facts]:
        """The linearised groups behind some names, and their facts merged; worked out once."""
        known = self.chains.get(names)
        if known is None:
            order = linearise(names, self.groups)
            facts = merge(facts_of(self.groups[name], f"group {name}") for name in order)
            known = self.chains[names] = (order, facts)
        return known

    def interface(self, node: str, profile: _Profile, name: str) -> ResolvedInterface:
        """One interface of a node. Without a network it gets the only one that the site has."""
        facts = profile.facts
        network = scalar(facts, "interfaces", name, "network") or self.only_network()
        return ResolvedInterface.model_construct(
            name=name,
            network=network,
            mac=scalar(facts, "interfaces", name, "mac"),
            ip=self.address(node, facts.get(("interfaces", name, "ip")), network, ipv4_of),
            ip6=self.address(node, facts.get(("interfaces", name, "ip6")), network, ipv6_of),
        )

    def only_network(self) -> str:
        """The name of the only network, or nothing where there are several."""
        return next(iter(self.site.networks)) if len(self.site.networks) == 1 else ""

    def address(
        self, node: str, fact: Fact | None, network: str, make: Callable[[str, AddressPattern, Network], A]
    ) -> A | None:
        """The address that was asked for; None, and a problem, when it cannot be."""
        if fact is None or (network and network not in self.site.networks):
            return None  # an unknown network is reported where it is named
        source = fact.sources[-1]
        if not network:
            self.report(source, f"{fact.value} needs a network: the site has several", "add `network: NAME` here")
            return None
        try:
            return make(node, fact.value, self.site.networks[network])
        except ValueError as error:
            message = f"the address of {node} in the network {network}: {error}"
            self.report(source, message, "choose an address that is free, or another network")
            return None

    def report(self, source: Source, message: str, hint: str) -> None:
        """Note a problem; of the many nodes of one range the first is enough."""
        place = (source.file, source.line, source.column)
        self.problems.setdefault(place, Problem(*place, message, hint))

    def domain(self, primary: ResolvedInterface | None) -> str:
        """The domain of the network that the node boots from, or of the first one."""
        network = self.site.networks.get(primary.network) if primary else None
        return (network or next(iter(self.site.networks.values()))).domain


def _profile(facts: Facts, groups: tuple[str, ...]) -> _Profile:
    shared = {
        "image": scalar(facts, "image"),
        "root": scalar(facts, "root", "kind") or RootKind.OVERLAY,
        "system_overlays": _list(facts, "overlays", "system", default=DEFAULT_SYSTEM_OVERLAYS),
        "runtime_overlays": _list(facts, "overlays", "runtime"),
        "kernel_args": _list(facts, "kernel", "args"),
        "script": scalar(facts, "script") or DEFAULT_SCRIPT,
        "tags": {path[1]: fact.value for path, fact in facts.items() if path[0] == "tags"},
    }
    interfaces = tuple(sorted(path[1] for path in facts if path[0] == "interfaces" and len(path) == 2))
    return _Profile(facts, groups, interfaces, shared, dict(_provenance(facts)))


def _list(facts: Facts, *path: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    fact = facts.get(path)
    return tuple(dict.fromkeys((*default, *fact.value))) if fact else default


def _provenance(facts: Facts) -> Iterator[tuple[str, tuple[Source, ...]]]:
    for path, fact in facts.items():
        if fact.value is not None:
            yield ".".join(path), fact.sources


def _primary(interfaces: tuple[ResolvedInterface, ...]) -> ResolvedInterface | None:
    with_address = [each for each in interfaces if each.ip]
    return next((each for each in interfaces if each.mac), with_address[0] if with_address else None)

"""Groups and node entries to resolved nodes. Pure; the total order of who wins is written here.

Weakest first:

1. the defaults of the product;
2. the groups of the node: all of its entries' `groups`, in the order of the entries, left to right; a group's
   own groups come before it, depth first, each group once, where it is met first;
3. the entries of the node: files in byte order of their path, entries in the order of the file;
4. a switch that has moved the node to another image.

A scalar of a stronger place replaces the weaker one. Lists (`groups`, `overlays.system`, `kernel.args` and so on)
are appended, to the defaults too: a group that adds an overlay does not take the network away from its nodes. An
item that is there already is not added again, and `~item` takes one away. Maps (`tags`, `interfaces`, `resources`
and so on) merge by key, recursively; `~key:` takes away a key, or a field, that weaker places set. Inside
`resources` a list is a value like any other: the stronger one replaces the weaker. `comment` is not inherited.

The interface that boots is `primary`, or else the first by name with a MAC, or else the first with an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, TypeVar

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.address import AddressPattern
from provisioner.model.device import DeviceType
from provisioner.model.disk import Disk, FileSystem, Partition
from provisioner.model.resolved import (
    ResolvedBmc,
    ResolvedBoot,
    ResolvedInterface,
    ResolvedNode,
    ResolvedRoot,
    ResolvedTpm,
    Source,
)
from provisioner.model.steps import dotted
from provisioner.model.tpm import DEFAULT_REGISTERS, Registers
from provisioner.model.written import BootSource, LoaderKind, Network, NodeEntry, RootKind, Site, Swap, UnifiedMode
from provisioner.registry.addresses import ipv4_of, ipv6_of
from provisioner.registry.devices import interface_fields, misfits
from provisioner.registry.facts import REMOVED, Fact, Facts, facts_of, groups_of, items, keys, merge, scalar, tree
from provisioner.registry.inherit import Groups, linearise

A = TypeVar("A", IPv4Interface, IPv6Interface)

DEFAULTS: Facts = {
    ("overlays", "system"): Fact(("hostname", "hosts", "network", "ssh", "agent"), ()),
    ("root", "kind"): Fact(RootKind.OVERLAY, ()),
    ("root", "swap"): Fact(Swap.OFF, ()),
    ("boot", "source"): Fact(BootSource.IMAGE, ()),
    ("boot", "attempts"): Fact(3, ()),
    ("boot", "loader"): Fact(LoaderKind.AUTO, ()),
    ("boot", "unified"): Fact(UnifiedMode.AUTO, ()),
    ("tpm", "pcrs"): Fact(Registers(DEFAULT_REGISTERS), ()),
    ("script",): Fact("boot", ()),
}
DEFAULT_LABEL = "default"

# The fields that an entry of one machine speaks of, if it speaks of nothing else.
_DEVICES = frozenset({"interfaces", "bmc", "primary"})
_VIRTUAL = frozenset({DeviceType.BOND, DeviceType.VLAN})


@dataclass(frozen=True)
class Resolution:
    """The nodes of a site, sorted by name, and what went wrong with their addresses and devices."""

    nodes: tuple[ResolvedNode, ...]
    problems: tuple[Problem, ...]


def resolve(site: Site, groups: Groups, entries: Sequence[Entry[NodeEntry]]) -> Resolution:
    """Every node that is written, with every field set and the places that each value came from."""
    of_node: dict[str, list[int]] = {name: [] for entry in entries if not entry.overrides for name in entry.names}
    for index, entry in enumerate(entries):
        for name in entry.names:
            # A switch outlives nodes that somebody deleted.
            if name in of_node:
                of_node[name].append(index)
    resolver = _Resolver(site, groups, entries)
    nodes = tuple(resolver.node(name, tuple(of_node[name])) for name in sorted(of_node))
    return Resolution(nodes, tuple(resolver.problems.values()))


def layers_of(groups: Groups, entries: Sequence[Entry[NodeEntry]]) -> tuple[tuple[str, Facts], ...]:
    """What each place says about the node that is made of these entries, weakest first, by the place's label."""
    order = linearise(groups_of(entry.value for entry in entries), groups)
    inherited = ((f"group {name}", _inherited(groups[name], f"group {name}")) for name in order)
    own = ((entry.label, facts_of(entry, entry.label)) for entry in entries)
    return ((DEFAULT_LABEL, DEFAULTS), *inherited, *own)


@dataclass(frozen=True)
class _Base:
    """What nodes share that are made of the same entries but for their devices.

    `fields` are those of a resolved node; `devices` are the facts about devices so far.
    """

    fields: dict[str, Any]
    devices: Facts
    provenance: dict[str, tuple[Source, ...]]


@dataclass(frozen=True)
class _Profile:
    """What all nodes made of the same entries share: everything but names and addresses."""

    facts: Facts
    interfaces: tuple[dict[str, Any], ...]
    shared: dict[str, Any]


@dataclass
class _Resolver:
    """Holds what is worked out once and used for many nodes: chains of groups, and profiles.

    Nearly every node has an entry of its own, for its MAC. Such an entry speaks of devices only, so what comes
    before it is worked out once for all nodes of a range.
    """

    site: Site
    groups: Groups
    entries: Sequence[Entry[NodeEntry]]
    problems: dict[tuple[str, int, int, str], Problem] = field(default_factory=dict)
    chains: dict[tuple[str, ...], tuple[tuple[str, ...], Facts]] = field(default_factory=dict)
    said: dict[int, Facts] = field(default_factory=dict)
    bases: dict[tuple[int, ...], _Base] = field(default_factory=dict)
    profiles: dict[tuple[int, ...], _Profile] = field(default_factory=dict)

    def node(self, name: str, indexes: tuple[int, ...]) -> ResolvedNode:
        """One node, from the entries with these indexes."""
        profile = self.profile(indexes)
        interfaces = tuple(self.interface(name, profile.facts, each) for each in profile.interfaces)
        primary = _primary(interfaces, scalar(profile.facts, "primary"))
        return ResolvedNode.model_construct(
            name=name,
            domain=self.domain(primary),
            interfaces=interfaces,
            primary=primary.name if primary else None,
            bmc=self.bmc(name, profile.facts),
            **profile.shared,
        )

    def profile(self, indexes: tuple[int, ...]) -> _Profile:
        """What the entries with these indexes say together with their groups; worked out once."""
        known = self.profiles.get(indexes)
        if known is None:
            common = len(indexes)
            while common and self.speaks_of_devices_only(indexes[common - 1]):
                common -= 1
            base = self.base(indexes[:common])
            own = [self.own(index) for index in indexes[common:]]
            known = self.profiles[indexes] = _profile(base, merge([base.devices, *own]) if own else base.devices)
            for path, message, hint in misfits(known.facts, known.interfaces):
                self.report(_source_of(known.facts, path), message, hint)
        return known

    def base(self, indexes: tuple[int, ...]) -> _Base:
        """What the entries with these indexes say with their groups, apart from devices; worked out once."""
        known = self.bases.get(indexes)
        if known is None:
            groups, inherited = self.chain(groups_of(self.entries[index].value for index in indexes))
            facts = merge([inherited, *(self.own(index) for index in indexes)])
            known = self.bases[indexes] = _base(facts, groups)
        return known

    def own(self, index: int) -> Facts:
        """What one entry says; worked out once."""
        known = self.said.get(index)
        if known is None:
            entry = self.entries[index]
            known = self.said[index] = facts_of(entry, entry.label)
        return known

    def speaks_of_devices_only(self, index: int) -> bool:
        """Whether an entry leaves everything but devices as it is."""
        return all(path[0] in _DEVICES for path in self.own(index))

    def chain(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], Facts]:
        """The linearised groups behind some names, and their facts merged; worked out once."""
        known = self.chains.get(names)
        if known is None:
            order = linearise(names, self.groups)
            own = (_inherited(self.groups[name], f"group {name}") for name in order)
            known = self.chains[names] = (order, merge([DEFAULTS, *own]))
        return known

    def interface(self, node: str, facts: Facts, shared: dict[str, Any]) -> ResolvedInterface:
        """One interface of a node. Without a network it gets the only one that the site has."""
        at = ("interfaces", shared["name"])
        network = scalar(facts, *at, "network") or self.only_network()
        mtu = scalar(facts, *at, "mtu")
        return ResolvedInterface.model_construct(
            network=network,
            ip=self.address(node, _fact(facts, *at, "ip"), network, ipv4_of),
            ip6=self.address(node, _fact(facts, *at, "ip6"), network, ipv6_of),
            mtu=mtu or (self.site.networks[network].mtu if network in self.site.networks else None),
            **shared,
        )

    def bmc(self, node: str, facts: Facts) -> ResolvedBmc | None:
        """The BMC of a node, or None where nothing is said about one."""
        said = tree(facts, "bmc")
        if not said:
            return None
        network = said.pop("network", None) or self.only_network()
        said.pop("ip", None)
        ip = self.address(node, _fact(facts, "bmc", "ip"), network, ipv4_of)
        return ResolvedBmc(network=network, ip=ip, **said)

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
            self.report(source, message, "choose an address that is free, or another network", once="address")
            return None

    def report(self, source: Source, message: str, hint: str, *, once: str = "") -> None:
        """Note a problem; of the many nodes of one range the first is enough."""
        place = (source.file, source.line, source.column)
        self.problems.setdefault((*place, once or message), Problem(*place, message, hint))

    def domain(self, primary: ResolvedInterface | None) -> str:
        """The domain of the network that the node boots from, or of the first one."""
        network = self.site.networks.get(primary.network) if primary else None
        return (network or next(iter(self.site.networks.values()))).domain


def _inherited(entry: Entry[Any], label: str) -> Facts:
    """What a group passes on: everything but its comment and its groups, which are linearised."""
    return {path: fact for path, fact in facts_of(entry, label).items() if path != ("comment",)}


def _base(facts: Facts, groups: tuple[str, ...]) -> _Base:
    fields = {
        "groups": groups,
        "comment": scalar(facts, "comment"),
        "cluster": scalar(facts, "cluster"),
        "image": scalar(facts, "image"),
        "root": ResolvedRoot(**{"kind": RootKind.OVERLAY, **tree(facts, "root")}),
        "boot": ResolvedBoot(**tree(facts, "boot")),
        "tpm": ResolvedTpm(**tree(facts, "tpm")),
        "system_overlays": items(facts, "overlays", "system"),
        "runtime_overlays": items(facts, "overlays", "runtime"),
        "kernel_version": scalar(facts, "kernel", "version"),
        "kernel_args": items(facts, "kernel", "args"),
        "init": scalar(facts, "init"),
        "script": scalar(facts, "script") or DEFAULTS["script",].value,
        "tags": tree(facts, "tags"),
        "resources": tree(facts, "resources"),
        "disks": {name: _disk(facts, name) for name in keys(facts, "disks")},
        "filesystems": {
            name: FileSystem(**tree(facts, "filesystems", name)) for name in keys(facts, "filesystems")
        },
        "uuid": scalar(facts, "uuid"),
        "serial": scalar(facts, "serial"),
        "asset": scalar(facts, "asset"),
        "discoverable": bool(scalar(facts, "discoverable")),
    }
    devices = {path: fact for path, fact in facts.items() if path[0] in _DEVICES}
    return _Base(fields, devices, dict(_provenance(facts)))


def _profile(base: _Base, devices: Facts) -> _Profile:
    interfaces = tuple(interface_fields(devices, name) for name in sorted(keys(devices, "interfaces")))
    others = {key: each for key, each in base.provenance.items() if key.partition(".")[0] not in _DEVICES}
    return _Profile(devices, interfaces, {**base.fields, "provenance": {**others, **dict(_provenance(devices))}})


def _disk(facts: Facts, name: str) -> Disk:
    said = tree(facts, "disks", name)
    partitions = {label: Partition(**each) for label, each in said.get("partitions", {}).items()}
    return Disk(**{**said, "partitions": partitions})


def _fact(facts: Facts, *path: str) -> Fact | None:
    fact = facts.get(path)
    return None if fact is None or fact.value is REMOVED else fact


def _source_of(facts: Facts, path: tuple[str, ...]) -> Source:
    """The strongest place that said something at a path, or below it."""
    for wanted in (path, *(each for each in facts if each[: len(path)] == path)):
        fact = facts.get(wanted)
        if fact is not None and fact.sources:
            return fact.sources[-1]
    return next(fact.sources[-1] for fact in facts.values() if fact.sources)


def _provenance(facts: Facts) -> Iterator[tuple[str, tuple[Source, ...]]]:
    for path, fact in facts.items():
        if fact.value is not None and fact.value is not REMOVED and fact.sources:
            yield _dotted(path), fact.sources


# The same few paths come again with every node.
_dotted = lru_cache(maxsize=1024)(dotted)


def _primary(interfaces: tuple[ResolvedInterface, ...], chosen: str | None) -> ResolvedInterface | None:
    named = next((each for each in interfaces if each.name == chosen), None)
    # No firmware boots from a bond or a VLAN; one that has an address is taken only where nothing else has.
    with_address = sorted(
        (each for each in interfaces if each.boot_address),
        key=lambda each: (each.ip is None, each.type in _VIRTUAL),
    )
    with_mac = sorted((each for each in interfaces if each.mac), key=lambda each: each.type in _VIRTUAL)
    return named or next(iter((*with_mac, *with_address)), None)

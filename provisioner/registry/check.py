"""Mistakes that only show when everything is seen together: names that mean nothing, and things taken twice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from provisioner.config.decode import Entry, locate
from provisioner.config.marked import Value
from provisioner.errors import Problem
from provisioner.model.address import Address, InfinibandAddress, MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.name import REMOVES
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, Source
from provisioner.model.written import Layer, Network, Site

_LONGEST_PREFIX = 30
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_MULTICAST_AND_RESERVED = IPv4Network("224.0.0.0/3")


@dataclass(frozen=True)
class Known:
    """The names that entries may refer to."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    groups: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    overlays: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()


def check_references(entries: Iterable[Entry[Any]], known: Known) -> list[Problem]:
    """A problem for every name in an entry that means nothing, at the name."""
    problems = []
    for entry in entries:
        for path, message, hint in _dangling(entry.value, known):
            place = entry.place(path)
            problems.append(Problem(entry.file, place.line, place.column, message, hint))
    return problems


def check_unique(nodes: Iterable[ResolvedNode]) -> list[Problem]:
    """A problem for every MAC and address that two interfaces share, where the second one is written."""
    problems: dict[tuple[Source, str], Problem] = {}
    taken: dict[MacAddress | InfinibandAddress | Address, tuple[ResolvedNode, str, Source]] = {}
    for node in nodes:
        for interface in node.interfaces:
            for key, value, what in _identities(interface):
                source = node.provenance[f"interfaces.{interface.name}.{key}"][-1]
                first = taken.setdefault(value, (node, interface.name, source))
                if first[:2] != (node, interface.name):
                    # One place can give the same address to a thousand nodes; once is enough to see it.
                    problem = _shared(node, source, f"{what} {value}", first)
                    problems.setdefault((source, key), problem)
    return list(problems.values())


def check_site(site: Site, root: Value) -> list[Problem]:
    """A problem for every network whose parts do not fit together, and for networks that overlap."""
    problems = []
    networks = list(site.networks.items())
    for index, (name, network) in enumerate(networks):
        for key, message in _misfits(network):
            problems.append(_in_site(root, ("networks", name, key), message, f"the network is {network.cidr}"))
        for other, earlier in networks[:index]:
            if network.cidr.overlaps(earlier.cidr):
                message = f"the networks {other} and {name} overlap"
                problems.append(_in_site(root, ("networks", name, "cidr"), message, "give each its own range"))
    return problems


def unusable(cidr: IPv4Network) -> str | None:
    """Why no cluster can live in a network, in words; None when one can (RFC 6890 section 2.2.2)."""
    if cidr.prefixlen > _LONGEST_PREFIX:
        return f"the network {cidr} has no room for a head node and nodes"
    if cidr.overlaps(_THIS_NETWORK):
        return f"the network {cidr} holds addresses that no machine can have (0.0.0.0/8)"
    if cidr.overlaps(_MULTICAST_AND_RESERVED):
        return f"the network {cidr} holds multicast or reserved addresses (224.0.0.0/3)"
    return None


Dangling = tuple[Sequence[str | int], str, str]


def _dangling(layer: Layer, known: Known) -> Iterator[Dangling]:
    for index, group in enumerate(layer.groups):
        name = group.removeprefix(REMOVES)
        if name not in known.groups:
            yield ("groups", index), f"unknown group {name!r}", _group_hint(name, known)
    if layer.image is not None:
        yield from _dangling_image(layer.image, known.catalogue)
    yield from _dangling_overlays("system", layer.overlays.system, known.overlays)
    yield from _dangling_overlays("runtime", layer.overlays.runtime, known.overlays)
    if layer.script is not None and layer.script not in known.scripts:
        yield ("script",), f"unknown boot script {layer.script!r}", f"there is {_listed(known.scripts)}"
    for name, interface in layer.interfaces.items():
        if interface.network is not None and interface.network not in known.networks:
            path = ("interfaces", name, "network")
            yield path, f"unknown network {interface.network!r}", f"there is {_listed(known.networks)}"
    if layer.bmc.network is not None and layer.bmc.network not in known.networks:
        message = f"unknown network {layer.bmc.network!r}"
        yield ("bmc", "network"), message, f"there is {_listed(known.networks)}"


def _dangling_overlays(kind: str, names: Sequence[str], known: frozenset[str]) -> Iterator[Dangling]:
    for index, name in enumerate(names):
        if name.removeprefix(REMOVES) not in known:
            message = f"unknown overlay {name.removeprefix(REMOVES)!r}"
            yield ("overlays", kind, index), message, f"there is {_listed(known)}"


def _dangling_image(image: str, catalogue: Catalogue) -> Iterator[Dangling]:
    if catalogue.find(image) is not None:
        return
    name, _, generation = image.partition("@")
    if generation and name in catalogue.generations:
        yield ("image",), f"the image {name!r} has no generation {generation}", f"prov image show {name}"
        return
    there = f"there is {_listed(catalogue.generations)}, or " if catalogue.generations else ""
    yield ("image",), f"unknown image {name!r}", f"{there}prov image build {name}"


def _identities(
    interface: ResolvedInterface,
) -> Iterator[tuple[str, MacAddress | InfinibandAddress | Address, str]]:
    if interface.mac:
        yield "mac", interface.mac, "the MAC"
    if interface.infiniband_address:
        yield "mac", interface.infiniband_address, "the InfiniBand address"
    if interface.ip:
        yield "ip", interface.ip.ip, "the address"
    if interface.ip6:
        yield "ip6", interface.ip6.ip, "the address"


def _shared(node: ResolvedNode, source: Source, what: str, first: tuple[ResolvedNode, str, Source]) -> Problem:
    owner, interface, earlier = first
    message = f"{what} of {node.name} belongs to {owner.name} already ({interface}, {earlier.file}:{earlier.line})"
    return Problem(
        source.file, source.line, source.column, message, f"change one of them: prov node show {owner.name}"
    )


def _misfits(network: Network) -> Iterator[tuple[str, str]]:
    unfit = unusable(network.cidr)
    if unfit:
        yield "cidr", unfit
        return
    if network.server in {network.cidr.network_address, network.cidr.broadcast_address}:
        yield "server", f"the server {network.server} is the network's own or its broadcast address"
    for key, address in (("server", network.server), ("gateway", network.gateway)):
        if address is not None and address not in network.cidr:
            yield key, f"the {key} {address} is outside the network"
    if network.pool is None:
        return
    first, last = network.pool.ends
    if first not in network.cidr or last not in network.cidr:
        yield "pool", f"the pool {network.pool} is outside the network"
    elif first <= network.head <= last:
        yield "pool", f"the pool {network.pool} holds the server's address {network.head}"


def _in_site(root: Value, path: Sequence[str], message: str, hint: str) -> Problem:
    place = locate(root, path, root.span)
    return Problem("provisioner.yaml", place.line, place.column, message, hint)


def _group_hint(group: str, known: Known) -> str:
    near = difflib.get_close_matches(group, known.groups, n=1)
    return f"did you mean {near[0]!r}? else: prov group add {group}" if near else f"prov group add {group}"


def _listed(names: Mapping[str, object] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"

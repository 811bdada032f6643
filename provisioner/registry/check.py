"""Mistakes that only show when everything is seen together: names that mean nothing, and things taken twice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from provisioner.config.decode import Entry, locate
from provisioner.config.marked import Value
from provisioner.errors import Problem
from provisioner.model.name import REMOVES
from provisioner.model.written import Dhcp6Mode, Layer, Network, Site
from provisioner.registry.claims import WIRE, Claim

_LONGEST_PREFIX = 30
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_MULTICAST_AND_RESERVED = IPv4Network("224.0.0.0/3")


KINDS = GROUP, NETWORK, OVERLAY, SCRIPT = ("group", "network", "overlay", "script")


@dataclass(frozen=True)
class Known:
    """The names that entries may refer to, but for images, which come and go without any file."""

    groups: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    overlays: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()

    def names(self, kind: str) -> frozenset[str]:
        """The names of one kind."""
        return {GROUP: self.groups, NETWORK: self.networks, OVERLAY: self.overlays, SCRIPT: self.scripts}[kind]


class Reference(NamedTuple):
    """A name in an entry that has to mean something, and where in the entry it is."""

    kind: str
    name: str
    path: tuple[str | int, ...]


def check_references(entries: Iterable[Entry[Any]], known: Known) -> list[Problem]:
    """A problem for every name in an entry that means nothing, at the name."""
    problems = []
    for entry in entries:
        for kind, name, path in references(entry.value):
            if name not in known.names(kind):
                place = entry.place(path)
                message = f"unknown {_WORDS[kind]} {name!r}"
                problems.append(Problem(entry.file, place.line, place.column, message, _hint(kind, name, known)))
    return problems


def references(layer: Layer) -> Iterator[Reference]:
    """The names that an entry refers to; one that it removes (`~name`) has to mean something too."""
    for index, group in enumerate(layer.groups):
        yield Reference(GROUP, group.removeprefix(REMOVES), ("groups", index))
    for key, names in (("system", layer.overlays.system), ("runtime", layer.overlays.runtime)):
        for index, name in enumerate(names):
            yield Reference(OVERLAY, name.removeprefix(REMOVES), ("overlays", key, index))
    if layer.script is not None:
        yield Reference(SCRIPT, layer.script, ("script",))
    for name, interface in layer.interfaces.items():
        if interface.network is not None:
            yield Reference(NETWORK, interface.network, ("interfaces", name, "network"))
    if layer.bmc.network is not None:
        yield Reference(NETWORK, layer.bmc.network, ("bmc", "network"))


def check_unique(claims: Iterable[Claim]) -> list[Problem]:
    """A problem for every hardware address and address that two devices share, where the second one is written.

    The claims come in the order of their nodes' names; the first node has the older right.
    """
    problems: dict[tuple[tuple[str, int, int], str], Problem] = {}
    taken: dict[str, Claim] = {}
    for claim in claims:
        if claim.space == WIRE:
            first = taken.setdefault(claim.value, claim)
            if (first.node, first.interface) != (claim.node, claim.interface):
                # One place can give the same address to a thousand nodes; once is enough to see it.
                problems.setdefault((claim.place, claim.kind), _shared(claim, first))
    return list(problems.values())


def check_site(site: Site, root: Value) -> list[Problem]:
    """A problem for every network whose parts do not fit together, and for networks that overlap."""
    problems = []
    networks = list(site.networks.items())
    for index, (name, network) in enumerate(networks):
        for key, message in _misfits(network):
            problems.append(_in_site(root, ("networks", name, key), message, f"the network is {network.cidr}"))
        heads = _heads(site)
        if network.relayed and not {*(network.servers or (network.server,))} <= {*heads}:
            message = f"the server of {name} is the head node's address in no other network"
            hint = f"the head node is at {listed(frozenset(map(str, heads)))}"
            problems.append(_in_site(root, ("networks", name, "relayed"), message, hint))
        for other, earlier in networks[:index]:
            if network.cidr.overlaps(earlier.cidr):
                message = f"the networks {other} and {name} overlap"
                problems.append(_in_site(root, ("networks", name, "cidr"), message, "give each its own range"))
            if network.cidr6 and earlier.cidr6 and network.cidr6.overlaps(earlier.cidr6):
                message = f"the IPv6 networks of {other} and {name} overlap"
                problems.append(_in_site(root, ("networks", name, "cidr6"), message, "give each its own range"))
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


_WORDS = {GROUP: "group", NETWORK: "network", OVERLAY: "overlay", SCRIPT: "boot script"}


def _hint(kind: str, name: str, known: Known) -> str:
    if kind != GROUP:
        return f"there is {listed(known.names(kind))}"
    near = difflib.get_close_matches(name, sorted(known.groups), n=1)
    return f"did you mean {near[0]!r}? else: prov group add {name}" if near else f"prov group add {name}"


def listed(names: Mapping[str, object] | frozenset[str]) -> str:
    """Names as one text, sorted."""
    return ", ".join(sorted(names)) or "none"


def _shared(claim: Claim, first: Claim) -> Problem:
    kind = "MAC" if claim.kind == "mac" else "address"
    first_place = f"{first.interface}, {first.file}:{first.line}"
    message = f"the {kind} {claim.value} of {claim.node} belongs to {first.node} already ({first_place})"
    return Problem(*claim.place, message, f"give {first.node} or {claim.node} another {kind}")


def _heads(site: Site) -> list[IPv4Address]:
    """Where the head node is itself; networks without room have a problem of their own."""
    own = (each for each in site.networks.values() if not each.relayed and not unusable(each.cidr))
    return [head for each in own for head in each.heads]


def _misfits(network: Network) -> Iterator[tuple[str, str]]:
    unfit = unusable(network.cidr)
    if unfit:
        yield "cidr", unfit
        return
    yield from _misfits_of_heads(network)
    if network.gateway is not None and network.gateway not in network.cidr:
        yield "gateway", f"the gateway {network.gateway} is outside the network"
    if network.relayed and network.gateway is None:
        yield "relayed", "nodes behind a relay reach the head node by `gateway`, which is not written"
    yield from _misfits6(network)
    if network.pool is None:
        return
    first, last = network.pool.ends
    if first not in network.cidr or last not in network.cidr:
        yield "pool", f"the pool {network.pool} is outside the network"
    for head in network.heads:
        if first <= head <= last and first in network.cidr and last in network.cidr:
            yield "pool", f"the pool {network.pool} holds the server's address {head}"


def _misfits_of_heads(network: Network) -> Iterator[tuple[str, str]]:
    key = "servers" if network.servers else "server"
    if network.server is not None and network.servers:
        yield "servers", "server: is the address of the only head node; with servers: leave it out"
    if len(set(network.servers)) < len(network.servers):
        yield "servers", "the servers name an address twice"
    for address in network.servers or (network.server,):
        if address in {network.cidr.network_address, network.cidr.broadcast_address}:
            yield key, f"the server {address} is the network's own or its broadcast address"
        if address is not None and address not in network.cidr and not network.relayed:
            yield key, f"the server {address} is outside the network"


def _misfits6(network: Network) -> Iterator[tuple[str, str]]:
    cidr, head = network.cidr6, network.head6
    if network.dhcp6 is Dhcp6Mode.AUTHORITATIVE and cidr is None:
        yield "dhcp6", "dhcp6: authoritative gives out addresses of cidr6, which is not written"
    elif head is not None and (cidr is None or head not in cidr or head == cidr.network_address):
        where = cidr or "cidr6, which is not written"
        yield "server6", f"the server6 {head} is no address of a machine in {where}"


def _in_site(root: Value, path: Sequence[str], message: str, hint: str) -> Problem:
    place = locate(root, path, root.span)
    return Problem("provisioner.yaml", place.line, place.column, message, hint)

"""The networks of the new site: one for every subnet that nodes or the server have an address in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Any

from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.entry import misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.server import Server
from provisioner.model.written import DhcpMode, Network
from provisioner.registry.check import unusable

SERVED = "provision"
_DEFAULT_LENGTH = 24


@dataclass(frozen=True)
class Wanted:
    """An address that a node has: with its netmask where that is known, and a name for a network of its own."""

    ip: IPv4Address
    mask: str | None
    hint: str
    place: Place
    mask_place: Place | None = None
    ip6: str | None = None
    prefix6: int | None = None


@dataclass
class Subnets:
    """The networks by name. `known` ones are in the site already and stay as they are."""

    networks: dict[str, Network] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    def name_of(self, ip: IPv4Address) -> str | None:
        """The network that an address is in."""
        return next((name for name, network in self.networks.items() if ip in network.cidr), None)

    def added(self) -> dict[str, dict[str, Any]]:
        """The new networks as plain data, defaults left out."""
        return {
            name: {
                key: list(map(str, value)) if isinstance(value, tuple) else str(value)
                for key, value in network
                if key in network.model_fields_set and value is not None
            }
            for name, network in self.networks.items()
            if name not in self.known
        }


def plan_subnets(
    ledger: Ledger, server: Server | None, wanted: Iterable[Wanted], known: Mapping[str, Network]
) -> Subnets:
    """Choose the networks for these addresses, beside those that the site has already."""
    wanted = list(wanted)
    subnets = Subnets(dict(known), frozenset(known))
    cidrs = _cidrs(ledger, server, wanted, [network.cidr for network in known.values()])
    for cidr in cidrs:
        if any(cidr == network.cidr for network in known.values()):
            continue
        inside = [each for each in wanted if each.ip in cidr]
        is_served = server is not None and server.address.ip in cidr
        name = _free_name(SERVED if is_served else _hint(inside), subnets.networks)
        subnets.networks[name] = _network(ledger, cidr, inside, server if is_served else None)
    if not subnets.networks:
        subnets.networks[SERVED] = Network(cidr=IPv4Network("10.0.0.0/16"), dhcp=DhcpMode.OFF)
    return subnets


def _cidrs(
    ledger: Ledger, server: Server | None, wanted: list[Wanted], known: list[IPv4Network]
) -> list[IPv4Network]:
    """The subnets, none of which holds another, in the order of their addresses."""
    found = set(known)
    if server is not None and _is_usable(ledger, server.address.network, server.place):
        found.add(server.address.network)
    for each in wanted:
        if each.mask is not None:
            network = IPv4Interface(f"{each.ip}/{each.mask}").network
            if network in found or _is_usable(ledger, network, each.place):
                found.add(network)
    largest = [each for each in found if not any(each != other and each.subnet_of(other) for other in found)]
    # A network of the site stays even where the file has a larger one: its nodes are addressed by it.
    chosen = {*known, *(each for each in largest if not any(each.overlaps(other) for other in known))}
    for each in wanted:
        if not any(each.ip in network for network in chosen):
            network = IPv4Network((int(each.ip), _DEFAULT_LENGTH), strict=False)
            if _is_usable(ledger, network, each.place) and not any(network.overlaps(other) for other in chosen):
                ledger.remark(each.place, f"there is no usable netmask; {network} is taken", "mend its cidr")
                chosen.add(network)
    return sorted(chosen)


def _is_usable(ledger: Ledger, network: IPv4Network, place: Place) -> bool:
    reason = unusable(network)
    if reason:
        ledger.remark(place, reason, "give it an address in a network of the cluster")
    return reason is None


def _network(ledger: Ledger, cidr: IPv4Network, inside: list[Wanted], server: Server | None) -> Network:
    taken = {each.ip for each in inside}
    settings: dict[str, Any] = {"cidr": cidr, "dhcp": DhcpMode.OFF}
    cidr6 = _cidr6(inside) or (server.cidr6 if server else None)
    if cidr6 is not None:
        settings["cidr6"] = cidr6
    if server is None:
        settings["server"] = _free_address(cidr, taken)
        place = inside[0].place
        ledger.remark(
            place,
            f"the address of this machine in {cidr} is not known; {settings['server']} is written",
            "write the right one to `server` of that network",
        )
        return Network(**settings)
    settings["server"] = server.address.ip
    settings["dhcp"] = DhcpMode.AUTHORITATIVE if server.dhcp else DhcpMode.OFF
    if server.domain and not _misfit_domain(server.domain):
        settings["domain"] = server.domain
    pool = _pool(ledger, cidr, taken, server)
    if pool:
        settings["pool"] = pool
    return Network(**settings)


def _pool(ledger: Ledger, cidr: IPv4Network, taken: set[IPv4Address], server: Server) -> str | None:
    if server.pool is None:
        return None
    first, last = server.pool.ends
    held = sorted(each for each in taken if first <= each <= last)
    reason = ""
    if first not in cidr or last not in cidr:
        reason = f"the range {server.pool} is outside {cidr}"
    elif first <= server.address.ip <= last:
        reason = f"the range {server.pool} holds the server itself"
    elif held:
        reason = f"the range {server.pool} holds addresses of nodes, {held[0]} the first"
    if reason:
        ledger.remark(
            server.pool_place, f"{reason}; it is not carried", "choose a pool that no node has an address in"
        )
        return None
    return str(server.pool)


def _cidr6(inside: list[Wanted]) -> IPv6Network | None:
    """The IPv6 network that most nodes of a network are in."""
    counted: Counter[IPv6Network] = Counter()
    for each in inside:
        if each.ip6:
            counted[IPv6Interface(f"{each.ip6}/{each.prefix6 or 64}").network] += 1
    return min(counted, key=lambda network: (-counted[network], network)) if counted else None


def _free_address(cidr: IPv4Network, taken: set[IPv4Address]) -> IPv4Address:
    first = cidr.network_address + 1
    if first not in taken:
        return first
    last = cidr.broadcast_address - 1
    while last in taken and last > first:
        last -= 1
    return last


def _hint(inside: list[Wanted]) -> str:
    counted = Counter(each.hint for each in inside)
    return min(counted, key=lambda hint: (-counted[hint], hint)) if counted else SERVED


def _free_name(hint: str, taken: Mapping[str, object]) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", hint)[:50].strip("-_.") or "network"
    number = 2
    found = name
    while found in taken:
        found = f"{name}-{number}"
        number += 1
    return found


def _misfit_domain(domain: str) -> str:
    return misfit(("interfaces", "eth0", "search"), (domain,))

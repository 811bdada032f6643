"""Mistakes in `dns:` of provisioner.yaml: names that no node has or two would have, and circles of forwarding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.config.decode import locate
from provisioner.config.marked import Value
from provisioner.errors import Problem
from provisioner.model.written import Site
from provisioner.registry.check import unusable
from provisioner.registry.claims import DNS, NAME, Claim
from provisioner.registry.names import TAKEN

Claimed = Mapping[str, str]
"""What every name that nodes claim in DNS is: `name` of a node, or `label` of a further interface."""

_HEAD = "provisioner"


def claimed(claims: Iterable[Claim]) -> Claimed:
    """The names among claims."""
    return {claim.value: claim.kind for claim in claims if claim.space == DNS}


def names_in(site: Site) -> frozenset[str]:
    """All names of `dns:`, in lower case: aliases, and the nodes that aliases and services mean."""
    aliases, services = site.dns.aliases, site.dns.services
    named = (*aliases, *aliases.values(), *(node for each in services for node in each.nodes))
    return frozenset(name.lower() for name in named)


def check_dns(site: Site, root: Value, claims: Claimed) -> list[Problem]:
    """A problem for every value of `dns:` that cannot mean what it says, at the value."""
    found = (*_forwarders(site), *_aliases(site, claims), *_services(site, claims))
    return [_problem(root, ("dns", *path), message, hint) for path, message, hint in found]


_Found = tuple[tuple[str | int, ...], str, str]


def _forwarders(site: Site) -> Iterator[_Found]:
    usable = [network for network in site.networks.values() if not unusable(network.cidr)]
    own = {address for network in usable for address in (*network.heads, network.head6)}
    for index, address in enumerate(site.dns.forwarders):
        if address in own or address.is_loopback or address.is_unspecified or address.is_multicast:
            message = f"{address} is this server itself, or no server: a question would go in circles"
            yield ("forwarders", index), message, "name the DNS servers of your site"


def _aliases(site: Site, claims: Claimed) -> Iterator[_Found]:
    seen: set[str] = set()
    for alias, node in site.dns.aliases.items():
        lower = alias.lower()
        if lower in claims or lower in TAKEN or lower in seen:
            yield ("aliases", alias), f"the name {alias} is taken already", "choose another alias"
        elif not _exists(node, claims):
            yield (
                ("aliases", alias),
                f"the alias {alias} means {node!r}, and there is no such node",
                "prov node list",
            )
        seen.add(lower)


def _services(site: Site, claims: Claimed) -> Iterator[_Found]:
    for number, service in enumerate(site.dns.services):
        if not service.nodes:
            message = f"the service {service.name} is on no node"
            yield ("services", number, "nodes"), message, "name at least one: nodes: [n001]"
        for index, node in enumerate(service.nodes):
            if not _exists(node, claims):
                message = f"the service {service.name} is said to be on {node!r}, and there is no such node"
                yield ("services", number, "nodes", index), message, "name nodes one by one, or provisioner"


def _exists(node: str, claims: Claimed) -> bool:
    return node.lower() == _HEAD or claims.get(node.lower()) == NAME


def _problem(root: Value, path: tuple[str | int, ...], message: str, hint: str) -> Problem:
    place = locate(root, path, root.span)
    return Problem("provisioner.yaml", place.line, place.column, message, hint)

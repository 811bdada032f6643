"""Names of profiles and nodes, where those of Warewulf cannot be names here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from provisioner.exchange.warewulf.entry import misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.model.nodeset import NodesetError, expand
from provisioner.registry.names import TAKEN


def group_names(ledger: Ledger, profiles: Iterable[str]) -> dict[str, str]:
    """The name of the group of each profile; one that cannot be a name is changed."""
    names: dict[str, str] = {}
    for profile in sorted(profiles, key=lambda each: (bool(misfit(("groups",), (each,))), each)):
        name = profile
        if profile.startswith("~") or misfit(("groups",), (profile,)):
            name = re.sub(r"[^A-Za-z0-9_.-]", "-", profile)[:50].strip("-_.") or "profile"
        number = 2
        free = name
        while free in names.values():
            free = f"{name}-{number}"
            number += 1
        names[profile] = free
        if free != profile:
            place = ("nodes.conf", "nodeprofiles", profile)
            ledger.note(place, f"{profile!r} cannot be the name of a group; it is {free} here")
    return names


def node_names(ledger: Ledger, nodes: Iterable[str]) -> dict[str, str]:
    """The name of each node: up to its first dot. What cannot be the name of a host is left out."""
    names: dict[str, str] = {}
    taken = dict.fromkeys(TAKEN, "the head node")
    for node in nodes:
        place = ("nodes.conf", "nodes", node)
        name, _, domain = node.partition(".")
        reason = "" if _is_host(name) else "not the name of a host: letters, digits and '-', at most 63"
        if not reason and name.lower() in taken:
            reason = f"the name belongs to {taken[name.lower()]} already"
        if reason:
            ledger.remark(place, f"the node is left out: {reason}", "prov node add NAME, under another name")
            continue
        if domain:
            ledger.note(place, f"the node is {name} here; its domain is that of its network", f"domain: {domain}")
        taken[name.lower()] = name
        names[node] = name
    return names


def _is_host(name: str) -> bool:
    try:
        return expand(name) == (name,)
    except (NodesetError, ValueError):
        return False

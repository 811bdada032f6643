"""Names that machines would take for each other in DNS and in /etc/hosts, which do not know capitals."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.written import NodeEntry
from provisioner.registry.claims import DNS, LABEL, NAME, Claim

# `provisioner` is the head node in every domain of the site.
TAKEN = frozenset({"provisioner", "localhost"})

LONGEST_LABEL = 63


def check_node_names(entries: Iterable[Entry[NodeEntry]]) -> list[Problem]:
    """A problem for every entry with a node whose name is another machine's, in whatever capitals."""
    problems: list[Problem] = []
    first: dict[str, str] = {}
    for entry in entries:
        # A switch may name nodes that are gone.
        if entry.overrides:
            continue
        clashes = [message for name in entry.names if (message := _clash(name, first))]
        span = entry.key.span
        problems += [
            Problem(entry.file, span.line, span.column, message, "choose another name") for message in clashes[:1]
        ]
    return problems


def check_interface_names(claims: Iterable[Claim]) -> list[Problem]:
    """A problem for every further interface whose name in DNS, NODE-INTERFACE, is too long or taken already.

    The claims come in the order of their nodes' names.
    """
    in_dns = [claim for claim in claims if claim.space == DNS]
    owners = {claim.value: f"the node {claim.node}" for claim in in_dns if claim.kind == NAME}
    problems: dict[tuple[str, int, int], Problem] = {}
    for claim in in_dns:
        if claim.kind == LABEL:
            whose = f"the interface {claim.interface} of {claim.node}"
            message = _misnomer(claim.value, whose, owners.setdefault(claim.value, whose))
            if message:
                # One place can name the interface of a thousand nodes; once is enough to see it.
                problem = Problem(*claim.place, message, "rename the interface or the node")
                problems.setdefault(claim.place, problem)
    return list(problems.values())


def _clash(name: str, first: dict[str, str]) -> str | None:
    lower = name.lower()
    if lower in TAKEN:
        return f"no node can have the name {name}: it belongs to the head node"
    other = first.setdefault(lower, name)
    return f"the nodes {other} and {name} have the same name but for capitals" if other != name else None


def _misnomer(name: str, whose: str, owner: str) -> str | None:
    if len(name) > LONGEST_LABEL:
        return (
            f"{name}, the name of {whose} in DNS, has {len(name)} characters; at most {LONGEST_LABEL} are allowed"
        )
    return f"{name}, the name of {whose} in DNS, belongs to {owner} already" if owner != whose else None

"""Names that machines would take for each other in DNS and in /etc/hosts, which do not know capitals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, Source
from provisioner.model.written import NodeEntry

# `provisioner` is the head node in every domain of the site.
TAKEN = frozenset({"provisioner", "localhost"})

_LONGEST_LABEL = 63


def check_node_names(entries: Iterable[Entry[NodeEntry]]) -> list[Problem]:
    """A problem for every entry with a node whose name is another machine's, in whatever capitals."""
    problems: list[Problem] = []
    first: dict[str, str] = {}
    for entry in entries:
        clashes = [message for name in entry.names if (message := _clash(name, first))]
        span = entry.key.span
        problems += [
            Problem(entry.file, span.line, span.column, message, "choose another name") for message in clashes[:1]
        ]
    return problems


def check_interface_names(nodes: Sequence[ResolvedNode]) -> list[Problem]:
    """A problem for every further interface whose name in DNS, NODE-INTERFACE, is too long or taken already."""
    owners = {node.name.lower(): f"the node {node.name}" for node in nodes}
    problems: dict[Source, Problem] = {}
    for node in nodes:
        for interface in _further(node):
            name = f"{node.name}-{interface.name}".lower().replace(".", "-")
            whose = f"the interface {interface.name} of {node.name}"
            message = _misnomer(name, whose, owners.setdefault(name, whose))
            if message:
                source = _source(node, interface)
                # One place can name the interface of a thousand nodes; once is enough to see it.
                problem = Problem(
                    source.file, source.line, source.column, message, "rename the interface or the node"
                )
                problems.setdefault(source, problem)
    return list(problems.values())


def _clash(name: str, first: dict[str, str]) -> str | None:
    lower = name.lower()
    if lower in TAKEN:
        return f"no node can have the name {name}: it belongs to the head node"
    other = first.setdefault(lower, name)
    return f"the nodes {other} and {name} have the same name but for capitals" if other != name else None


def _misnomer(name: str, whose: str, owner: str) -> str | None:
    if len(name) > _LONGEST_LABEL:
        return (
            f"{name}, the name of {whose} in DNS, has {len(name)} characters; at most {_LONGEST_LABEL} are allowed"
        )
    return f"{name}, the name of {whose} in DNS, belongs to {owner} already" if owner != whose else None


def _further(node: ResolvedNode) -> Iterator[ResolvedInterface]:
    return (each for each in node.interfaces if each.name != node.primary and (each.ip or each.ip6))


def _source(node: ResolvedNode, interface: ResolvedInterface) -> Source:
    key = "ip" if interface.ip else "ip6"
    return node.provenance[f"interfaces.{interface.name}.{key}"][-1]

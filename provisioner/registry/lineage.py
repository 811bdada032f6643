"""The way by which each group came to a node: the entry that names it, or the group that brings it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.config.decode import Entry
from provisioner.model.name import REMOVES
from provisioner.model.resolved import Source
from provisioner.model.written import NodeEntry
from provisioner.registry.inherit import Groups


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a group came: `via` names the groups between it and the entry, the nearest first, `by` who named it."""

    via: str
    by: str
    source: Source


def arrivals(entries: Sequence[Entry[NodeEntry]], groups: Groups, order: Collection[str]) -> Mapping[str, Arrival]:
    """The first way to each of a node's linearised groups, in their order."""
    found: dict[str, Arrival] = {}
    for entry in entries:
        _follow(entry, f"node {entry.key.text}", (), (groups, frozenset(order), found))
    return {name: found[name] for name in order if name in found}


_Search = tuple[Groups, frozenset[str], dict[str, Arrival]]


def _follow(entry: Entry[Any], by: str, path: tuple[str, ...], search: _Search) -> None:
    groups, wanted, found = search
    for index, name in enumerate(entry.value.groups):
        # A group that was taken away brings nothing, so a way through it is none.
        if name.startswith(REMOVES) or name not in wanted or name in found:
            continue
        place = entry.place(("groups", index))
        source = Source(file=entry.file, line=place.line, column=place.column, entry=by)
        found[name] = Arrival(" via ".join(path), by, source)
        _follow(groups[name], f"group {name}", (name, *path), search)

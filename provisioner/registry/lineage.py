"""The way by which each group came to a node, or was taken away from it: by an entry, or by another group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    anew = max((index for index, entry in enumerate(entries) if ("groups",) in entry.value.removed), default=0)
    for entry in entries[anew:]:
        _follow(entry, entry.label, (), (groups, frozenset(order), found))
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


@dataclass(frozen=True, slots=True)
class Removal:
    """A group that a list takes away (`~name`), by whom, and with it all groups that only it would bring."""

    group: str
    by: str
    source: Source
    lost: tuple[str, ...]


def removals(entries: Sequence[Entry[NodeEntry]], groups: Groups, order: Collection[str]) -> tuple[Removal, ...]:
    """What keeps groups from a node that its entries or other groups name; `order` are the groups that it has."""
    lists: list[tuple[str, Entry[Any]]] = [(entry.label, entry) for entry in entries]
    lists += [(f"group {name}", groups[name]) for name in order]
    candidates = _reachable((name for entry in entries for name in entry.value.groups), groups)
    return tuple(
        _removal(entry, index, by, groups, order)
        for by, entry in lists
        for index, item in enumerate(entry.value.groups)
        if item.startswith(REMOVES) and (name := item.removeprefix(REMOVES)) in candidates and name not in order
    )


def _removal(entry: Entry[Any], index: int, by: str, groups: Groups, order: Collection[str]) -> Removal:
    name = entry.value.groups[index].removeprefix(REMOVES)
    place = entry.place(("groups", index))
    source = Source(file=entry.file, line=place.line, column=place.column, entry=by)
    return Removal(name, by, source, tuple(each for each in _reachable([name], groups) if each not in order))


def _reachable(names: Iterable[str], groups: Groups) -> dict[str, None]:
    """Every group behind some names, were nothing removed."""
    found: dict[str, None] = {}
    waiting = [name for name in names if not name.startswith(REMOVES)]
    while waiting:
        name = waiting.pop()
        if name in groups and name not in found:
            found[name] = None
            waiting += [each for each in groups[name].value.groups if not each.startswith(REMOVES)]
    return found

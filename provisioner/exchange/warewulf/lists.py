"""Lists of groups and nodes, written so that every node ends with the list that it has in Warewulf.

Before release 4.6 a list of a node or of a later profile replaces what comes before; since then lists are
appended, and `~item` anywhere takes an item away. Ours are appended, and `~item` takes away what is weaker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from provisioner.exchange.warewulf.chain import GROUPS, appended, shown
from provisioner.exchange.warewulf.entry import Entry, Fields
from provisioner.exchange.warewulf.rule import Target
from provisioner.model.name import REMOVES

Lists = dict[Target, tuple[str, ...]]


def group_lists(profiles: Mapping[str, Entry], orders: Sequence[Sequence[str]]) -> dict[str, Lists]:
    """The lists to write into each group; `orders` are those in which profiles count for nodes."""
    weaker: dict[str, dict[str, None]] = {name: {} for name in profiles}
    for order in dict.fromkeys(map(tuple, orders)):
        for index, name in enumerate(order):
            weaker[name].update(dict.fromkeys(order[:index]))
    found: dict[str, Lists] = {}
    for name, entry in profiles.items():
        found[name] = {}
        for path, own, replaces in _lists(entry.fields):
            before = [item for other in weaker[name] for item in _own(profiles[other], path)] if replaces else []
            gone = tuple(dict.fromkeys(f"{REMOVES}{item}" for item in shown(before)))
            found[name][path] = (*gone, *own)
    return found


def node_lists(entry: Entry, wanted: Fields, groups: Sequence[Lists]) -> Lists:
    """The lists to write into a node, given those of its groups, weakest first, and what it has in the end."""
    own = {path: value for path, value, _ in _lists(entry.fields)}
    paths = dict.fromkeys([*own, *(path for each in groups for path in each)])
    found: Lists = {}
    for path in paths:
        inherited: tuple[str, ...] = ()
        for each in groups:
            inherited = appended(inherited, each.get(path, ()))
        goal = wanted[path].value if path in wanted else ()
        written = own.get(path, ())
        if shown(appended(inherited, written)) != goal:
            written = (*(f"{REMOVES}{item}" for item in shown(inherited)), *goal)
        if written:
            found[path] = written
    return found


def _lists(fields: Fields) -> Iterator[tuple[Target, tuple[str, ...], bool]]:
    for path, said in fields.items():
        if path != GROUPS and isinstance(said.value, tuple):
            yield path, said.value, said.replaces


def _own(entry: Entry, path: Target) -> tuple[str, ...]:
    said = entry.fields.get(path)
    return said.value if said is not None else ()

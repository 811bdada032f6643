"""Which groups a node belongs to, in the one order that decides whose value wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.name import REMOVES
from provisioner.model.written import Group

# Nobody nests so deep on purpose, and a chain of thousands would exhaust the stack.
DEEPEST = 50

Groups = Mapping[str, Entry[Group]]


def linearise(names: Sequence[str], groups: Groups) -> tuple[str, ...]:
    """All groups behind some names, weakest first.

    Depth first, from left to right: a group's own groups come before the group, so they are weaker; each group
    stands where it is met first. `~name` takes away that group wherever it is met below the same list, with
    everything that only it brought; a later `name` in the list brings it back. A group that does not exist, or
    that leads back to itself, adds nothing.
    """
    order: dict[str, None] = {}
    wanted, unwanted = _chosen(names, frozenset())
    for name in wanted:
        _visit(name, groups, order, ((), unwanted))
    return tuple(order)


def _visit(name: str, groups: Groups, order: dict[str, None], at: tuple[tuple[str, ...], frozenset[str]]) -> None:
    path, unwanted = at
    if name in order or name in path or name in unwanted or name not in groups or len(path) >= DEEPEST:
        return
    parents, unwanted = _chosen(groups[name].value.groups, unwanted)
    for parent in parents:
        _visit(parent, groups, order, ((*path, name), unwanted))
    order[name] = None


def _chosen(names: Sequence[str], unwanted: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """The groups that a list names, and those that nothing below it may bring."""
    wanted: dict[str, None] = {}
    removed: set[str] = set()
    for name in names:
        if name.startswith(REMOVES):
            wanted.pop(name.removeprefix(REMOVES), None)
            removed.add(name.removeprefix(REMOVES))
        else:
            removed.discard(name)
            wanted[name] = None
    return list(wanted), unwanted | removed


def cycles(groups: Groups) -> list[Problem]:
    """A problem for every circle of groups, at the reference that closes it, and for groups nested too deep."""
    problems: list[Problem] = []
    done: set[str] = set()
    for name in groups:
        _search(name, groups, done, (), problems)
    return problems


def _search(name: str, groups: Groups, done: set[str], path: tuple[str, ...], problems: list[Problem]) -> None:
    if name in done or name not in groups:
        return
    for index, parent in enumerate(groups[name].value.groups):
        if parent.startswith(REMOVES):
            continue
        if parent in (*path, name):
            problems.append(_cycle(groups[name], index, (*path, name)))
        elif len(path) >= DEEPEST:
            problems.append(_too_deep(groups[name], index))
        else:
            _search(parent, groups, done, (*path, name), problems)
    done.add(name)


def _cycle(entry: Entry[Group], index: int, path: tuple[str, ...]) -> Problem:
    parent = entry.value.groups[index]
    circle = " -> ".join((*path[path.index(parent) :], parent))
    place = entry.place(("groups", index))
    hint = f"remove {parent} from the groups of {entry.names[0]}"
    return Problem(entry.file, place.line, place.column, f"groups in a circle: {circle}", hint)


def _too_deep(entry: Entry[Group], index: int) -> Problem:
    place = entry.place(("groups", index))
    message, hint = f"groups are nested deeper than {DEEPEST} levels", "name the groups side by side instead"
    return Problem(entry.file, place.line, place.column, message, hint)

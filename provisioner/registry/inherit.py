"""Which groups a node belongs to, in the one order that decides whose value wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.name import REMOVES
from provisioner.model.written import Group

# Nobody nests so deep on purpose, and a chain of thousands would exhaust the stack.
DEEPEST = 50

Groups = Mapping[str, Entry[Group]]
Nested = Callable[[str], Sequence[str] | None]


def linearise(names: Sequence[str], groups: Groups) -> tuple[str, ...]:
    """All groups behind some names, weakest first.

    Depth first, from left to right: a group's own groups come before the group, so they are weaker; each group
    stands where it is met first. `~name` takes away that group wherever it is met below the same list, with
    everything that only it brought; a later `name` in the list brings it back. A group that does not exist, or
    that leads back to itself, adds nothing.
    """
    return ordered(names, lambda name: groups[name].value.groups if name in groups else None)


def ordered(names: Sequence[str], nested: Nested) -> tuple[str, ...]:
    """The same for anything that nests by name: `nested` gives the list of a name, None where there is none."""
    order: dict[str, None] = {}
    wanted, unwanted = _chosen(names, frozenset())
    for name in wanted:
        _visit(name, nested, order, ((), unwanted))
    return tuple(order)


def _visit(name: str, nested: Nested, order: dict[str, None], at: tuple[tuple[str, ...], frozenset[str]]) -> None:
    path, unwanted = at
    if name in order or name in path or name in unwanted or len(path) >= DEEPEST or (own := nested(name)) is None:
        return
    parents, unwanted = _chosen(own, unwanted)
    for parent in parents:
        _visit(parent, nested, order, ((*path, name), unwanted))
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
    depths: dict[str, int] = {}
    for name in groups:
        if name not in depths:
            _search(name, groups, depths, problems)
    return problems


def _search(start: str, groups: Groups, depths: dict[str, int], problems: list[Problem]) -> None:
    """Find the depth of a group and of all behind it: 1 without groups of its own, else one more than the deepest.

    Only the group that is the first one too deep is a problem, not those that it is behind.
    """
    # Not by recursion: a chain may have thousands of groups.
    path = {start: _parents(start, groups)}
    while path:
        name = next(reversed(path))
        index, parent = next(path[name], (-1, ""))
        if parent in path:
            problems.append(_cycle(groups[name], index, tuple(path)))
        elif parent and parent not in depths:
            path[parent] = _parents(parent, groups)
        elif not parent:
            del path[name]
            known = [(depths.get(each, 0), -at) for at, each in _parents(name, groups)]
            deepest, place = max(known, default=(0, 0))
            depths[name] = deepest + 1
            if deepest == DEEPEST:
                problems.append(_too_deep(groups[name], -place))


def _parents(name: str, groups: Groups) -> Iterator[tuple[int, str]]:
    named = enumerate(groups[name].value.groups)
    return ((index, parent) for index, parent in named if parent in groups)


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

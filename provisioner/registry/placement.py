"""Where a change of nodes is written, and how.

A range entry is never rewritten for some of its nodes. A change goes to the entry of exactly these nodes when
nothing after it that names others too sets the same, or to a new entry behind everything that is said about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.config.emit import Writable
from provisioner.errors import ConflictError, NotFoundError
from provisioner.model.name import REMOVES
from provisioner.registry import said
from provisioner.registry.field import Assignment, dotted
from provisioner.registry.inheritance import Inheritance
from provisioner.registry.manuscript import Manuscript, Passage, folded_names
from provisioner.registry.said import Path


def lay(manuscript: Manuscript, names: frozenset[str], changes: Sequence[Assignment]) -> None:
    """Change these nodes, which exist, in the entry where the changes take effect for them.

    Raises ConflictError where no entry can say so, NotFoundError for an item to remove that is nowhere.
    """
    target = _target(manuscript, names, changes)
    inheritance = Inheritance(manuscript.view.groups)
    for change in changes:
        if change.operator == "-=":
            subtract(manuscript, target, change, inheritance)
        else:
            write(manuscript, target, change)


def write(manuscript: Manuscript, passage: Passage, change: Assignment) -> None:
    """Make `=`, `+=` or `~` in one entry."""
    if change.value == {} and said.holds(passage.data, change.path):
        # That a map exists takes nothing away from it.
        return
    if change.operator == "=":
        _make_room(manuscript, passage, change)
        manuscript.put(passage, change.path, change.value)
    elif change.operator == "+=":
        for item in said.items_of(change.value):
            if said.opposite(item) in said.listed(passage.data, change.path):
                manuscript.take(passage, change.path, said.opposite(item))
            manuscript.append(passage, change.path, item)
    else:
        if said.holds(passage.data, change.path):
            manuscript.cut(passage, change.path)
        manuscript.put(passage, said.marked(change.path), None)


def begin(manuscript: Manuscript, passage: Passage, changes: Sequence[Assignment]) -> None:
    """Make changes in a new entry, where `-=` can only mean what comes from elsewhere."""
    for change in changes:
        marks = [_mark(item) for item in said.items_of(change.value)]
        write(manuscript, passage, Assignment(change.path, "+=", marks) if change.operator == "-=" else change)


def subtract(manuscript: Manuscript, passage: Passage, change: Assignment, inheritance: Inheritance) -> None:
    """Make `-=` in one entry: an item of its own goes, one that still comes from elsewhere is marked as removed.

    Raises NotFoundError for an item that is nowhere.
    """
    for item in said.items_of(change.value):
        items = said.listed(passage.data, change.path)
        own = any(said.same(item, each) for each in items)
        if own:
            manuscript.take(passage, change.path, item)
        left = _items(manuscript, passage.names, change.path, inheritance)
        if item in left and isinstance(item, str):
            manuscript.append(passage, change.path, _mark(item))
        elif not own and _mark(item) not in items:
            message = f"{dotted(change.path)} of {passage.key} has no item {item}"
            raise NotFoundError(message, hint=f"it has {', '.join(map(str, left)) or 'none'}")


def _target(manuscript: Manuscript, names: frozenset[str], changes: Sequence[Assignment]) -> Passage:
    covering = manuscript.covering(names)
    if not covering:
        raise NotFoundError(f"there is no node {folded_names(names)}", hint="prov node list")
    exact = next((each for each in reversed(covering) if each.names == names), None)
    after = covering[covering.index(exact) + 1 :] if exact else []
    in_the_way = [(each, change) for each in after for change in changes if _outdoes(each, change)]
    foreign = [each for each, change in in_the_way if not _may_give_way(each, change, names)]
    if exact and not foreign:
        for each, change in in_the_way:
            _give_way(manuscript, each, change)
        return exact
    last = covering[-1]
    key = folded_names(names)
    if exact and key in manuscript.keys_of(last.file):
        message = f"{foreign[-1].place} says more about {key} than its own entry at {exact.place}"
        raise ConflictError(message, hint=f"change the value at {foreign[-1].place}")
    return manuscript.add(last.file, names, {})


def _outdoes(passage: Passage, change: Assignment) -> bool:
    """Whether a stronger entry would win over a change. Lists append, so only a mark in one wins over a list."""
    settled = said.settles(passage.data, change.path)
    if change.operator == "~":
        return settled is True
    if not said.appends(change.path, change.value):
        return settled is False if change.value == {} else settled is not None
    items = said.listed(passage.data, change.path)
    if said.clears(passage.data, change.path):
        # What is marked as removed before it is forgotten too, and groups that it names may bring the item again.
        return True
    if change.operator == "-=":
        return any(said.same(item, each) for item in said.items_of(change.value) for each in items)
    return any(said.opposite(item) in items for item in said.items_of(change.value))


def _may_give_way(passage: Passage, change: Assignment, names: frozenset[str]) -> bool:
    """Whether a stronger entry speaks of these nodes alone, and says no more than what is to be changed."""
    path = change.path
    if said.appends(path, change.value):
        speaks = said.holds(passage.data, path)
    else:
        speaks = said.holds(passage.data, path) or said.holds(passage.data, said.marked(path))
    # What a mark of a whole map or list removes besides would come back with it.
    above = path if said.appends(path, change.value) else path[:-1]
    return speaks and passage.names <= names and not (above and said.clears(passage.data, above))


def _give_way(manuscript: Manuscript, passage: Passage, change: Assignment) -> None:
    for path in (said.marked(change.path), change.path):
        if not said.holds(passage.data, path):
            continue
        if path == change.path and said.appends(path, change.value):
            items = said.items_of(change.value)
            wanted = [item if change.operator == "-=" else said.opposite(item) for item in items]
            for item in [each for each in wanted if each in said.listed(passage.data, path)]:
                manuscript.take(passage, path, item)
        else:
            manuscript.cut(passage, path)


def _make_room(manuscript: Manuscript, passage: Passage, change: Assignment) -> None:
    """Take away the mark at a path that gets a value which replaces weaker ones anyway.

    Beside a list or map the mark stays: then it starts anew.
    """
    mark = said.marked(change.path)
    replaces = not said.appends(change.path, change.value) and not isinstance(change.value, Mapping)
    if replaces and said.holds(passage.data, mark):
        manuscript.cut(passage, mark)


def _items(manuscript: Manuscript, names: frozenset[str], path: Path, inheritance: Inheritance) -> tuple[Any, ...]:
    """The items that some of these have in a list."""
    profiles: dict[tuple[int, ...], tuple[Any, ...]] = {}
    for name in names:
        passages = manuscript.covering([name])
        profile = tuple(map(id, passages))
        if profile not in profiles:
            profiles[profile] = inheritance.items(passages, path)
    return tuple(item for each in profiles.values() for item in each)


def _mark(item: Writable) -> Any:
    return f"{REMOVES}{item}" if isinstance(item, str) else item

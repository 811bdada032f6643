"""What one entry says, as the plain data of its text, and how that changes. Paths are keys from the entry on.

`~key` in the place of a key removes what weaker places say about it, and all that is below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from provisioner.config.emit import Writable
from provisioner.config.splice import as_read
from provisioner.model.name import REMOVES

Path = tuple[str, ...]
Said = Mapping[str, Any]


def marked(path: Path) -> Path:
    """The path of the mark that removes what is at a path."""
    return (*path[:-1], f"{REMOVES}{path[-1]}")


def same(one: Writable, other: Writable) -> bool:
    """Whether two values read the same once they are written."""
    return as_read(one) == as_read(other)


def holds(said: Said, path: Path) -> bool:
    """Whether there is a key at a path."""
    held = at(said, path[:-1])
    return isinstance(held, Mapping) and path[-1] in held


def at(said: Said, path: Path) -> Any:
    """The value at a path, None where there is none."""
    held: Any = said
    for step in path:
        held = held.get(step) if isinstance(held, Mapping) else None
    return held


def listed(said: Said, path: Path) -> tuple[Any, ...]:
    """The items of the list at a path."""
    value = at(said, path)
    return tuple(value) if isinstance(value, list | tuple) else ()


def settles(said: Said, path: Path) -> bool | None:
    """Whether it gives a value at a path or below (True), removes it (False), or says nothing of it (None)."""
    if _gives(at(said, path)):
        return True
    marks = any(holds(said, marked(path[: depth + 1])) for depth in range(len(path)))
    # In `resources` a value may stand where others have a map.
    values = (at(said, path[:depth]) for depth in range(1, len(path)))
    return False if marks or any(not isinstance(each, Mapping | None) for each in values) else None


def mark_above(said: Said, path: Path) -> Path | None:
    """The mark that removes a map that a path leads through."""
    marks = (marked(path[:depth]) for depth in range(1, len(path)))
    return next((mark for mark in marks if holds(said, mark)), None)


def with_at(said: Said, path: Path, value: Writable) -> dict[str, Any]:
    """The same with a value at a path."""
    if len(path) == 1:
        return {**said, path[0]: value}
    held = said.get(path[0])
    return {**said, path[0]: with_at(held if isinstance(held, Mapping) else {}, path[1:], value)}


def without(said: Said, path: Path) -> dict[str, Any]:
    """The same without the key at a path, and without the maps that hold nothing else."""
    rest = {key: value for key, value in said.items() if key != path[0]}
    if len(path) == 1:
        return rest
    held = said.get(path[0])
    below = without(held, path[1:]) if isinstance(held, Mapping) else {}
    return {key: below if key == path[0] else value for key, value in said.items() if key != path[0] or below}


def leaves(said: Said, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is no map, marks too, and every empty map, with its path."""
    for key, value in said.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def items_of(value: Writable) -> tuple[Any, ...]:
    """The items of a list, or a single value as the only one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def appends(path: Path, value: Writable) -> bool:
    """Whether a value is a list that adds to weaker ones; in `resources` a list is a value like any other."""
    return isinstance(value, list | tuple) and path[0] != "resources"


def appended(weaker: Sequence[Any], stronger: Sequence[Any]) -> tuple[Any, ...]:
    """Two lists as inheritance joins them: each item once; `~item` takes one away, and stays as a mark."""
    kept = list(weaker)
    for item in map(as_read, stronger):
        opposite = _opposite(item)
        kept = [each for each in kept if each not in (opposite, item)] if _is_mark(item) else _with(kept, item)
        if _is_mark(item):
            kept.append(item)
    return tuple(kept)


def joined(lists: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    """The items that lists, weakest first, give together."""
    nothing: tuple[Any, ...] = ()
    return tuple(item for item in reduce(appended, lists, nothing) if not _is_mark(item))


def _with(items: list[Any], item: Any) -> list[Any]:
    kept = [each for each in items if each != _opposite(item)]
    return kept if item in kept else [*kept, item]


def _is_mark(item: Any) -> bool:
    return isinstance(item, str) and item.startswith(REMOVES)


def _opposite(item: Any) -> Any:
    if not isinstance(item, str):
        return None
    return item.removeprefix(REMOVES) if _is_mark(item) else f"{REMOVES}{item}"


def _gives(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_gives(each) for key, each in value.items() if not key.startswith(REMOVES)) or not value
    return value is not None

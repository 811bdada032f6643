"""What one entry says, as the plain data of its text, and how that changes. Paths are keys from the entry on.

`~key` in the place of a key removes what weaker places say about it, and all that is below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.config.emit import Writable
from provisioner.config.splice import as_read
from provisioner.model.name import REMOVES
from provisioner.model.written import NodeEntry
from provisioner.registry.fieldkind import Shape, kind_of

Path = tuple[str, ...]
Said = Mapping[str, Any]


def marked(path: Path) -> Path:
    """The path of the mark that removes what is at a path."""
    return (*path[:-1], f"{REMOVES}{path[-1]}")


def unmarked(path: Path) -> Path:
    """The path that a mark removes."""
    return (*path[:-1], path[-1].removeprefix(REMOVES))


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
    if _gives(at(said, path), path):
        return True
    return False if clears(said, path) else None


def clears(said: Said, path: Path) -> bool:
    """Whether it removes what weaker places say at a path, or a map that the path leads through.

    It may say something of its own there all the same: the marks of an entry come before its values.
    """
    marks = any(holds(said, marked(path[: depth + 1])) for depth in range(len(path)))
    return marks or value_above(said, path) is not None


def value_above(said: Said, path: Path) -> Path | None:
    """The place on the way to a path where a value stands, as one may in `resources` where others have a map."""
    places = (path[:depth] for depth in range(1, len(path)))
    return next((place for place in places if not isinstance(at(said, place), Mapping | None)), None)


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


def is_mark(path: Path, value: Any) -> bool:
    """Whether a leaf is `~key:` with nothing behind it."""
    return value is None and path[-1].startswith(REMOVES)


def items_of(value: Writable) -> tuple[Any, ...]:
    """The items of a list, or a single value as the only one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def appends(path: Path, value: Writable) -> bool:
    """Whether a value is a list that adds to weaker ones; in `resources` a list is a value like any other."""
    return isinstance(value, list | tuple) and path[0] != "resources"


def appended(weaker: Sequence[Any], stronger: Sequence[Any]) -> tuple[Any, ...]:
    """Two lists as inheritance joins them: each item once; `~item` takes one away, and stays as a mark.

    It stays before an item that came again, too: a still weaker list would give that one another place.
    """
    kept = list(weaker)
    for item in map(as_read, stronger):
        if _is_mark(item):
            kept = [each for each in kept if each not in (opposite(item), item)]
        if item not in kept:
            kept.append(item)
    return tuple(kept)


def joined(layers: Iterable[Said], path: Path, at_first: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The items, and `~item` marks, that the lists at a path give together, weakest first."""
    items = tuple(at_first)
    for layer in layers:
        items = appended(() if clears(layer, path) else items, listed(layer, path))
    return items


def opposite(item: Any) -> Any:
    """`~item` for an item, and the item for `~item`; None where there is no such mark, as for a map."""
    if not isinstance(item, str):
        return None
    return item.removeprefix(REMOVES) if _is_mark(item) else f"{REMOVES}{item}"


def _is_mark(item: Any) -> bool:
    return isinstance(item, str) and item.startswith(REMOVES)


def _gives(value: Any, path: Path) -> bool:
    if isinstance(value, Mapping):
        inside = any(_gives(each, (*path, key)) for key, each in value.items() if not key.startswith(REMOVES))
        return inside or not value or _is_element(path)
    return value is not None


def _is_element(path: Path) -> bool:
    """Whether a map at a path is a thing of its own, as a device is, even where it says nothing."""
    outer = inner = kind_of(NodeEntry)
    for step in path:
        outer, inner = inner, inner.fields.get(step) or inner.inner or inner
    return (inner.shape is Shape.FREE and len(path) > 1) or (outer.shape, inner.shape) == (Shape.MAP, Shape.FIELDS)

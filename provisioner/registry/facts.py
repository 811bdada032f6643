"""Facts: what one entry says, flattened to paths, and the rule by which stronger facts are laid over weaker.

A path is a tuple of keys, `("interfaces", "eth0", "ip")`, because names may hold dots. Merging by path is what
makes maps merge by key, recursively.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from provisioner.config.decode import Entry
from provisioner.model.mapping import Written
from provisioner.model.name import REMOVES
from provisioner.model.resolved import Source
from provisioner.model.written import Layer

FactPath = tuple[str, ...]


class Removed:
    """The value of what an entry removes."""

    def __repr__(self) -> str:
        return "removed"


REMOVED = Removed()


class Fact(NamedTuple):
    """A value and every place that contributed to it, weakest first.

    The value None means that a map exists here; a tuple is a list that appends, with `~item` to remove. `anew`
    says that the entry removes what is inherited here and then says its own.
    """

    value: Any
    sources: tuple[Source, ...]
    anew: bool = False


Facts = Mapping[FactPath, Fact]


def facts_of(entry: Entry[Any], label: str) -> Facts:
    """What an entry sets and removes; `label` names it for people, as in `group compute`."""
    found: dict[FactPath, Fact] = {}
    for path, value in _leaves(entry.value, ()):
        anew = path in found and found[path].value is REMOVED
        if value is None:
            found[path] = Fact(None, (), anew)
            continue
        written = (*path[:-1], f"{REMOVES}{path[-1]}") if value is REMOVED else path
        span = entry.place(written)
        source = Source.model_construct(file=entry.file, line=span.line, column=span.column, entry=label)
        found[path] = Fact(value, (source,), anew)
    return found


def merge(layers: Iterable[Facts]) -> Facts:
    """One set of facts from layers, weakest first.

    A scalar of a stronger layer replaces the weaker one. A list is appended to the weaker one, without the
    items that are in it already; its items `~x` take x away. What a layer removes is gone with all that is
    below it, until a stronger layer sets it again. In `resources` a value takes the place of a map, and a map
    that of a value. Sources of all that is left are kept.
    """
    merged: dict[FactPath, Fact] = {}
    removed: set[FactPath] = set()
    for layer in layers:
        # Removals first: an entry that removes a map and sets a key in it starts that map anew.
        for path in [path for path, fact in layer.items() if fact.anew or fact.value is REMOVED]:
            removed.add(path)
            _clear(merged, path, itself=layer[path].anew)
        for path, fact in layer.items():
            weaker = merged.get(path)
            if weaker and weaker.value is None and fact.value is not None:
                _clear(merged, path, itself=False)
            merged[path] = _over(weaker, fact) if weaker else Fact(_appended((), fact.value), *fact[1:])
            if removed and fact.value is not REMOVED:
                _restore(merged, path, removed)
    return merged


def scalar(facts: Facts, *path: str) -> Any:
    """The value at a path, or None where nobody set one or somebody removed it."""
    fact = facts.get(path)
    return None if fact is None or fact.value is REMOVED else fact.value


def items(facts: Facts, *path: str) -> tuple[Any, ...]:
    """The list at a path, without marks of what was removed."""
    return tuple(item for item in scalar(facts, *path) or () if not _removes(item))


def keys(facts: Facts, *path: str) -> list[str]:
    """The keys of the map at a path that something is said about, in the order in which they were met."""
    depth = len(path)
    below = (
        each[depth]
        for each, fact in facts.items()
        if len(each) > depth and each[:depth] == path and _exists(facts, each[: depth + 1])
    )
    return list(dict.fromkeys(below))


def tree(facts: Facts, *path: str) -> dict[str, Any]:
    """The map at a path as nested plain data."""
    found: dict[str, Any] = {}
    for key in keys(facts, *path):
        value = scalar(facts, *path, key)
        if isinstance(value, tuple):
            found[key] = items(facts, *path, key)
        elif value is not None:
            found[key] = value
        else:
            found[key] = tree(facts, *path, key)
    return found


def groups_of(layers: Iterable[Layer]) -> tuple[str, ...]:
    """The groups that entries of one node name, in their order, each once; `~name` stays where it was said.

    An entry with `~groups:` takes away the groups of weaker entries.
    """
    named: tuple[str, ...] = ()
    for layer in layers:
        named = _appended(() if ("groups",) in layer.removed else named, layer.groups)
    return named


def _exists(facts: Facts, path: FactPath) -> bool:
    fact = facts.get(path)
    return fact is None or fact.value is not REMOVED


def _clear(merged: dict[FactPath, Fact], path: FactPath, *, itself: bool) -> None:
    """Take away what is below a path, and perhaps what is at it."""
    for below in [each for each in merged if each[: len(path)] == path]:
        if itself or below != path:
            del merged[below]


def _restore(merged: dict[FactPath, Fact], path: FactPath, removed: set[FactPath]) -> None:
    """Let the maps exist again that lead to a path."""
    for above in (path[:depth] for depth in range(1, len(path))):
        if above in removed and above in merged and merged[above].value is REMOVED:
            merged[above] = Fact(None, merged[above].sources)


def _over(weaker: Fact, stronger: Fact) -> Fact:
    value = stronger.value
    if value is None:
        # That a map exists says nothing against it; a value that was in its place says nothing any more.
        return Fact(None, weaker.sources if weaker.value is None or weaker.value is REMOVED else ())
    if isinstance(value, tuple):
        value = _appended(weaker.value if isinstance(weaker.value, tuple) else (), value)
    return Fact(value, (*weaker.sources, *stronger.sources))


def _appended(weaker: tuple[Any, ...], stronger: Any) -> Any:
    if not isinstance(stronger, tuple):
        return stronger
    kept = dict.fromkeys(weaker)
    for item in stronger:
        if _removes(item):
            kept.pop(item[len(REMOVES) :], None)
            # The mark stays: what it takes away may come from a still weaker layer, which is merged later.
            kept[item] = None
        else:
            kept.setdefault(item)
    return tuple(kept)


def _removes(item: object) -> bool:
    return isinstance(item, str) and item.startswith(REMOVES)


def _leaves(model: BaseModel, path: FactPath) -> Iterator[tuple[FactPath, Any]]:
    if isinstance(model, Written):
        yield from (((*path, *removed), REMOVED) for removed in sorted(model.removed))
    for name in type(model).model_fields:
        if name in model.model_fields_set and name != "removed":
            yield from _leaves_of(getattr(model, name), (*path, name))


def _leaves_of(value: Any, path: FactPath) -> Iterator[tuple[FactPath, Any]]:
    if isinstance(value, BaseModel):
        yield from _leaves(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            # `eth0: {}` sets nothing inside, and still is an interface.
            if isinstance(inner, BaseModel | dict):
                yield (*path, key), None
            yield from _leaves_of(inner, (*path, key))
    else:
        yield path, _appended((), value)

"""Facts: what one entry says, flattened to paths, and the rule by which stronger facts are laid over weaker.

A path is a tuple of keys, `("interfaces", "eth0", "ip")`, because names may hold dots. Merging by path is what
makes maps merge by key, recursively.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from provisioner.config.decode import Entry
from provisioner.model.resolved import Source
from provisioner.model.written import Layer

FactPath = tuple[str, ...]


class Fact(NamedTuple):
    """A value and every place that contributed to it, weakest first."""

    value: Any
    sources: tuple[Source, ...]


Facts = Mapping[FactPath, Fact]


def facts_of(entry: Entry[Any], label: str) -> Facts:
    """What an entry sets; `label` names it for people, as in `group compute`."""
    found: dict[FactPath, Fact] = {}
    for path, value in _leaves(entry.value, ()):
        if value is None:
            found[path] = Fact(None, ())
            continue
        span = entry.place(path)
        source = Source.model_construct(file=entry.file, line=span.line, column=span.column, entry=label)
        found[path] = Fact(value, (source,))
    return found


def merge(layers: Iterable[Facts]) -> Facts:
    """One set of facts from layers, weakest first.

    A scalar of a stronger layer replaces the weaker one. A list is appended to the weaker one, without the
    items that are in it already. Sources of both are kept.
    """
    merged: dict[FactPath, Fact] = {}
    for layer in layers:
        for path, fact in layer.items():
            weaker = merged.get(path)
            merged[path] = _over(weaker, fact) if weaker else fact
    return merged


def scalar(facts: Facts, *path: str) -> Any:
    """The value at a path, or None where nobody set one."""
    fact = facts.get(path)
    return fact.value if fact else None


def _over(weaker: Fact, stronger: Fact) -> Fact:
    value = stronger.value
    if isinstance(value, tuple):
        value = tuple(dict.fromkeys((*weaker.value, *value)))
    return Fact(value, (*weaker.sources, *stronger.sources))


def _leaves(model: BaseModel, path: FactPath) -> Iterator[tuple[FactPath, Any]]:
    for name in type(model).model_fields:
        if name in model.model_fields_set:
            yield from _leaves_of(getattr(model, name), (*path, name))


def _leaves_of(value: Any, path: FactPath) -> Iterator[tuple[FactPath, Any]]:
    if isinstance(value, BaseModel):
        yield from _leaves(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            # `eth0: {}` sets nothing inside, and still is an interface.
            if isinstance(inner, BaseModel):
                yield (*path, key), None
            yield from _leaves_of(inner, (*path, key))
    else:
        yield path, tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value


def groups_of(layers: Iterable[Layer]) -> tuple[str, ...]:
    """The groups that entries of one node name, in their order, each once."""
    return tuple(dict.fromkeys(group for layer in layers for group in layer.groups))

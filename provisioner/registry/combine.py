"""Several entries about the same nodes as one that says the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from provisioner.registry import said
from provisioner.registry.said import Path, Said


def combined(layers: Iterable[Said]) -> dict[str, Any]:
    """What layers say together, weakest first.

    Where a later one starts something anew, the entry has the mark that removes it and a value beside it.
    """
    together: dict[str, Any] = {}
    for layer in layers:
        for path, value in sorted(said.leaves(layer), key=lambda leaf: not said.is_mark(*leaf)):
            together = _with(together, path, value)
    return together


def _with(together: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    above = said.value_above(together, path)
    if above is not None:
        together = _anew(together, above)
    mark = said.marked(path)
    if said.is_mark(path, value):
        removed = said.unmarked(path)
        if said.holds(together, removed):
            together = said.without(together, removed)
        return said.with_at(together, path, None)
    if value is None or isinstance(value, dict):
        return _with_map(together, path, value)
    if said.appends(path, value):
        value = list(said.appended(said.listed(together, path), value))
    elif said.holds(together, mark):
        together = said.without(together, mark)
    return said.with_at(together, path, value)


def _with_map(together: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A map exists at a path, or nothing at all is said there."""
    held = said.at(together, path)
    if isinstance(held, dict) or (value is None and held is not None):
        return together
    if held is not None:
        together = _anew(together, path)
    return said.with_at(together, path, value)


def _anew(together: dict[str, Any], path: Path) -> dict[str, Any]:
    """A value goes for a map in its place: what is weaker must not come through."""
    return said.with_at(said.without(together, path), said.marked(path), None)

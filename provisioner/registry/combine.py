"""Several entries about the same nodes as one that says the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from provisioner.errors import ConflictError
from provisioner.model.name import REMOVES
from provisioner.registry import said
from provisioner.registry.field import dotted
from provisioner.registry.said import Path, Said


def combined(layers: Iterable[Said], whose: str) -> dict[str, Any]:
    """What layers say together, weakest first; `whose` names them in errors.

    Raises ConflictError where a layer removes a map or list and a later one starts it anew: one entry cannot.
    """
    together: dict[str, Any] = {}
    for layer in layers:
        for path, value in sorted(said.leaves(layer), key=lambda leaf: not _is_mark(leaf[0])):
            together = _with(together, path, value, whose)
    return together


def _with(together: dict[str, Any], path: Path, value: Any, whose: str) -> dict[str, Any]:
    if _is_mark(path) and value is None:
        removed = (*path[:-1], path[-1].removeprefix(REMOVES))
        if said.holds(together, removed):
            together = said.without(together, removed)
        return said.with_at(together, path, None)
    mark = said.marked(path)
    above = said.mark_above(together, path)
    if above is not None or (said.holds(together, mark) and isinstance(value, dict | list)):
        message = (
            f"one entry cannot say what the entries of {whose} say: {dotted(above or mark)} and a value after it"
        )
        raise ConflictError(message, hint=f"prov node edit {whose}")
    if said.holds(together, mark):
        together = said.without(together, mark)
    if (value is None or isinstance(value, dict)) and said.holds(together, path):
        return together
    if said.appends(path, value):
        value = list(said.appended(said.listed(together, path), value))
    return said.with_at(together, path, value)


def _is_mark(path: Path) -> bool:
    return path[-1].startswith(REMOVES)

"""One entry as it is written, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel

from provisioner.config.decode import Entry
from provisioner.model.name import REMOVES
from provisioner.registry.facts import REMOVED, facts_of


def values_of(entry: Entry[Any]) -> dict[tuple[str, ...], Any]:
    """What an entry says, by path; what it removes has the value None below a key `~NAME`. Secrets are in it."""
    facts = facts_of(entry, "")
    return dict(_written(path, fact.value) for path, fact in facts.items() if fact.value is not None)


def tree_of(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """The same as nested maps."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        inner = tree
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = value
    return tree


def _written(path: tuple[str, ...], value: Any) -> tuple[tuple[str, ...], Any]:
    return ((*path[:-1], f"{REMOVES}{path[-1]}"), None) if value is REMOVED else (path, plain(value))


def plain(value: Any) -> Any:
    """A value of a model as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, bool | int | float) or value is None else str(value)

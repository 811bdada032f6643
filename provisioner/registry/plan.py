"""Where an edit goes: pure decisions from what is written to the new text of files. Nothing is written here.

A range entry is never rewritten for one node. A change goes to the entry of exactly these nodes when nothing
after it sets the same, or to a new entry behind everything that is said about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.config.decode import Entry
from provisioner.config.splice import delete_entry, set_value
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.nodeset import expand, fold
from provisioner.model.written import NodeEntry
from provisioner.registry.changes import Settings, nested
from provisioner.registry.facts import facts_of
from provisioner.registry.load import Examined

NEW_NODES = "nodes.d/nodes.yaml"

Texts = Mapping[str, str]


def names_of(nodeset: str) -> tuple[str, ...]:
    """The names that a node set on the command line stands for; ProvisionerError when it is none."""
    try:
        return expand(nodeset)
    except ValueError as error:
        raise ProvisionerError(str(error), hint="a node set looks like n[001-004,010] or n1,n2") from None


def add_nodes(texts: Texts, site: Examined, nodeset: str, settings: Settings) -> Texts:
    """One new entry for new nodes; ConflictError when one of them exists."""
    names = names_of(nodeset)
    for entry in site.entries:
        taken = sorted(set(names).intersection(entry.names))
        if taken:
            message = f"{fold(taken)} exists already, at {_place(entry)}"
            raise ConflictError(message, hint=f"prov node set {fold(taken)} ...")
    return _with_entry(texts, NEW_NODES, ("nodes", fold(names)), settings)


def set_nodes(texts: Texts, site: Examined, nodeset: str, settings: Settings) -> Texts:
    """The settings written for exactly these nodes; NotFoundError when one does not exist."""
    names = frozenset(names_of(nodeset))
    covering = [entry for entry in site.entries if names.intersection(entry.names)]
    missing = names.difference(*(entry.names for entry in covering))
    if missing:
        raise NotFoundError(f"there is no node {fold(missing)}", hint=f"prov node add {fold(missing)}")
    _demand_values(covering, settings)
    exact = next((entry for entry in reversed(covering) if names == set(entry.names)), None)
    stronger = _stronger(covering, exact, settings)
    if exact and stronger is None:
        return _changed(texts, exact, "nodes", settings)
    last = covering[-1]
    if stronger and exact and _has_key(site.entries, last.file, fold(names)):
        message = f"{_place(stronger)} says more about {fold(names)} than its own entry at {_place(exact)}"
        raise ConflictError(message, hint=f"change the value at {_place(stronger)}")
    return _with_entry(texts, last.file, ("nodes", fold(names)), settings)


def delete_nodes(texts: Texts, site: Examined, nodeset: str) -> Texts:
    """Without the entries of these nodes; ConflictError when a range entry holds others too."""
    names = frozenset(names_of(nodeset))
    covering = [entry for entry in site.entries if names.intersection(entry.names)]
    missing = names.difference(*(entry.names for entry in covering))
    if missing:
        raise NotFoundError(f"there is no node {fold(missing)}", hint="prov node list")
    for entry in covering:
        rest = set(entry.names) - names
        if rest:
            message = f"{fold(names)} is part of {entry.key.text} at {_place(entry)}, with nodes that stay"
            raise ConflictError(message, hint=f"change {entry.key.text} to {fold(rest)} there")
    edited = dict(texts)
    for entry in covering:
        edited[entry.file] = delete_entry(edited[entry.file], ("nodes", entry.key.text or ""))
    return edited


def add_group(texts: Texts, site: Examined, name: str, settings: Settings) -> Texts:
    """A new group in a file of its own; ConflictError when it exists."""
    if name in site.groups:
        message = f"the group {name} exists already, at {_place(site.groups[name])}"
        raise ConflictError(message, hint=f"prov group set {name} ...")
    return _with_entry(texts, f"groups.d/{name}.yaml", ("groups", name), settings)


def set_group(texts: Texts, site: Examined, name: str, settings: Settings) -> Texts:
    """The settings written to a group; NotFoundError when there is none."""
    entry = site.groups.get(name)
    if entry is None:
        raise NotFoundError(f"there is no group {name}", hint=f"prov group add {name}")
    _demand_values([entry], settings)
    return _changed(texts, entry, "groups", settings)


def _demand_values(entries: Sequence[Entry[Any]], settings: Settings) -> None:
    """Refuse to clear a value: what would be left then depends on every other place, so people do that."""
    for path, value in settings.items():
        if path[0] != "tags" and value in {"", ("",)}:
            places = [
                fact.sources[-1] for each in entries if (fact := facts_of(each, "").get(path)) and fact.sources
            ]
            place = f"{places[-1].file}:{places[-1].line}" if places else _place(entries[-1])
            raise ProvisionerError(f"a command cannot clear {'.'.join(path)}", hint=f"edit {place}")


def _stronger(
    covering: Sequence[Entry[NodeEntry]], exact: Entry[NodeEntry] | None, settings: Settings
) -> Entry[NodeEntry] | None:
    """The last entry after the exact one that would win over a setting; lists append, so none wins over one."""
    scalars = {path for path, value in settings.items() if isinstance(value, str)}
    after = covering[covering.index(exact) + 1 :] if exact else ()
    return next((each for each in reversed(after) if scalars.intersection(facts_of(each, ""))), None)


def _has_key(entries: Sequence[Entry[NodeEntry]], file: str, key: str) -> bool:
    return any(entry.file == file and entry.key.text == key for entry in entries)


def _changed(texts: Texts, entry: Entry[Any], section: str, settings: Settings) -> Texts:
    text = texts[entry.file]
    for path, value in settings.items():
        text = set_value(text, (section, entry.key.text or "", *path), value)
    return {**texts, entry.file: text}


def _with_entry(texts: Texts, file: str, path: tuple[str, str], settings: Settings) -> Texts:
    return {**texts, file: set_value(texts.get(file, ""), path, nested(settings))}


def _place(entry: Entry[Any]) -> str:
    return f"{entry.file}:{entry.key.span.line}"

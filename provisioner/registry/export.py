"""Entries as one document, as they are written, which `apply` turns into the same nodes and groups elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioner.config import emit
from provisioner.config.decode import Entry
from provisioner.config.edits import Rename
from provisioner.config.excerpt import Excerpt, excerpts, indented, writable
from provisioner.config.marked import MarkedMap, parse
from provisioner.errors import NotFoundError
from provisioner.registry.combine import combined
from provisioner.registry.manuscript import View, folded_names

Nodes = frozenset[str]


def export_nodes(view: View, names: Iterable[str]) -> str:
    """A document with the entries of these nodes, in their order, their keys cut to these nodes.

    One document cannot have a key twice: nodes of which two entries with the same key speak get one entry that
    says all. Secrets are in it. Raises NotFoundError for nodes that do not exist.
    """
    wanted = frozenset(names)
    entries = view.entries_of(wanted)
    missing = wanted.difference(*(entry.names for entry in entries))
    if missing:
        raise NotFoundError(f"there is no node {folded_names(sorted(missing))}", hint="prov node list")
    tangled = _tangled(entries, wanted)
    texts = Texts(view, "nodes")
    pieces = [
        _keyed(texts.of(entry), folded_names(sorted(kept)))
        for entry in entries
        if (kept := wanted.intersection(entry.names) - tangled)
    ]
    pieces += [
        emit.entry(folded_names(each), combined(_data(entry) for entry in some))
        for some, each in _kinds(entries, tangled)
    ]
    return _document("nodes", pieces)


def export_groups(view: View, names: Iterable[str]) -> str:
    """A document with these groups as they are written; NotFoundError when one does not exist."""
    texts = Texts(view, "groups")
    pieces = []
    for name in dict.fromkeys(names):
        entry = view.groups.get(name)
        if entry is None:
            raise NotFoundError(f"there is no group {name}", hint="prov group list")
        pieces.append(texts.of(entry).text)
    return _document("groups", pieces)


class Texts:
    """The texts of entries; every file is taken apart once."""

    def __init__(self, view: View, section: str) -> None:
        self._view = view
        self._section = section
        self._files: dict[str, dict[str, Excerpt]] = {}

    def of(self, entry: Entry[Any]) -> Excerpt:
        """The text of an entry, with the comments above it."""
        return self._in(entry.file)[entry.key.text or ""]

    def _in(self, file: str) -> Mapping[str, Excerpt]:
        if file not in self._files:
            text = self._view.text(file) or ""
            root = parse(file, text).root
            section = root.find(self._section) if isinstance(root, MarkedMap) else None
            self._files[file] = excerpts(text, section) if section else {}
        return self._files[file]


def _tangled(entries: Sequence[Entry[Any]], wanted: Nodes) -> Nodes:
    """The nodes of entries that would have the same key."""
    tangled: Nodes = frozenset()
    while True:
        kept = [wanted.intersection(entry.names) - tangled for entry in entries]
        counts = Counter(each for each in kept if each)
        more = frozenset(name for names, count in counts.items() if count > 1 for name in names)
        if not more:
            return tangled
        tangled |= more


def _kinds(entries: Sequence[Entry[Any]], names: Nodes) -> list[tuple[list[Entry[Any]], list[str]]]:
    """Names that the same entries speak of, with these entries."""
    of_name: dict[str, list[int]] = {name: [] for name in sorted(names)}
    for index, entry in enumerate(entries):
        for name in names.intersection(entry.names):
            of_name[name].append(index)
    kinds: dict[tuple[int, ...], list[str]] = {}
    for name, indexes in of_name.items():
        kinds.setdefault(tuple(indexes), []).append(name)
    return [([entries[index] for index in indexes], some) for indexes, some in kinds.items()]


def _keyed(excerpt: Excerpt, key: str) -> str:
    if excerpt.key == key:
        return excerpt.text
    return Rename(("nodes", excerpt.key), key).made((excerpt.text, {excerpt.key: None}), above=1)[0]


def _data(entry: Entry[Any]) -> Mapping[str, Any]:
    data = writable(entry.node)
    return data if isinstance(data, Mapping) else {}


def _document(section: str, pieces: Iterable[str]) -> str:
    lines = "".join(indented(piece, "  ", "\n") for piece in pieces)
    return f"{section}:\n{lines}"

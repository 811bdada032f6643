"""A site as it would be with new texts of some files, for edits that build on edits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from provisioner.config.decode import Decoded, Entry, decode_groups, decode_nodes
from provisioner.config.marked import Document, parse
from provisioner.model.written import Group, NodeEntry
from provisioner.registry.manuscript import Texts, View

Cache = dict[tuple[str, str], Decoded[Any]]


class Revised:
    """A view of a site with new texts; only those are read again, and each once."""

    def __init__(self, view: View, texts: Texts, cache: Cache | None = None) -> None:
        self._view = view
        self.texts = texts
        self._cache: Cache = {} if cache is None else cache

    def after(self, texts: Texts) -> Revised:
        """The same site with further new texts."""
        return Revised(self._view, {**self.texts, **texts}, self._cache) if texts else self

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The paths of all files, in byte order."""
        kept = [file for file in self._view.files if file not in self.texts]
        added = [file for file, text in self.texts.items() if text is not None]
        return tuple(sorted([*kept, *added], key=str.encode))

    @cached_property
    def groups(self) -> Mapping[str, Entry[Group]]:
        """Every group."""
        kept = {name: entry for name, entry in self._view.groups.items() if entry.file not in self.texts}
        new = self._entries("groups.d/", decode_groups)
        return {**kept, **{name: entry for entry in new for name in entry.names}}

    def has(self, name: str) -> bool:
        """Whether an entry names a node."""
        return bool(self.entries_of([name]))

    def entries_of(self, names: Iterable[str]) -> tuple[Entry[NodeEntry], ...]:
        """Every entry that names one of these nodes, weakest first."""
        wanted = frozenset(names)
        kept = [entry for entry in self._view.entries_of(wanted) if entry.file not in self.texts]
        new = [entry for entry in self._entries("nodes.d/", decode_nodes) if not wanted.isdisjoint(entry.names)]
        return tuple(sorted([*kept, *new], key=lambda entry: (entry.file.encode(), entry.key.span.start)))

    def text(self, file: str) -> str | None:
        """The text of a file; None where there is none."""
        return self.texts[file] if file in self.texts else self._view.text(file)

    def _entries(self, folder: str, decode: Callable[[Document], Decoded[Any]]) -> Iterable[Entry[Any]]:
        for file, text in self.texts.items():
            if text is not None and file.startswith(folder):
                if (file, text) not in self._cache:
                    self._cache[file, text] = decode(parse(file, text))
                yield from self._cache[file, text].entries

"""A site in memory as an edit sees it, made anew for every look, so that nothing old can be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from provisioner.config.decode import Entry
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import Group, NodeEntry
from provisioner.registry.load import Examined
from provisioner.registry.manuscript import Texts
from tests.support.site import examined


class MemoryView:
    """The texts of a site's files, by path below its root."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.contents = dict(files)

    def __repr__(self) -> str:
        return f"MemoryView({self.contents!r})"

    @cached_property
    def examined(self) -> Examined:
        """What the whole site means."""
        return examined(self.contents)

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files."""
        return tuple(sorted(self.contents, key=str.encode))

    @property
    def groups(self) -> Mapping[str, Entry[Group]]:
        """Every group."""
        return self.examined.groups

    def has(self, name: str) -> bool:
        """Whether an entry names a node."""
        return bool(self.entries_of([name]))

    def entries_of(self, names: Iterable[str]) -> tuple[Entry[NodeEntry], ...]:
        """Every entry that names one of these nodes, weakest first."""
        wanted = frozenset(names)
        return tuple(entry for entry in self.examined.entries if not wanted.isdisjoint(entry.names))

    def text(self, file: str) -> str | None:
        """The text of a file."""
        return self.contents.get(file)

    def after(self, texts: Texts) -> MemoryView:
        """The site with new texts."""
        merged = {**self.contents, **texts}
        return MemoryView({file: text for file, text in merged.items() if text is not None})

    def nodes(self) -> dict[str, ResolvedNode]:
        """The resolved nodes, without the places that values came from."""
        assert self.examined.loaded is not None
        return {node.name: node.model_copy(update={"provenance": {}}) for node in self.examined.loaded.nodes}

"""What is written, as an edit looks at it: lazily, so that only files are parsed that have to do with the edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from provisioner.config.decode import Entry
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import Group, NodeEntry
from provisioner.registry.collect import SourceFile, collect, site_files
from provisioner.registry.compiler import obtain
from provisioner.registry.published import Published
from provisioner.registry.resolve import Resolution, resolve
from provisioner.registry.sources import Sources


@dataclass(frozen=True)
class SiteView:
    """Collected files, and their snapshot, which tells where to look."""

    collected: Mapping[str, SourceFile]
    published: Published
    _kept: dict[frozenset[str], tuple[Entry[NodeEntry], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, paths: Paths) -> SiteView:
        """What is written now. Raises what `collect` raises."""
        files = collect(paths)
        return cls(files, obtain(paths, files))

    @cached_property
    def sources(self) -> Sources:
        """The files of the site, decoded when they are asked for."""
        return Sources(site_files(self.collected))

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files, below the site root, in byte order."""
        return self.sources.files

    @property
    def groups(self) -> Mapping[str, Entry[Group]]:
        """The groups that can be used, as they are written."""
        return self.sources.groups.entries

    @cached_property
    def node_names(self) -> frozenset[str]:
        """Every node that some entry names."""
        return self.published.written_names()

    def has(self, name: str) -> bool:
        """Whether some entry names a node."""
        return bool(self.entries_of([name]))

    def entries_of(self, names: Iterable[str]) -> tuple[Entry[NodeEntry], ...]:
        """Every entry that names one of these nodes, whole, weakest first; what switches say is not among them."""
        return tuple(entry for entry in self.statements(names) if not entry.overrides)

    def statements(self, names: Iterable[str]) -> tuple[Entry[NodeEntry], ...]:
        """As `entries_of`, and what switches say."""
        wanted = frozenset(names)
        if wanted not in self._kept:
            found = (
                entry for file in self.published.files_of(wanted) for entry in self.sources.nodes(file).entries
            )
            self._kept[wanted] = tuple(entry for entry in found if not wanted.isdisjoint(entry.names))
        return self._kept[wanted]

    def text(self, file: str) -> str | None:
        """The text of a file, or None where there is none. What is not UTF-8 survives a round trip."""
        content = self.sources.contents.get(file)
        return None if content is None else content.decode(errors="surrogateescape")

    def resolve(self, names: Iterable[str]) -> Resolution:
        """These nodes with their full provenance. ConfigError when provisioner.yaml cannot be used."""
        site, _, problems = self.sources.site
        if site is None:
            raise ConfigError(problems)
        wanted = frozenset(names)
        entries = self.sources.entries_of(self.published.files_of(wanted), wanted)
        return resolve(site, self.groups, entries)


def explain(paths: Paths, name: str) -> ResolvedNode:
    """A node as it is written now, with the places that every value comes from.

    Raises NotFoundError when there is no such node, ConfigError when provisioner.yaml cannot be used.
    """
    nodes = SiteView.of(paths).resolve([name]).nodes
    if not nodes:
        raise NotFoundError(f"there is no node {name}", hint="prov node list")
    return nodes[0]

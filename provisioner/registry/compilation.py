"""Files to the rows of a snapshot, from nothing or from the rows of any other revision.

Theory of operation. The rows of a base are copied, and replaced where files differ. A node is worked out again
when a file that names it changed, or a group that it could get something from; files that name none of these nodes
are not parsed. What is wrong is found again by its origin:

- `site`, `group`: from provisioner.yaml and the group files, which are always parsed;
- `decode`: with its file;
- `reference`: with its file, and when the names that exist have changed so that its file could be concerned;
- `resolve`: of many nodes of one place the first has the problem, so whenever one node of a node file or group
  file with such a problem is worked out again, all of them are;
- `conflict`: always, from the claims that several nodes make.

The result equals what a compilation from nothing gives, row for row (tests/unit/registry/test_compilation.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from provisioner.config.decode import Entry
from provisioner.model.name import REMOVES
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import Group, Site
from provisioner.registry.check import (
    GROUP,
    KINDS,
    Known,
    check_references,
    check_site,
    check_unique,
    references,
)
from provisioner.registry.claims import DNS, LABEL, NAME, Claim, claims_of
from provisioner.registry.discovery import check_discovery, discovery_image
from provisioner.registry.images import image_uses
from provisioner.registry.inherit import cycles
from provisioner.registry.names import LONGEST_LABEL, TAKEN, check_interface_names, check_node_names
from provisioner.registry.nameservice import check_dns, names_in
from provisioner.registry.resolve import Resolution, resolve
from provisioner.registry.rows import NodeRow, row_of
from provisioner.registry.sources import FILES_OF_NODES, GROUP_FILES, SITE_FILE, Sources
from provisioner.registry.tables import Tables

_CONTESTED = """
    SELECT node, position, space, value, kind, interface, file, line, "column" FROM claim JOIN (
      SELECT space, value FROM claim GROUP BY space, value HAVING COUNT(*) > 1
      UNION SELECT space, value FROM claim WHERE kind = ? AND LENGTH(value) > ?
      UNION SELECT space, value FROM claim WHERE space = ? AND value IN (SELECT value FROM json_each(?))
    ) USING (space, value) ORDER BY node, position"""


@dataclass(frozen=True)
class Inputs:
    """What is compiled: the files of the site, their digests, and the overlays and scripts that exist."""

    sources: Sources
    digests: Mapping[str, str]
    overlays: frozenset[str]
    scripts: frozenset[str]


@dataclass(frozen=True)
class Before:
    """What the base says, kept while its rows are replaced: meta, files, and groups with their file and digest."""

    meta: Mapping[str, str]
    files: Mapping[str, str]
    groups: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, tables: Tables) -> Before:
        """What the tables say now."""
        groups = tables.rows("SELECT name, file, digest FROM group_entry")
        files = dict(tables.rows("SELECT path, digest FROM file"))
        return cls(tables.meta(), files, {name: (file, digest) for name, file, digest in groups})


@dataclass
class Work:
    """One compilation under way, in tables that begin with the rows of the base.

    `changed` are the nodes that are others than in the base; None for one that is gone.
    """

    tables: Tables
    before: Before
    inputs: Inputs
    changed: dict[str, ResolvedNode | None] = field(default_factory=dict)

    def run(self) -> None:
        """Bring every row to what the inputs say."""
        self.tables.database.execute("BEGIN")
        # Asked for before any row of the base is replaced.
        wanted = self.affected()
        self._replace_files()
        self._replace_groups()
        site = self._check_site()
        if site is None:
            self._forget_nodes()
        else:
            self._check_references()
            self._replace_nodes(site, wanted)
            self._check_conflicts()
            self._check_dns(site)
            self._check_discovery(site)
        known = {kind: sorted(self.known.names(kind)) for kind in KINDS} if site else None
        self.tables.describe({"site": self.site_text, "known": json.dumps(known)})
        self.tables.database.execute("COMMIT")

    @property
    def sources(self) -> Sources:
        """The files of the site."""
        return self.inputs.sources

    @cached_property
    def changed_files(self) -> frozenset[str]:
        """Files that only one of base and inputs has, or with another content."""
        old, new = self.before.files, self.inputs.digests
        return frozenset(file for file in {*old, *new} if old.get(file) != new.get(file))

    @cached_property
    def node_files(self) -> tuple[str, ...]:
        """Node files that changed and are there."""
        return tuple(file for file in self.sources.node_files if file in self.changed_files)

    @cached_property
    def new_groups(self) -> Mapping[str, tuple[str, str]]:
        """The file and the definition of every group that can be used now."""
        return {name: (entry.file, _digest(entry)) for name, entry in self.sources.groups.entries.items()}

    @cached_property
    def site_text(self) -> str:
        """provisioner.yaml as the snapshot keeps it; empty when it cannot be used."""
        site = self.sources.site.site
        return site.model_dump_json() if site else ""

    @cached_property
    def known(self) -> Known:
        """The names that exist."""
        site = self.sources.site.site
        networks = frozenset(site.networks if site else ())
        return Known(self.sources.groups.names, networks, self.inputs.overlays, self.inputs.scripts)

    def affected(self) -> frozenset[str]:
        """The nodes that may have become others."""
        if self.site_text != self.before.meta.get("site"):
            old: Iterable[str] = (name for (name,) in self.tables.rows("SELECT node FROM member"))
        else:
            files = [file for file in self.changed_files if file.startswith(FILES_OF_NODES)]
            added = self.new_groups.keys() - self.before.groups.keys()
            # A new group may have been named before it was there.
            named = self._named_in([*files, *self._files_referring(GROUP, added)])
            old = chain(named, self._members(self._dirty_groups()))
        new = (
            name for file in self.node_files for each in self.sources.nodes(file).entries for name in each.names
        )
        return frozenset(chain(old, new))

    def _dirty_groups(self) -> set[str]:
        """The groups that give something else than before, also through the groups that they name."""
        old, new = self.before.groups, self.new_groups
        dirty = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        parents = {name: _named_by(entry) for name, entry in self.sources.groups.entries.items()}
        while more := {name for name in parents if name not in dirty and not dirty.isdisjoint(parents[name])}:
            dirty |= more
        return dirty

    def _replace_files(self) -> None:
        """The rows that follow from one node file alone, for the files that changed."""
        tables, changed = self.tables, self.changed_files
        tables.delete("file", "path", changed)
        tables.insert(
            "file", ((file, self.inputs.digests[file]) for file in changed if file in self.inputs.digests)
        )
        for table in ("member", "reference", "image_use"):
            tables.delete(table, "file", changed)
        tables.drop_problems("decode", changed)
        for file in self.node_files:
            decoded = self.sources.nodes(file)
            tables.insert("member", {(name, file) for entry in decoded.entries for name in entry.names})
            named = (each for entry in decoded.entries for each in references(entry.value))
            tables.insert("reference", {(file, each.kind, each.name) for each in named})
            tables.insert("image_use", image_uses(decoded.entries))
            tables.add_problems("decode", decoded.problems)

    def _replace_groups(self) -> None:
        """The rows of groups and all that is wrong with them."""
        groups = self.sources.groups
        files = {file for file, _ in (*self.before.groups.values(), *self.new_groups.values())}
        self.tables.clear("group_entry")
        self.tables.delete("image_use", "file", files)
        for name, entry in groups.entries.items():
            span, layer = entry.key.span, entry.value
            digest, named = self.new_groups[name][1], json.dumps(layer.groups)
            row = (name, entry.file, span.line, span.column, digest, named, layer.image)
            self.tables.insert("group_entry", [row])
        self.tables.insert("image_use", image_uses(groups.entries.values()))
        self.tables.delete("problem", "origin", ["group"])
        self.tables.add_problems("group", chain(groups.problems, cycles(groups.entries)))
        if self.site_text:
            self.tables.add_problems("group", check_references(groups.entries.values(), self.known))

    def _check_site(self) -> Site | None:
        site, root, problems = self.sources.site
        self.tables.delete("problem", "origin", ["site"])
        self.tables.add_problems("site", problems)
        if site is None or root is None:
            return None
        self.tables.add_problems("site", check_site(site, root))
        return site

    def _forget_nodes(self) -> None:
        """Without a usable provisioner.yaml nothing is resolved, and no more than its mistakes are told."""
        self.changed = {name: None for (name,) in self.tables.rows("SELECT name FROM node")}
        self.tables.clear("node", "shared", "shared_group", "shared_tag", "claim")
        self.tables.delete("problem", "origin", ["reference", "resolve", "conflict"])

    def _check_references(self) -> None:
        """Names that mean nothing, in changed files and in those that a change of names concerns."""
        files = set(self.node_files)
        old: dict[str, list[str]] = json.loads(self.before.meta.get("known", "null")) or {}
        for kind in KINDS:
            names, before = self.known.names(kind), frozenset(old.get(kind, ()))
            if not old or names != before:
                used = self.tables.rows("SELECT DISTINCT name FROM reference WHERE kind = ?", (kind,))
                # The hint of a problem that stays may list all names, so it may have become another one.
                concerned = {name for (name,) in used if name not in names or name not in before}
                files.update(self._files_referring(kind, concerned))
        self.tables.drop_problems("reference", {*files, *self.changed_files})
        for file in sorted(files):
            problems = check_references(self.sources.nodes(file).entries, self.known)
            self.tables.add_problems("reference", problems)

    def _replace_nodes(self, site: Site, wanted: frozenset[str]) -> None:
        """The rows of nodes that may have become others."""
        resolution, wanted = self._resolved(site, wanted)
        query = "SELECT name, shared, own FROM node WHERE name IN (SELECT value FROM json_each(?))"
        old = {name: (key, own) for name, key, own in self.tables.rows(query, (json.dumps(list(wanted)),))}
        new = {node.name: (node, row_of(node)) for node in resolution.nodes}
        for name in wanted:
            node, row = new.get(name, (None, None))
            if old.get(name) != (row and (row.key, row.own)):
                self.changed[name] = node
        self.tables.delete("claim", "node", wanted)
        self.tables.insert("claim", (claim for node in resolution.nodes for claim in claims_of(node)))
        self.tables.delete("node", "name", self.changed)
        self._write([new[name] for name in self.changed if name in new])
        self._drop_shared({key for key, _ in old.values()})

    def _write(self, nodes: Iterable[tuple[ResolvedNode, NodeRow]]) -> None:
        tables, known = self.tables, {key for (key,) in self.tables.rows("SELECT id FROM shared")}
        for node, row in nodes:
            tables.insert("node", [(row.name, row.key, row.own)])
            if row.key not in known:
                known.add(row.key)
                tables.insert("shared", [(row.key, row.shared, row.provenance)])
                tables.insert("shared_group", ((row.key, name) for name in node.groups))
                tables.insert("shared_tag", ((row.key, *tag) for tag in node.tags.items()))

    def _drop_shared(self, keys: Iterable[int]) -> None:
        """Shared parts that no node has any more."""
        used = "SELECT 1 FROM node WHERE shared = ? LIMIT 1"
        unused = [key for key in keys if not self.tables.rows(used, (key,))]
        for table, column in (("shared", "id"), ("shared_group", "shared"), ("shared_tag", "shared")):
            self.tables.delete(table, column, unused)

    def _resolved(self, site: Site, wanted: frozenset[str]) -> tuple[Resolution, frozenset[str]]:
        """These nodes worked out, and with them all those that share a place with a problem."""
        old = {file for (file,) in self.tables.rows("SELECT DISTINCT file FROM problem WHERE origin = 'resolve'")}
        while True:
            entries = self.sources.entries_of(self._files_naming(wanted), wanted)
            resolution = resolve(site, self.sources.groups.entries, entries)
            suspects = old | {problem.file for problem in resolution.problems}
            spoken_of = {file: self._spoken_of(file, resolution) for file in suspects}
            again = {file for file, names in spoken_of.items() if not wanted.isdisjoint(names)}
            more = wanted.union(*(spoken_of[file] for file in again))
            if more == wanted:
                break
            wanted = more
        self.tables.drop_problems("resolve", again | self.changed_files)
        self.tables.add_problems("resolve", resolution.problems)
        return resolution, wanted

    def _spoken_of(self, file: str, resolution: Resolution) -> frozenset[str]:
        """The nodes that a node file names, or that get something from a group file, before or now."""
        if file.startswith(FILES_OF_NODES):
            return frozenset(self._named_in([file]))
        if not file.startswith(GROUP_FILES):
            return frozenset(self._named_in(self.sources.node_files))
        groups = {
            name for each in (self.before.groups, self.new_groups) for name, (at, _) in each.items() if at == file
        }
        now = (node.name for node in resolution.nodes if not groups.isdisjoint(node.groups))
        return frozenset(chain(self._members(groups), now))

    def _check_conflicts(self) -> None:
        """What several nodes claim, looked for in all rows again."""
        self.tables.delete("problem", "origin", ["conflict"])
        values = (LABEL, LONGEST_LABEL, DNS, json.dumps(sorted(TAKEN)))
        claims = [Claim(*row) for row in self.tables.rows(_CONTESTED, values)]
        names = frozenset(claim.node for claim in claims if claim.kind == NAME)
        entries = self.sources.entries_of(self._files_naming(names), names)
        found = (check_unique(claims), check_interface_names(claims), check_node_names(entries))
        self.tables.add_problems("conflict", chain(*found))

    def _check_discovery(self, site: Site) -> None:
        root = self.sources.site.root
        self.tables.delete("image_use", "file", [SITE_FILE])
        if root is not None:
            self.tables.insert("image_use", discovery_image(site, root))
            self.tables.add_problems("conflict", check_discovery(site, root, self.known.groups))

    def _check_dns(self, site: Site) -> None:
        """Names of `dns:` in provisioner.yaml, which nodes may come to have, or lose, at any edit."""
        query = "SELECT value, kind FROM claim WHERE space = ? AND value IN (SELECT value FROM json_each(?))"
        claims = dict(self.tables.rows(query, (DNS, json.dumps(sorted(names_in(site))))))
        root = self.sources.site.root
        if root is not None:
            self.tables.add_problems("conflict", check_dns(site, root, claims))

    def _named_in(self, files: Iterable[str]) -> list[str]:
        query = "SELECT node FROM member WHERE file IN (SELECT value FROM json_each(?))"
        return self.tables.column(query, files)

    def _files_naming(self, names: Iterable[str]) -> list[str]:
        query = "SELECT DISTINCT file FROM member WHERE node IN (SELECT value FROM json_each(?))"
        return sorted(self.tables.column(query, names), key=str.encode)

    def _files_referring(self, kind: str, names: Iterable[str]) -> list[str]:
        query = "SELECT DISTINCT file FROM reference WHERE kind = ? AND name IN (SELECT value FROM json_each(?))"
        return [file for (file,) in self.tables.rows(query, (kind, json.dumps(list(names))))]

    def _members(self, groups: Iterable[str]) -> list[str]:
        query = (
            "SELECT DISTINCT node.name FROM shared_group JOIN node USING (shared) "
            "WHERE shared_group.name IN (SELECT value FROM json_each(?))"
        )
        return self.tables.column(query, groups)


def _named_by(entry: Entry[Group]) -> frozenset[str]:
    return frozenset(name.removeprefix(REMOVES) for name in entry.value.groups)


def _digest(entry: Entry[Group]) -> str:
    # Places are part of it: provenance is made of them.
    return hashlib.sha256(repr((entry.key, entry.node)).encode()).hexdigest()

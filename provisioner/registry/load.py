"""The files of a site, as bytes, to everything that they mean, or to every mistake in them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.config.decode import Decoded, Entry, decode_groups, decode_nodes, decode_site
from provisioner.config.marked import Document, Value, parse
from provisioner.errors import ConfigError, Problem
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Group, NodeEntry, Site
from provisioner.registry.check import Known, check_references, check_site, check_unique
from provisioner.registry.inherit import cycles
from provisioner.registry.names import check_interface_names, check_node_names
from provisioner.registry.resolve import resolve

SITE_FILE = "provisioner.yaml"
GROUP_FILES = "groups.d/"
NODE_FILES = "nodes.d/"


@dataclass(frozen=True)
class Loaded:
    """A site as written and as resolved: the groups by name, the node entries in their order, and the nodes."""

    site: Site
    groups: Mapping[str, Entry[Group]]
    entries: tuple[Entry[NodeEntry], ...]
    nodes: tuple[ResolvedNode, ...]

    def snapshot(self, revision: str) -> Snapshot:
        """The indexed view that services get."""
        return Snapshot.build(revision, self.site, self.nodes)


@dataclass(frozen=True)
class Examined:
    """What could be read and everything that is wrong; `loaded` is None without a usable provisioner.yaml."""

    groups: Mapping[str, Entry[Group]]
    entries: tuple[Entry[NodeEntry], ...]
    problems: tuple[Problem, ...]
    loaded: Loaded | None = None


def load(
    files: Mapping[str, bytes], *, catalogue: Catalogue, overlays: frozenset[str], scripts: frozenset[str]
) -> Loaded:
    """Load a site from its files, by path below the site root.

    `overlays` and `scripts` are the names that exist. Raises ConfigError with every problem of every file.
    """
    examined = examine(files, catalogue=catalogue, overlays=overlays, scripts=scripts)
    if examined.problems or examined.loaded is None:
        raise ConfigError(examined.problems)
    return examined.loaded


def examine(
    files: Mapping[str, bytes], *, catalogue: Catalogue, overlays: frozenset[str], scripts: frozenset[str]
) -> Examined:
    """Load as much of a site as makes sense, and collect what is wrong with it. Never raises."""
    documents = {path: _document(path, files[path]) for path in sorted(files, key=str.encode)}
    site, root, problems = _site(documents.get(SITE_FILE))
    groups, group_names, group_problems = _groups(documents)
    decoded = [decode_nodes(document) for document in _below(documents, NODE_FILES)]
    entries = tuple(entry for each in decoded for entry in each.entries)
    problems += [*group_problems, *(problem for each in decoded for problem in each.problems), *cycles(groups)]
    if site is None or root is None:
        return Examined(groups, entries, tuple(problems))
    networks = frozenset(site.networks)
    known = Known(catalogue, groups=group_names, networks=networks, overlays=overlays, scripts=scripts)
    resolution = resolve(site, groups, entries)
    problems += [*check_site(site, root), *check_references((*groups.values(), *entries), known)]
    problems += [*resolution.problems, *check_unique(resolution.nodes)]
    problems += [*check_node_names(entries), *check_interface_names(resolution.nodes)]
    loaded = Loaded(site, groups, entries, resolution.nodes)
    return Examined(groups, entries, tuple(problems), loaded)


def _document(path: str, content: bytes) -> Document:
    try:
        return parse(path, content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = Problem(path, line, column, "the file is not UTF-8 text", "save it as UTF-8")
        return Document(path, None, (problem,))


def _below(documents: Mapping[str, Document], folder: str) -> list[Document]:
    return [document for path, document in documents.items() if path.startswith(folder)]


def _site(document: Document | None) -> tuple[Site | None, Value | None, list[Problem]]:
    if document is None:
        hint = "prov init --cluster NAME --network CIDR"
        return None, None, [Problem(SITE_FILE, 0, 0, "there is no site here: the file does not exist", hint)]
    site, problems = decode_site(document)
    return site, document.root, list(problems)


def _groups(documents: Mapping[str, Document]) -> tuple[dict[str, Entry[Group]], frozenset[str], list[Problem]]:
    decoded = [decode_groups(document) for document in _below(documents, GROUP_FILES)]
    groups: dict[str, Entry[Group]] = {}
    problems = [problem for each in decoded for problem in each.problems]
    for entry in (entry for each in decoded for entry in each.entries):
        first = groups.setdefault(entry.names[0], entry)
        if first is not entry:
            problems.append(_defined_twice(entry, first))
    return groups, _all_names(decoded), problems


def _all_names(decoded: list[Decoded[Group]]) -> frozenset[str]:
    # A group with a mistake in it exists all the same; a second problem at every use of it would only distract.
    return frozenset(key for each in decoded for key in each.keys)


def _defined_twice(entry: Entry[Group], first: Entry[Group]) -> Problem:
    message = f"the group {entry.names[0]} is already at {first.file}:{first.key.span.line}"
    span = entry.key.span
    return Problem(entry.file, span.line, span.column, message, "join the two, or rename one")

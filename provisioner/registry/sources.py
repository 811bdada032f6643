"""The files of a site, decoded when they are asked for, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from provisioner.config.decode import Decoded, Entry, decode_groups, decode_nodes, decode_site
from provisioner.config.marked import Document, Value, parse
from provisioner.config.switchfile import FOLDER as SWITCH_FILES
from provisioner.config.switchfile import decode_switch
from provisioner.errors import Problem
from provisioner.model.written import Group, NodeEntry, Site

SITE_FILE = "provisioner.yaml"
GROUP_FILES = "groups.d/"
NODE_FILES = "nodes.d/"
# Files with something to say of nodes. In byte order of their paths, a switch is stronger than what people wrote.
FILES_OF_NODES = (NODE_FILES, SWITCH_FILES)

# What a file means takes a hundred times the memory of its text: 63 MB for 10,000 nodes in 250 files (measured),
# 400 MB at the very worst. Of larger files only the one that was needed last is kept, as long as its `Sources`.
_KEPT = 512
_LARGEST_KEPT = 8 << 10


class WrittenSite(NamedTuple):
    """provisioner.yaml: what it means (None when too much of it is wrong), its tree, and its problems."""

    site: Site | None
    root: Value | None
    problems: tuple[Problem, ...]


class WrittenGroups(NamedTuple):
    """All group files: the usable groups by name, every name (usable or not), and the problems."""

    entries: Mapping[str, Entry[Group]]
    names: frozenset[str]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Sources:
    """The files of a site, by path below the site root. A group or node file counts by its place in byte order."""

    contents: Mapping[str, bytes]
    _last: dict[str, Decoded[NodeEntry]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All paths, in byte order."""
        return tuple(sorted(self.contents, key=str.encode))

    @property
    def node_files(self) -> tuple[str, ...]:
        """The paths of files that speak of nodes, in byte order: a later one is stronger."""
        return tuple(file for file in self.files if file.startswith(FILES_OF_NODES))

    @cached_property
    def site(self) -> WrittenSite:
        """What provisioner.yaml says."""
        if SITE_FILE not in self.contents:
            hint = "prov init --cluster NAME --network CIDR"
            missing = Problem(SITE_FILE, 0, 0, "there is no site here: the file does not exist", hint)
            return WrittenSite(None, None, (missing,))
        document = _document(SITE_FILE, self.contents[SITE_FILE])
        site, problems = decode_site(document)
        return WrittenSite(site, document.root, problems)

    @cached_property
    def groups(self) -> WrittenGroups:
        """What the group files say. Of groups with the same name the first one counts."""
        decoded = [_groups(file, self.contents[file]) for file in self.files if file.startswith(GROUP_FILES)]
        groups: dict[str, Entry[Group]] = {}
        problems = [problem for each in decoded for problem in each.problems]
        for entry in (entry for each in decoded for entry in each.entries):
            first = groups.setdefault(entry.names[0], entry)
            if first is not entry:
                problems.append(_defined_twice(entry, first))
        # A group with a mistake in it exists all the same; another problem at every use of it would only distract.
        names = frozenset(key for each in decoded for key in each.keys)
        return WrittenGroups(groups, names, tuple(problems))

    def nodes(self, file: str) -> Decoded[NodeEntry]:
        """What one node file says."""
        content = self.contents[file]
        if len(content) <= _LARGEST_KEPT:
            return _kept_nodes(file, content)
        if file not in self._last:
            self._last.clear()
            self._last[file] = _nodes(file, content)
        return self._last[file]

    def entries_of(self, files: Iterable[str], names: Collection[str]) -> tuple[Entry[NodeEntry], ...]:
        """The entries of some node files that name one of these nodes, reduced to these, weakest first."""
        entries = (entry for file in files for entry in self.nodes(file).entries)
        narrowed = ((entry, tuple(name for name in entry.names if name in names)) for entry in entries)
        return tuple(replace(entry, names=kept) for entry, kept in narrowed if kept)


def _nodes(file: str, content: bytes) -> Decoded[NodeEntry]:
    document = _document(file, content)
    if not file.startswith(SWITCH_FILES):
        return decode_nodes(document)
    if document.problems:
        return Decoded((), (), document.problems)
    return decode_switch(document, content.decode())


_kept_nodes = lru_cache(maxsize=_KEPT)(_nodes)


@lru_cache(maxsize=256)
def _groups(file: str, content: bytes) -> Decoded[Group]:
    return decode_groups(_document(file, content))


def _document(path: str, content: bytes) -> Document:
    try:
        return parse(path, content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = Problem(path, line, column, "the file is not UTF-8 text", "save it as UTF-8")
        return Document(path, None, (problem,))


def _defined_twice(entry: Entry[Group], first: Entry[Group]) -> Problem:
    message = f"the group {entry.names[0]} is already at {first.file}:{first.key.span.line}"
    span = entry.key.span
    return Problem(entry.file, span.line, span.column, message, "join the two, or rename one")

"""Entries of a site under edit: what each says so far, and the splices that make the files say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from provisioner.config.batch import edited_file
from provisioner.config.decode import Entry
from provisioner.config.edits import Append, Copy, Cut, Drop, Edit, Paste, Put, Rename, Take
from provisioner.config.emit import Writable
from provisioner.config.excerpt import writable
from provisioner.config.marked import MarkedMap, parse
from provisioner.errors import ConflictError
from provisioner.model.nodeset import fold
from provisioner.model.written import Group, NodeEntry
from provisioner.registry import said
from provisioner.registry.said import Path

Texts = Mapping[str, str | None]
"""New texts of site files by their path below the site root; None deletes the file."""


class View(Protocol):
    """What is written, as an edit needs to see it; `registry.view.SiteView` is one."""

    @property
    def files(self) -> Iterable[str]:
        """The paths of all files."""

    @property
    def groups(self) -> Mapping[str, Entry[Group]]:
        """Every group."""

    def has(self, name: str) -> bool:
        """Whether there is a node of this name."""

    def entries_of(self, names: Iterable[str]) -> tuple[Entry[NodeEntry], ...]:
        """Every entry that names one of these nodes, weakest first."""

    def text(self, file: str) -> str | None:
        """The text of a file; None where there is none."""


@dataclass(eq=False)
class Passage:
    """One entry: where it stands, whom it names and what it says with the edits so far."""

    file: str
    key: str
    names: frozenset[str]
    data: dict[str, Any]
    line: int = 0
    order: tuple[bytes, int] = (b"", 0)
    entry: Entry[Any] | None = None
    shrunk: bool = False
    dropped: bool = False

    @property
    def place(self) -> str:
        """`nodes.d/rack1.yaml:3`, or the file alone for an entry that is not written yet."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass
class Manuscript:
    """The entries of one section, `nodes` or `groups`, that an edit is about, and what it did to them.

    `passages` are the entries by name, `new` the ones that no file has yet, `fresh` how many of them go to a file;
    `edits` and `keys` are by file.
    """

    view: View
    section: str
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    edits: dict[str, list[Edit]] = field(default_factory=dict)
    new: list[Passage] = field(default_factory=list)
    keys: dict[str, set[str]] = field(default_factory=dict)
    fresh: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_nodes(cls, view: View, names: Iterable[str]) -> Manuscript:
        """All entries that name one of these nodes."""
        manuscript = cls(view, "nodes")
        for entry in view.entries_of(names):
            manuscript._hold(_passage(entry))
        return manuscript

    @classmethod
    def of_groups(cls, view: View) -> Manuscript:
        """All groups."""
        manuscript = cls(view, "groups")
        for entry in view.groups.values():
            manuscript._hold(_passage(entry))
        return manuscript

    def covering(self, names: Iterable[str]) -> list[Passage]:
        """The entries that name one of these, weakest first."""
        found = {id(each): each for name in names for each in self.passages.get(name, ())}
        return sorted(found.values(), key=lambda each: each.order)

    def keys_of(self, file: str) -> set[str]:
        """All keys of the section in a file, those of new entries too."""
        if file not in self.keys:
            root = parse(file, self.view.text(file) or "").root
            section = root.find(self.section) if isinstance(root, MarkedMap) else None
            body = section.value if section is not None else None
            pairs = body.pairs if isinstance(body, MarkedMap) else ()
            self.keys[file] = {pair.key.text or "" for pair in pairs}
        return self.keys[file]

    def free_key(self, file: str, names: Iterable[str]) -> str:
        """A key for these nodes that no entry of a file has: another spelling of the set where it has to be."""
        folded = folded_names(names)
        spellings = (folded, *_bracketed(folded), *(",".join([folded] * times) for times in range(2, 10)))
        key = next((each for each in spellings if each not in self.keys_of(file)), folded)
        self.keys_of(file).add(key)
        return key

    def add(self, file: str, names: Iterable[str], data: Mapping[str, Any]) -> Passage:
        """A new entry at the end of a file; ConflictError where the file has its key."""
        names = frozenset(names)
        key = folded_names(names)
        if key in self.keys_of(file):
            raise ConflictError(f"{file} has an entry {key} already", hint=f"edit the entry in {file}")
        self.keys_of(file).add(key)
        passage = Passage(file, key, names, dict(data), order=(file.encode(), (1 << 62) + len(self.new)))
        self.new.append(passage)
        self.fresh[file] += 1
        self._hold(passage)
        return passage

    def put(self, passage: Passage, path: Path, value: Writable) -> None:
        """Set a value of an entry."""
        if said.holds(passage.data, path) and said.same(said.at(passage.data, path), value):
            return
        self._edit(passage, Put((self.section, passage.key, *path), value))
        passage.data = said.with_at(passage.data, path, value)

    def cut(self, passage: Passage, path: Path) -> None:
        """Take a value out of an entry, with the maps that hold nothing else."""
        self._edit(passage, Cut((self.section, passage.key, *path)))
        passage.data = said.without(passage.data, path)
        passage.shrunk = True

    def append(self, passage: Passage, path: Path, item: Writable) -> None:
        """Add an item to a list of an entry, which may have to begin."""
        items = said.listed(passage.data, path)
        if not items:
            self.put(passage, path, [item])
        elif not any(said.same(item, each) for each in items):
            self._edit(passage, Append((self.section, passage.key, *path), item))
            passage.data = said.with_at(passage.data, path, [*items, item])

    def take(self, passage: Passage, path: Path, item: Writable) -> None:
        """Take an item out of a list of an entry, and the list with its last one."""
        rest = [each for each in said.listed(passage.data, path) if not said.same(each, item)]
        if not rest:
            self.cut(passage, path)
            return
        self._edit(passage, Take((self.section, passage.key, *path), item))
        passage.data = said.with_at(passage.data, path, rest)

    def rename(self, passage: Passage, names: Iterable[str]) -> None:
        """Let an entry name others than before."""
        self._edit(passage, Rename((self.section, passage.key), self.free_key(passage.file, names)))

    def copy(self, passage: Passage, names: Iterable[str]) -> None:
        """Add a copy of an entry's text behind it, for others."""
        self._edit(passage, Copy((self.section, passage.key), self.free_key(passage.file, names)))

    def drop(self, passage: Passage) -> None:
        """Take a whole entry away."""
        self._edit(passage, Drop((self.section, passage.key)))

    def paste(self, file: str, key: str, text: str) -> None:
        """Write an entry as a text, in place of the one of that key or behind all others."""
        self.edits.setdefault(file, []).append(Paste((self.section, key), text))

    def texts(self) -> Texts:
        """The new texts of all files that change; a file that would hold nothing goes.

        Raises ConfigError for a file that is no clean YAML, EditError for one that a program cannot edit.
        """
        for passage in {id(each): each for of_name in self.passages.values() for each in of_name}.values():
            if passage.shrunk and not passage.data and passage.entry and self._is_spare(passage):
                self._edit(passage, Drop((self.section, passage.key), cautious=True))
                # An entry that goes is not the one that still names these nodes.
                passage.dropped = True
        for passage in self.new:
            put = Put((self.section, passage.key), passage.data)
            self.edits.setdefault(passage.file, []).append(put)
        return edited_texts(self.view, self.section, self.edits)

    def _hold(self, passage: Passage) -> None:
        for name in passage.names:
            self.passages.setdefault(name, []).append(passage)

    def _edit(self, passage: Passage, edit: Edit) -> None:
        # A new entry is written once, with everything that it says in the end.
        if passage.entry is not None:
            self.edits.setdefault(passage.file, []).append(edit)

    def _is_spare(self, passage: Passage) -> bool:
        others = (each for each in self.covering(passage.names) if each is not passage and not each.dropped)
        return self.section == "nodes" and passage.names <= frozenset().union(*(each.names for each in others))


def edited_texts(view: View, section: str, edits: Mapping[str, Sequence[Edit]]) -> Texts:
    """The new texts of the files that edits of a section change."""
    texts = {file: edited_file(view.text(file), section, some, file) for file, some in edits.items()}
    return {file: text for file, text in texts.items() if text != view.text(file)}


def folded_names(names: Iterable[str]) -> str:
    """The node set of these names; one name is itself."""
    some = tuple(names)
    return some[0] if len(some) == 1 else fold(some)


def _passage(entry: Entry[Any]) -> Passage:
    data = writable(entry.node)
    span = entry.key.span
    return Passage(
        entry.file,
        entry.key.text or "",
        frozenset(entry.names),
        dict(data) if isinstance(data, Mapping) else {},
        line=span.line,
        order=(entry.file.encode(), span.start),
        entry=entry,
    )


def _bracketed(name: str) -> Iterable[str]:
    """`n[001]` for `n001`: the same node in another spelling."""
    head = name.rstrip("0123456789")
    if head and head != name and "[" not in name and "," not in name:
        yield f"{head}[{name[len(head) :]}]"

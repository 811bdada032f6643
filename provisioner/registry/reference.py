"""Where a group is named: in the `groups:` of other groups and of node entries, in all files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.config.marked import MarkedList, MarkedMap, Pair, Scalar, parse
from provisioner.model.name import REMOVES
from provisioner.registry.manuscript import View

_SECTIONS = {"groups.d/": "groups", "nodes.d/": "nodes"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A list of groups that names one: file, section and key of its entry, and the items, `~group` too."""

    file: str
    section: str
    key: str
    items: tuple[str, ...]
    others: int

    @property
    def path(self) -> tuple[str, str, str]:
        """The path of the list in its file."""
        return self.section, self.key, "groups"


def references(view: View, group: str) -> Iterator[Reference]:
    """Every list that names a group, in the order of the files; lists of entries with mistakes too."""
    for file in view.files:
        section = next((name for folder, name in _SECTIONS.items() if file.startswith(folder)), None)
        text = view.text(file) or ""
        # Parsing is slow; a name may only be spelled otherwise by an escape.
        if section and (group in text or "\\" in text):
            for pair in _entries(file, text, section):
                items = _groups(pair)
                named = tuple(item for item in items if item.removeprefix(REMOVES) == group)
                if named:
                    yield Reference(file, section, pair.key.text or "", named, len(items) - len(named))


def _entries(file: str, text: str, section: str) -> tuple[Pair, ...]:
    root = parse(file, text).root
    found = root.find(section) if isinstance(root, MarkedMap) else None
    return found.value.pairs if found and isinstance(found.value, MarkedMap) else ()


def _groups(entry: Pair) -> tuple[str, ...]:
    found = entry.value.find("groups") if isinstance(entry.value, MarkedMap) else None
    items = found.value.items if found and isinstance(found.value, MarkedList) else ()
    return tuple(item.text for item in items if isinstance(item, Scalar) and item.text)

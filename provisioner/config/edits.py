"""Edits of one YAML document, each made on its text and on what the text means, so that the two can be compared.

Paths start with a section (`nodes`, `groups`) and the key of an entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from provisioner.config.emit import Writable
from provisioner.config.excerpt import commented_start, holds_comment, indented, writable
from provisioner.config.items import append_item, remove_item, replace_item
from provisioner.config.marked import Data, MarkedList, MarkedMap, Pair, Value
from provisioner.config.splice import (
    EditError,
    Path,
    as_read,
    cut,
    follow,
    holder,
    line_end,
    line_start,
    newline_of,
    pair_end,
    put,
    rekey,
    tree,
    with_line_end,
    with_value,
    without_value,
)

Draft = tuple[str, Data]
"""A text, and what it means."""


@dataclass(frozen=True, slots=True)
class Edit(ABC):
    """One change at a path."""

    path: Path

    def made(self, draft: Draft, above: int = 0) -> Draft:
        """The draft with this change, not verified; EditError when the text cannot take it.

        The draft lacks the first `above` levels of the path: it may be one entry alone.
        """
        return self._made(draft, tree(draft[0]), self.path[above:])

    @abstractmethod
    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        """The draft, whose tree is `root`, with this change at a path from its top."""

    def _found(self, root: Value | None, path: Path) -> list[Pair]:
        pairs = follow(root, path)
        if len(pairs) < len(path):
            raise EditError(f"there is no entry {'.'.join(self.path)!r} to change")
        return pairs


@dataclass(frozen=True, slots=True)
class Put(Edit):
    """Set a value; at the path of an entry that is not there, add the entry."""

    value: Writable

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        return put(draft[0], root, path, self.value), with_value(draft[1], path, self.value)


@dataclass(frozen=True, slots=True)
class Cut(Edit):
    """Take a value away, and the mappings of its entry that hold nothing else then, unless they hold comments."""

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        pairs = self._found(root, path)
        shallowest = len(path) - len(self.path) + 3
        while len(path) > shallowest and _only_one(draft[0], root, pairs):
            path, pairs = path[:-1], pairs[:-1]
        return cut(draft[0], root, path), without_value(draft[1], path)


@dataclass(frozen=True, slots=True)
class Drop(Edit):
    """Take an entry away. `cautious`: not when it holds a comment; `commented`: the comments above it too."""

    cautious: bool = False
    commented: bool = False

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        text, data = draft
        pairs = self._found(root, path)
        in_flow = holder(root, pairs).flow
        if self.cautious and holds_comment(text, pairs[-1], in_flow=in_flow):
            return draft
        start = line_start(text, pairs[-1].key.span.start)
        first = commented_start(text, 0, pairs[-1]) if self.commented and not in_flow else start
        without = cut(text, root, path)
        return without[:first] + without[start:], without_value(data, path)


@dataclass(frozen=True, slots=True)
class Rename(Edit):
    """Give an entry another key."""

    key: str

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        held = _entry(draft[1], path)
        renamed = with_value(without_value(draft[1], path), (*path[:-1], self.key), held)
        return rekey(draft[0], root, path, self.key), renamed


@dataclass(frozen=True, slots=True)
class Copy(Edit):
    """Add a copy of an entry's text behind it, under another key."""

    key: str

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        text, data = draft
        pairs = self._found(root, path)
        start, end = pairs[-1].key.span.start, pair_end(pairs[-1])
        value = _entry(data, path)
        copied = with_value(data, (*path[:-1], self.key), value)
        keyed = rekey(text, root, path, self.key)
        if holder(root, pairs).flow:
            return f"{text[:end]}, {keyed[start : end + len(keyed) - len(text)]}{text[end:]}", copied
        first, last = line_start(text, start), line_end(text, end)
        behind = keyed[first : last + len(keyed) - len(text)]
        return f"{with_line_end(text[:last])}{behind}{text[last:]}", copied


@dataclass(frozen=True, slots=True)
class Append(Edit):
    """Add an item to a list that is there."""

    item: Writable

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        held, items = _list(self._found(root, path)), _items(draft[1], path)
        return append_item(draft[0], held, self.item), with_value(draft[1], path, [*items, as_read(self.item)])


@dataclass(frozen=True, slots=True)
class Take(Edit):
    """Take an item, each time that it is there, out of a list that has others."""

    item: Writable

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        held, items = _list(self._found(root, path)), _items(draft[1], path)
        index = items.index(as_read(self.item))
        rest = [*items[:index], *items[index + 1 :]]
        taken = remove_item(draft[0], held, index), with_value(draft[1], path, rest)
        return self._made(taken, tree(taken[0]), path) if as_read(self.item) in rest else taken


@dataclass(frozen=True, slots=True)
class Swap(Edit):
    """Replace every item of a list that is a certain text by another text."""

    old: str
    new: str

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        text, data = draft
        held, items = _list(self._found(root, path)), _items(draft[1], path)
        # From the back, so that no replacement moves the ones that go next.
        for index in reversed([index for index, item in enumerate(items) if item == self.old]):
            text = replace_item(text, held, index, self.new)
        swapped = [self.new if item == self.old else item for item in items]
        return text, with_value(data, path, swapped)


@dataclass(frozen=True, slots=True)
class Paste(Edit):
    """Write an entry as a text that `config.excerpt` gave, in place of the one that is there and its comments."""

    text: str

    @property
    def value(self) -> Writable:
        """What the entry says."""
        found = tree(self.text)
        return writable(found.pairs[0].value) if isinstance(found, MarkedMap) else None

    def _made(self, draft: Draft, root: Value | None, path: Path) -> Draft:
        text, data = draft
        pairs = self._found(root, path)
        changed = with_value(data, path, self.value)
        if holder(root, pairs).flow:
            return put(text, root, path, self.value), changed
        start, end = commented_start(text, 0, pairs[-1]), line_end(text, pair_end(pairs[-1]))
        indent = " " * (pairs[-1].key.span.column - 1)
        return text[:start] + indented(self.text, indent, newline_of(text)) + text[end:], changed


def _only_one(text: str, root: Value | None, pairs: list[Pair]) -> bool:
    held = holder(root, pairs)
    return len(held.pairs) == 1 and not holds_comment(text, pairs[-2], in_flow=holder(root, pairs[:-1]).flow)


def _entry(data: Data, path: Path) -> Data:
    for step in path:
        data = data[step] if isinstance(data, dict) else None
    return data


def _items(data: Data, path: Path) -> list[Data]:
    items = _entry(data, path)
    return items if isinstance(items, list) else []


def _list(pairs: list[Pair]) -> MarkedList:
    value = pairs[-1].value
    if not isinstance(value, MarkedList):
        raise EditError(f"{pairs[-1].key.text!r} is not a list, so a program cannot change its items")
    return value

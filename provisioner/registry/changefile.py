"""Documents of changes, as `prov apply` takes them: read and checked, every mistake at its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.config.decode import Decoded, Entry, decode_groups, decode_nodes
from provisioner.config.marked import Document, MarkedList, MarkedMap, Pair, Scalar, Span, Value, parse
from provisioner.errors import Problem, ProvisionerError
from provisioner.model.written import Group, Layer, NodeEntry
from provisioner.registry.field import FieldError, parse_path
from provisioner.registry.manuscript import folded_names
from provisioner.registry.said import Path

Expand = Callable[[str], tuple[str, ...]]

_KEYS = ("groups", "nodes", "unset", "delete", "rename")
_SECTIONS = ("nodes", "groups")


@dataclass(frozen=True)
class Change:
    """One thing to do to nodes or a group, and where it is written; `value` depends on what is to be done."""

    names: tuple[str, ...]
    value: Any
    span: Span


@dataclass
class ChangeFile:
    """What one document wants, by `nodes` and `groups`, in its order; `problems` is everything wrong with it.

    In `rename` a value is the tuple of new names, in `unset` the paths; in `delete` there is none.
    """

    label: str
    rename: dict[str, list[Change]] = field(default_factory=lambda: {name: [] for name in _SECTIONS})
    delete: dict[str, list[Change]] = field(default_factory=lambda: {name: [] for name in _SECTIONS})
    unset: dict[str, list[Change]] = field(default_factory=lambda: {name: [] for name in _SECTIONS})
    groups: tuple[Entry[Group], ...] = ()
    nodes: tuple[Entry[NodeEntry], ...] = ()
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, span: Span, message: str, hint: str | None = None) -> None:
        """Note a mistake."""
        self.problems.append(Problem(self.label, span.line, span.column, message, hint or ""))


def read_changes(label: str, text: str, expand: Expand) -> ChangeFile:
    """A document, read as far as it makes sense; `label` names it in problems, `expand` reads its node sets."""
    document = parse(label, text)
    reader = _Reader(ChangeFile(label, problems=list(document.problems)), expand)
    root = document.root
    if root is not None and not isinstance(root, MarkedMap):
        reader.found.wrong(root.span, "expected a mapping", f"the keys are {', '.join(_KEYS)}")
    for pair in root.pairs if isinstance(root, MarkedMap) else ():
        reader.section(pair)
    return reader.found


class _Reader:
    """Fills a ChangeFile."""

    def __init__(self, found: ChangeFile, expand: Expand) -> None:
        self.found = found
        self._expand = expand

    def section(self, pair: Pair) -> None:
        """Read what stands behind one key of the document."""
        key = pair.key.text
        if key == "groups":
            self.found.groups = self._decoded(pair, decode_groups)
        elif key == "nodes":
            self.found.nodes = self._decoded(self._expanded(pair), decode_nodes)
        elif key in _KEYS:
            read = {"rename": self._rename, "delete": self._delete, "unset": self._unset}[key]
            for section, value in self._sections(pair):
                read(section, value)
        else:
            self.found.wrong(pair.key.span, f"unknown key {key!r}", f"known here: {', '.join(_KEYS)}")

    def _decoded(self, pair: Pair, decode: Callable[[Document], Decoded[Any]]) -> tuple[Entry[Any], ...]:
        body = MarkedMap((pair,), flow=False, span=pair.key.span)
        decoded = decode(Document(self.found.label, body, ()))
        self.found.problems += decoded.problems
        return decoded.entries

    def _expanded(self, pair: Pair) -> Pair:
        """The section with plain node sets as keys, so that groups may stand in them."""
        if not isinstance(pair.value, MarkedMap):
            return pair
        pairs = []
        for each in pair.value.pairs:
            names = self._names(each.key)
            if names:
                pairs.append(Pair(each.key._replace(text=folded_names(names)), each.value))
        return Pair(pair.key, pair.value._replace(pairs=tuple(pairs)))

    def _sections(self, pair: Pair) -> Iterator[tuple[str, Value]]:
        if not isinstance(pair.value, MarkedMap):
            self.found.wrong(pair.key.span, f"{pair.key.text!r} must be a mapping", "its keys are nodes, groups")
            return
        for each in pair.value.pairs:
            if each.key.text in _SECTIONS:
                yield each.key.text, each.value
            else:
                self.found.wrong(each.key.span, f"unknown key {each.key.text!r}", "known here: nodes, groups")

    def _rename(self, section: str, value: Value) -> None:
        for pair in self._pairs(value):
            new = pair.value if isinstance(pair.value, Scalar) else Scalar(None, plain=True, span=pair.key.span)
            old_names, new_names = self._of(section, pair.key), self._of(section, new)
            if old_names and new_names and len(old_names) != len(new_names):
                message = f"{len(old_names)} names cannot become {len(new_names)}"
                self.found.wrong(new.span, message, "write OLD: NEW")
            elif old_names and new_names:
                self.found.rename[section].append(Change(old_names, new_names, pair.key.span))

    def _delete(self, section: str, value: Value) -> None:
        for item in self._items(value):
            names = self._of(section, item)
            if names:
                self.found.delete[section].append(Change(names, None, item.span))

    def _unset(self, section: str, value: Value) -> None:
        model: type[Layer] = NodeEntry if section == "nodes" else Group
        for pair in self._pairs(value):
            paths = [path for item in self._items(pair.value) if (path := self._path(item, model))]
            names = self._of(section, pair.key)
            if names and paths:
                self.found.unset[section].append(Change(names, paths, pair.key.span))

    def _pairs(self, value: Value) -> Sequence[Pair]:
        if isinstance(value, MarkedMap):
            return value.pairs
        self.found.wrong(value.span, "expected a mapping", "write NAME: ...")
        return ()

    def _items(self, value: Value) -> Iterator[Scalar]:
        if not isinstance(value, MarkedList):
            self.found.wrong(value.span, "expected a list", "write [...]")
            return
        for item in value.items:
            if isinstance(item, Scalar):
                yield item
            else:
                self.found.wrong(item.span, "expected a text", None)

    def _path(self, item: Scalar, model: type[Layer]) -> Path | None:
        try:
            return parse_path(item.text or "", model)
        except FieldError as error:
            self.found.wrong(item.span, error.reason, error.hint)
            return None

    def _of(self, section: str, scalar: Scalar) -> tuple[str, ...]:
        if section == "nodes":
            return self._names(scalar)
        if not scalar.text:
            self.found.wrong(scalar.span, "the name of a group is missing", None)
        return (scalar.text,) if scalar.text else ()

    def _names(self, scalar: Scalar) -> tuple[str, ...]:
        try:
            return self._expand(scalar.text or "")
        except ProvisionerError as error:
            self.found.wrong(scalar.span, getattr(error, "reason", "") or error.message, error.hint)
        except ValueError as error:
            self.found.wrong(scalar.span, str(error), "a node set looks like n[001-004,010] or n1,n2")
        return ()

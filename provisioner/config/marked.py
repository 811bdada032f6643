"""YAML as a tree that remembers where everything stands.

Every scalar stays text, so `52:54:00:00:00:01` is no base-60 number and `no` is no boolean; nothing at all, `~`
and `null` are None. What makes YAML surprising or dangerous is a Problem: duplicate keys, anchors and
aliases, tags, several documents, deep nesting. The tree is built from parser events, not from PyYAML's nodes:
aliases are visible there, and a bomb of brackets is noticed before libyaml has spent quadratic time on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, NamedTuple, NoReturn

import yaml

from provisioner.errors import Problem

DEEPEST = 20
LARGEST = 8 << 20

# The stubs of PyYAML leave every mark and attribute optional; events from its parsers have them.
Event = Any

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Span(NamedTuple):
    """A stretch of a text: offsets in characters, and line and column of the start, counted from 1."""

    start: int
    end: int
    line: int
    column: int


class Scalar(NamedTuple):
    """A text, or None for null. `plain` means written without quotes."""

    text: str | None
    plain: bool
    span: Span


class Pair(NamedTuple):
    """A key and its value."""

    key: Scalar
    value: Value


class MarkedList(NamedTuple):
    """A sequence. `flow` means written in brackets; `span` ends with the last item otherwise."""

    items: tuple[Value, ...]
    flow: bool
    span: Span


class MarkedMap(NamedTuple):
    """A mapping, in the order of the file. `span` ends with the last value where it is not a flow mapping."""

    pairs: tuple[Pair, ...]
    flow: bool
    span: Span

    def find(self, key: str) -> Pair | None:
        """The pair with this key."""
        return next((pair for pair in self.pairs if pair.key.text == key), None)


Value = Scalar | MarkedList | MarkedMap
Data = str | None | list["Data"] | dict[str, "Data"]
Typed = str | int | float | None | list["Typed"] | dict[str, "Typed"]

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LONGEST_NUMBER = 64
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), int),
    (re.compile(r"0o[0-7]+"), partial(int, base=0)),
    (re.compile(r"0x[0-9a-fA-F]+"), partial(int, base=0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]{1,3})?|[-+]?[0-9]+[eE][-+]?[0-9]{1,3}"), float),
)


@dataclass(frozen=True)
class Document:
    """A parsed file: its tree (None when empty or not YAML) and what is wrong with it so far."""

    file: str
    root: Value | None
    problems: tuple[Problem, ...]


def parse(file: str, text: str) -> Document:
    """Parse one YAML document. Never raises: mistakes come back as problems of `file`."""
    if len(text) > LARGEST:
        problem = Problem(
            file, 0, 0, f"the file is larger than {LARGEST >> 20} MiB", "split it into several files"
        )
        return Document(file, None, (problem,))
    builder = _Builder(file, yaml.parse(text, Loader=yaml.CSafeLoader))
    try:
        root = builder.document()
    except _RefusedError as refused:
        return Document(file, None, (*builder.problems, refused.problem))
    except yaml.MarkedYAMLError as error:
        return Document(file, None, (*builder.problems, _syntax_problem(file, error)))
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        return Document(file, None, (_unreadable(file, text, error),))
    return Document(file, root, tuple(builder.problems))


def plain(value: Value | None) -> Data:
    """The tree without its marks: texts, None, lists and dictionaries. Of equal keys the first one counts."""
    if value is None or isinstance(value, Scalar):
        return value.text if value else None
    if isinstance(value, MarkedList):
        return [plain(item) for item in value.items]
    return {pair.key.text or "": plain(pair.value) for pair in value.pairs}


def typed(value: Value) -> Typed:
    """The tree without its marks, plain scalars read as YAML 1.2 reads them (core schema, section 10.3.2).

    Only there: `true`, `0x1f` and `1.5` are no texts, while `no`, `010:20` and everything in quotes are.
    """
    if isinstance(value, Scalar):
        return _core(value.text) if value.plain and value.text else value.text
    if isinstance(value, MarkedList):
        return [typed(item) for item in value.items]
    return {pair.key.text or "": typed(pair.value) for pair in value.pairs}


def _core(text: str) -> Typed:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    for pattern, read in _NUMBERS:
        # Python refuses to read integers of thousands of digits; nobody means one.
        if len(text) <= _LONGEST_NUMBER and pattern.fullmatch(text):
            value = read(text)
            # What is too large for a float is a text: infinity is no number in JSON.
            return value if isfinite(value) else text
    return text


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Builder:
    """Turns events into a tree; collects the problems that do not keep it from going on."""

    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self.file = file
        self.events = events
        self.problems: list[Problem] = []

    def document(self) -> Value | None:
        """The root of the only document, or None for an empty stream."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        root: Value | None = self.value(next(self.events), 1)
        next(self.events)
        if isinstance(root, Scalar) and root.plain and root.text is None and root.span.start == root.span.end:
            # `---` and comments alone.
            root = None
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.refuse(after, "a second document starts here", "put it into a file of its own")
        return root

    def value(self, event: Event, depth: int) -> Value:
        """The value that starts with this event."""
        self.refuse_exotic(event)
        if isinstance(event, yaml.ScalarEvent):
            is_plain = not event.style
            text = None if is_plain and event.value in _NULLS else event.value
            return Scalar(text, is_plain, _span(event))
        if depth > DEEPEST:
            self.refuse(event, f"nested deeper than {DEEPEST} levels", "nothing that is configured is so deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, depth)
        return self.mapping(event, depth)

    def sequence(self, start: Event, depth: int) -> MarkedList:
        """The items up to the end of this sequence."""
        items: list[Value] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event, depth + 1))
        end = _end(start, event, items[-1] if items else None)
        return MarkedList(tuple(items), bool(start.flow_style), _span(start, end))

    def mapping(self, start: Event, depth: int) -> MarkedMap:
        """The pairs up to the end of this mapping, without duplicates."""
        pairs: dict[str, Pair] = {}
        last: Value | None = None
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            last = self.value(next(self.events), depth + 1)
            if self.is_new(key, pairs):
                pairs[key.text or ""] = Pair(key, last)
        return MarkedMap(tuple(pairs.values()), bool(start.flow_style), _span(start, _end(start, event, last)))

    def key(self, event: Event) -> Scalar:
        """A key, which must be a text."""
        self.refuse_exotic(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse(event, "a key must be a text", 'quote a key that starts with a bracket: "[...]"')
        if "\0" in event.value:
            self.refuse(event, "a key has the character U+0000 (NUL) in it", "choose another key")
        if event.value == "<<" and not event.style:
            self.refuse(event, "merge keys (<<) are not supported", "let a group carry what is shared")
        # A key `null` or `~` is what it looks like: a name.
        return Scalar(event.value, not event.style, _span(event))

    def is_new(self, key: Scalar, pairs: dict[str, Pair]) -> bool:
        """Whether the key is not there yet; a second one is a problem."""
        first = pairs.get(key.text or "")
        if first is None:
            return True
        message = f"the key {key.text!r} is already at line {first.key.span.line}"
        self.problems.append(
            Problem(self.file, key.span.line, key.span.column, message, "join the two, or remove one")
        )
        return False

    def refuse_exotic(self, event: Event) -> None:
        """Stop at an alias, an anchor or a tag."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self.refuse(event, "anchors and aliases are not supported", "let a group carry what is shared")
        if getattr(event, "tag", None) is not None:
            self.refuse(event, f"the tag {event.tag} is not supported", "write the plain value")

    def refuse(self, event: Event, message: str, hint: str) -> NoReturn:
        """Give up on the document."""
        mark = event.start_mark
        raise _RefusedError(Problem(self.file, mark.line + 1, mark.column + 1, message, hint))


def _span(event: Event, end: int | None = None) -> Span:
    mark = event.start_mark
    return Span(mark.index, event.end_mark.index if end is None else end, mark.line + 1, mark.column + 1)


def _end(start: Event, end: Event, last: Value | None) -> int:
    # libyaml ends a block collection where the next token starts, comments included.
    return int(last.span.end if last and not start.flow_style else end.end_mark.index)


def _syntax_problem(file: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = f"not valid YAML: {error.problem or error.context}"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(
        file, line, column, message, "check indentation, colons and brackets here and in the line above"
    )


def _unreadable(file: str, text: str, error: Exception) -> Problem:
    # libyaml counts this position in bytes of UTF-8, Python in characters.
    if isinstance(error, UnicodeEncodeError):
        before = text[: error.start]
    else:
        before = text.encode()[: int(getattr(error, "position", 0) or 0)].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    character = ord(text[len(before)]) if len(before) < len(text) else 0xFFFD
    if 0xD800 <= character <= 0xDFFF:
        return Problem(file, line, column, "the file is not UTF-8 text", "save it as UTF-8")
    message = f"the character U+{character:04X}{_CONTROLS.get(character, '')} is not allowed in YAML"
    return Problem(file, line, column, message, "remove it; in double quotes it can be written as an escape")


_CONTROLS = {0x00: " (NUL)", 0x07: " (BEL)", 0x08: " (backspace)", 0x1B: " (ESC)", 0x7F: " (DEL)"}

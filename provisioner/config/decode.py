"""Marked trees to the models of `model.written`, with every mistake at its line and column.

Nothing here raises for what people wrote: a value that is wrong becomes a Problem and is left out, so that
one look at a site finds the mistakes behind the first one too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from provisioner.config.marked import (
    Document,
    MarkedList,
    MarkedMap,
    Pair,
    Scalar,
    Span,
    Value,
    parse,
    plain,
    typed,
)
from provisioner.errors import ConfigError, Problem
from provisioner.model.name import REMOVES, Name
from provisioner.model.nodeset import expand
from provisioner.model.written import Group, NodeEntry, Site

M = TypeVar("M", bound=BaseModel)
Location = tuple[str | int, ...]

_DIGITS = re.compile(r"[0-9]+(:[0-9]+)*")
_LIST_TYPES = frozenset({"tuple_type", "list_type"})
_ADDRESS_TYPES = frozenset({"ip_v4_address", "ip_v6_address"})
_MAPPING_TYPES = frozenset({"dict_type", "model_type", "model_attributes_type"})


@dataclass(frozen=True)
class Entry(Generic[M]):
    """One entry as written: the names that its key stands for, the typed value and the marks of both.

    One that `overrides` is of a switch: its key is the switch, and it makes no node.
    """

    file: str
    key: Scalar
    names: tuple[str, ...]
    value: M
    node: Value
    overrides: bool = False

    @property
    def label(self) -> str:
        """What provenance calls an entry of nodes."""
        return f"switch {self.key.text}" if self.overrides else f"node {self.key.text}"

    def place(self, path: Sequence[str | int]) -> Span:
        """Where the value at a path stands, or the deepest part of the path that was written."""
        return locate(self.node, path, self.key.span)


@dataclass(frozen=True)
class Decoded(Generic[M]):
    """What a document holds: its usable entries, every key (usable or not), and the problems."""

    entries: tuple[Entry[M], ...]
    keys: tuple[str, ...]
    problems: tuple[Problem, ...]


def decode_site(document: Document) -> tuple[Site | None, tuple[Problem, ...]]:
    """The site in provisioner.yaml, or None when too much of it is wrong."""
    if document.root is None:
        return None, document.problems or (_empty(document.file),)
    site, problems = _validated(Site, document.file, document.root, document.root.span)
    return site, (*document.problems, *problems)


def decode_groups(document: Document) -> Decoded[Group]:
    """The entries below `groups:`."""
    names = TypeAdapter(Name)
    return _decode_entries(document, "groups", Group, lambda key: (names.validate_python(key),))


def decode_nodes(document: Document) -> Decoded[NodeEntry]:
    """The entries below `nodes:`, their node sets expanded."""
    return _decode_entries(document, "nodes", NodeEntry, expand)


def decode_text(text: str, file: str, model: type[M]) -> M:
    """One whole file as one model; `file` names it in problems. Raises ConfigError with every mistake."""
    document = parse(file, text)
    root = document.root or Scalar(None, plain=True, span=Span(0, 0, 1, 1))
    value, problems = _validated(model, file, root, root.span)
    if document.problems or problems or value is None:
        raise ConfigError((*document.problems, *([] if document.problems else problems)))
    return value


def locate(node: Value, path: Sequence[str | int], start: Span) -> Span:
    """Where the value at a path stands: a scalar itself, the key of anything larger; else as deep as written."""
    for step in path:
        if isinstance(node, MarkedMap) and (pair := node.find(str(step))):
            start, node = pair.key.span, pair.value
        elif isinstance(node, MarkedList) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            start = node.span
        else:
            break
        if isinstance(node, Scalar) and node.text is not None:
            start = node.span
    return start


def _decode_entries(
    document: Document, section: str, model: type[M], names_of: Callable[[str], tuple[str, ...]]
) -> Decoded[M]:
    problems = list(document.problems)
    if document.root is None:
        return Decoded((), (), tuple(problems))
    body, misplaced = _section(document, section)
    problems += misplaced
    entries = []
    for pair in body.pairs if body else ():
        names, wrong_key = _names(document.file, pair.key, names_of)
        value, wrong_value = _validated(model, document.file, pair.value, pair.key.span)
        problems += [*wrong_key, *wrong_value, *_unquoted_macs(document.file, pair.value)]
        if value is not None and names:
            entries.append(Entry(document.file, pair.key, names, value, pair.value))
    keys = tuple(pair.key.text or "" for pair in body.pairs) if body else ()
    return Decoded(tuple(entries), keys, tuple(problems))


def _section(document: Document, section: str) -> tuple[MarkedMap | None, list[Problem]]:
    root = document.root
    if not isinstance(root, MarkedMap):
        span = root.span if root else Span(0, 0, 1, 1)
        message, hint = f"expected a mapping with the key {section!r}", f"start the file with `{section}:`"
        return None, [Problem(document.file, span.line, span.column, message, hint)]
    problems = [
        _unknown_key(document.file, pair.key.span, pair.key.text or "", [section])
        for pair in root.pairs
        if pair.key.text != section
    ]
    found = root.find(section)
    if found is None or (isinstance(found.value, Scalar) and found.value.text is None):
        return None, problems
    if not isinstance(found.value, MarkedMap):
        place = found.value.span
        hint = "indent every entry by two spaces, as `NAME: {...}`"
        problems.append(Problem(document.file, place.line, place.column, f"{section!r} must be a mapping", hint))
        return None, problems
    return found.value, problems


def _names(
    file: str, key: Scalar, names_of: Callable[[str], tuple[str, ...]]
) -> tuple[tuple[str, ...], list[Problem]]:
    try:
        return names_of(key.text or ""), []
    except ValidationError as error:
        message = _message(error.errors(include_url=False)[0])
    except ValueError as error:
        message = str(error)
    hint = "a node set looks like n[001-004,010] or n1,n2" if names_of is expand else "choose another name"
    return (), [Problem(file, key.span.line, key.span.column, message, hint)]


def _validated(model: type[M], file: str, node: Value, start: Span) -> tuple[M | None, list[Problem]]:
    data = _data_of(node)
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = dict.fromkeys(_problem(model, file, node, start, detail) for detail in details)
    try:
        usable = model.model_validate(_without(data, [detail["loc"] for detail in details]))
    except ValidationError:
        return None, list(problems)
    return usable, list(problems)


def _data_of(node: Value) -> Any:
    """What models are made of: texts, except in `resources`, where templates see what other readers would see."""
    data = plain(node)
    resources = node.find("resources") if isinstance(node, MarkedMap) else None
    if resources is not None and isinstance(data, dict) and isinstance(resources.value, MarkedMap):
        return {**data, "resources": typed(resources.value)}
    return data


def _without(data: Any, locations: Sequence[Location]) -> Any:
    # From the back, so that removing an item of a list does not move the ones that go next.
    for location in sorted(locations, key=lambda each: [str(step).zfill(9) for step in each], reverse=True):
        if location and _holds(data, location[0]):
            _drop(data, location)
    return data


def _drop(data: Any, location: Location) -> None:
    inner, rest = data[location[0]], location[1:]
    if rest and _holds(inner, rest[0]):
        _drop(inner, rest)
    else:
        del data[location[0]]


def _holds(data: object, step: str | int) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


def _problem(model: type[BaseModel], file: str, node: Value, start: Span, detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    if detail["type"] == "extra_forbidden":
        place = _key_place(node, location, start)
        known = _known_keys(model, location[:-1])
        return _unknown_key(file, place, str(location[-1]), known, is_empty=detail["input"] is None)
    place = (
        _key_place(node, location[:-1], start) if location[-1:] == ("[key]",) else locate(node, location, start)
    )
    return Problem(file, place.line, place.column, _message(detail), _hint(detail))


def _key_place(node: Value, location: Location, start: Span) -> Span:
    for step in location:
        pair = node.find(str(step)) if isinstance(node, MarkedMap) else None
        if pair is None:
            break
        start, node = pair.key.span, pair.value
    return start


def _unknown_key(file: str, place: Span, key: str, known: Sequence[str], *, is_empty: bool = False) -> Problem:
    removed = key.removeprefix(REMOVES)
    if removed != key and removed in known and is_empty:
        message = f"{key!r} removes nothing: {removed} of weaker places are not inherited here"
        hint = f"leave it out, and write {removed!r} as it shall be"
        return Problem(file, place.line, place.column, message, hint)
    if removed != key and removed in known:
        message = f"{key!r} removes what is inherited, so it has no value"
        return Problem(file, place.line, place.column, message, f"write `{key}:` with nothing behind it")
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return Problem(file, place.line, place.column, f"unknown key {key!r}", hint)


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    for step in location:
        field = model.model_fields.get(str(step))
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return sorted(name for name in model.model_fields if name != "removed")


def _message(detail: ErrorDetails) -> str:
    kind, given = detail["type"], detail.get("input")
    if kind == "missing":
        return f"the key {detail['loc'][-1]!r} is missing"
    if kind == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    if kind in _LIST_TYPES:
        return f"expected a list, found {_shown(given)}"
    if kind in _ADDRESS_TYPES:
        return f"{_shown(given)} is not an IP address"
    if kind in _MAPPING_TYPES:
        return f"expected a mapping, found {_shown(given)}"
    return detail["msg"].replace("Input ", f"{_shown(given)} ", 1)


def _hint(detail: ErrorDetails) -> str:
    kind, given = detail["type"], detail.get("input")
    if kind in _LIST_TYPES and isinstance(given, str):
        return f"write [{given}]"
    if kind == "missing":
        return f"add `{detail['loc'][-1]}: ...`"
    return _HINTS.get(kind, "see docs/configuration.md for what is expected here")


_HINTS = {
    "ip_v4_network": "a network starts at its first address, as in 10.0.0.0/16",
    "ip_v6_network": "a network starts at its first address, as in fd00::/64",
    "string_type": "write a text",
}


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else repr(value)


def _unquoted_macs(file: str, node: Value) -> list[Problem]:
    if not isinstance(node, MarkedMap):
        return []
    interfaces, bmc = node.find("interfaces"), node.find("bmc")
    holders = [pair.value for pair in _pairs(interfaces)] + ([bmc.value] if bmc else [])
    pairs = [each.find("mac") for each in holders if isinstance(each, MarkedMap)]
    return [_unquoted(file, pair.value) for pair in pairs if pair and _reads_as_number(pair.value)]


def _pairs(holder: Pair | None) -> tuple[Pair, ...]:
    return holder.value.pairs if holder is not None and isinstance(holder.value, MarkedMap) else ()


def _reads_as_number(value: Value) -> bool:
    return (
        isinstance(value, Scalar)
        and value.plain
        and bool(value.text)
        and bool(_DIGITS.fullmatch(value.text or ""))
    )


def _unquoted(file: str, value: Value) -> Problem:
    text = value.text if isinstance(value, Scalar) else ""
    message = f"the MAC {text} is not quoted, and other YAML readers make a number of it"
    return Problem(file, value.span.line, value.span.column, message, f'write "{text}"')


def _empty(file: str) -> Problem:
    return Problem(file, 0, 0, "the file is empty", "prov init --cluster NAME --network CIDR")

"""What people assign to fields on the command line: `image=rocky-9`, `kernel.args+=quiet`, `tags={rack: r1}`.

Values are checked here against the model, so that an error speaks of what was typed and not of a line in a file
that does not exist yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel

from provisioner.config import emit
from provisioner.config.decode import decode_text
from provisioner.config.emit import Writable
from provisioner.config.excerpt import writable
from provisioner.config.marked import Scalar, Span, parse
from provisioner.errors import ConfigError
from provisioner.model.name import REMOVES
from provisioner.model.written import Layer, NodeEntry
from provisioner.registry.fieldkind import FieldKind, Shape
from provisioner.registry.fieldpath import FieldError, Path, dotted, field_of, parse_path, paths_of

__all__ = [
    "Assignment",
    "FieldError",
    "Operator",
    "assignment",
    "dotted",
    "nested",
    "parse_assignment",
    "parse_path",
    "paths_of",
]

Operator = Literal["=", "+=", "-=", "~"]

_ASSIGNMENT = re.compile(r'(?P<field>(?:"(?:\\.|[^"\\])*"|[^"=])*?)(?P<operator>[+-]?=)(?P<value>.*)', re.DOTALL)
_MARKING = "write that mark with: unset --inherited"


@dataclass(frozen=True)
class Assignment:
    """A change of one field: `=` sets it, `+=` and `-=` add and remove items of a list.

    The operator `~`, which nobody types, stands for the mark that removes what is inherited; its value is None.
    """

    path: Path
    operator: Operator
    value: Writable


def parse_assignment(text: str, model: type[Layer] = NodeEntry) -> Assignment:
    """One change, from `FIELD=VALUE`, `FIELD+=VALUE` or `FIELD-=VALUE`.

    A list takes `a,b` (kernel arguments are parted by spaces) or YAML in brackets, a map takes YAML in braces;
    `resources` take both, and numbers and booleans as YAML 1.2 reads them. Everything else is text as it stands.
    Raises FieldError when there is no such field, or the value is none for it.
    """
    field, operator, value = _split(text)
    path, kind = field_of(field, text, model)
    if path[-1].startswith(REMOVES):
        raise FieldError.at(
            text, 0, f"{path[-1]!r} removes what is inherited, so it has no value", "prov node unset"
        )
    if operator != "=" and kind.shape is not Shape.LIST:
        reason = f"{operator} is for lists, and {dotted(path)} is none"
        raise FieldError.at(text, len(field), reason, f"write {field}={value}")
    given = _read(kind, text, len(text) - len(value), path)
    return Assignment(path, operator, _checked(path, given, model))


def assignment(
    path: Path, value: Writable, model: type[Layer] = NodeEntry, operator: Operator = "="
) -> Assignment:
    """A change to a value that is no text any more, checked in the same way."""
    return Assignment(path, operator, _checked(path, value, model))


def nested(assignments: Iterable[tuple[Path, Writable]]) -> dict[str, Writable]:
    """Values by path as one entry, ready to be written."""
    entry: dict[str, Any] = {}
    for path, value in assignments:
        held = entry
        for step in path[:-1]:
            held = held.setdefault(step, {})
        held[path[-1]] = value
    return entry


def _split(text: str) -> tuple[str, Operator, str]:
    match = _ASSIGNMENT.fullmatch(text)
    if match is None or not match["field"]:
        hint = "write FIELD=VALUE, or FIELD+=VALUE and FIELD-=VALUE for lists"
        raise FieldError.at(text, len(text) if match is None else 0, "expected FIELD=VALUE", hint)
    return match["field"], cast("Operator", match["operator"]), match["value"]


def _read(kind: FieldKind, text: str, offset: int, path: Path) -> Writable:
    value = text[offset:]
    if kind.shape is Shape.LIST:
        return _items(kind, text, offset, path)
    if kind.shape is Shape.FREE:
        return _free(text, offset)
    if kind.shape is Shape.VALUE:
        return value
    if not value.lstrip().startswith("{"):
        raise FieldError.at(
            text, offset, f"{dotted(path)} is a map", f"write {dotted(path)}.KEY=VALUE, or {{...}}"
        )
    return _yaml(text, offset)


def _items(kind: FieldKind, text: str, offset: int, path: Path) -> Writable:
    value = text[offset:]
    if not value.strip():
        raise FieldError.at(text, offset, "expected items of a list", f"to clear it: unset {dotted(path)}")
    if value.lstrip().startswith("["):
        return _yaml(text, offset)
    if value.lstrip().startswith("{"):
        return [_yaml(text, offset)]
    return [item.strip() for item in value.split(kind.separator)]


def _free(text: str, offset: int) -> Writable:
    value = text[offset:]
    if value.lstrip()[:1] in {"[", "{", '"', "'"}:
        return _yaml(text, offset)
    return writable(Scalar(value, plain=True, span=Span(0, 0, 1, 1)))


def _yaml(text: str, offset: int) -> Writable:
    document = parse("value", text[offset:])
    for problem in document.problems:
        place = offset + problem.column - 1 if problem.line == 1 and problem.column else offset
        raise FieldError.at(text, min(place, len(text)), problem.message, problem.hint)
    return writable(document.root) if document.root is not None else None


def _checked(path: Path, value: Writable, model: type[Layer]) -> Writable:
    """The value, numbers and booleans of the model as such; FieldError when the model refuses it."""
    try:
        entry = decode_text(emit.flow(nested([(path, value)])), "value", model)
    except ConfigError as error:
        problem = error.problems[0]
        hint = f"to clear it: unset {dotted(path)}" if value == "" else problem.hint or None
        raise FieldError(f"{dotted(path)}: {problem.message}", hint=hint) from None
    found = _at(entry, path)
    return found if isinstance(found, bool | int) and not isinstance(value, emit.Bare) else value


def _at(entry: object, path: Path) -> object:
    for step in path:
        if isinstance(entry, BaseModel):
            entry = getattr(entry, step, None)
        else:
            entry = cast("Mapping[str, object]", entry).get(step) if isinstance(entry, Mapping) else None
    return entry

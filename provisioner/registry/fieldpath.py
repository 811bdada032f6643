"""Paths of fields as people name them on the command line: `kernel.args`, `interfaces."bond0.5".ip`.

A path is written with dots. A key that holds a dot itself goes in double quotes; they may be left out where the
next known field tells where the key ends (`interfaces.bond0.5.ip`, `disks./dev/sda.wipe`), and where the key ends
in numbers (`interfaces.bond0.5`). Tags hold no maps, so everything behind `tags.` is one key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from provisioner.errors import ProvisionerError
from provisioner.model.name import REMOVES
from provisioner.model.pointed import PointedError, shown
from provisioner.model.steps import dotted
from provisioner.model.written import Layer, NodeEntry
from provisioner.registry.fieldkind import FieldKind, Shape, kind_of, names_below

__all__ = ["FieldError", "Path", "Token", "dotted", "field_of", "parse_path", "paths_of"]

Path = tuple[str, ...]

_TOKEN = re.compile(r'"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>[^".]+)')


class FieldError(ProvisionerError):
    """A text names no field, or gives it a value that it cannot have.

    The message may have a line with a caret; `reason` has none.
    """

    def __init__(self, message: str, *, hint: str | None = None, reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason or message

    @classmethod
    def at(cls, text: str, offset: int, reason: str, hint: str | None = None) -> FieldError:
        """An error that points at a character of what was typed."""
        return cls(PointedError(text, offset, reason).pointed(), hint=hint, reason=reason)


class Token(NamedTuple):
    """One step of a path as typed."""

    text: str
    offset: int
    quoted: bool


def parse_path(text: str, model: type[Layer] = NodeEntry) -> Path:
    """The path of a field, or of a whole map. `~image` names the mark that removes what is inherited.

    Raises FieldError when the model has no such field.
    """
    return field_of(text, text, model)[0]


def field_of(text: str, typed: str, model: type[Layer]) -> tuple[Path, FieldKind]:
    """Path and kind of a field; `typed` is the whole text that starts with it, for the pointer in errors."""
    return _walk(_Typed(typed, model), kind_of(model), _tokens(text, typed), ())


def paths_of(model: type[Layer] = NodeEntry) -> tuple[str, ...]:
    """Every field of a model for help and completion, capitals for keys of maps: `interfaces.NAME.mtu`."""
    return tuple(".".join(path) for path in names_below(kind_of(model)))


class _Typed(NamedTuple):
    """What a person typed, for errors."""

    text: str
    model: type[Layer]

    def unknown(self, token: Token, known: Sequence[str], below: Path) -> FieldError:
        """The error for a name that no field has."""
        name = token.text.removeprefix(REMOVES)
        near = difflib.get_close_matches(name, known, n=1)
        elsewhere = [each for each in paths_of(self.model) if each.split(".")[-1] == name]
        place = f" of {dotted(below)}" if below else ""
        if name in NodeEntry.model_fields and not below:
            hint = f"only nodes have {name}, because it is about one machine"
        elif elsewhere and not below:
            hint = f"did you mean {' or '.join(elsewhere[:3])}?"
        elif near:
            hint = f"did you mean {dotted((*below, near[0]))}?"
        else:
            hint = f"there is {', '.join(known)}; a key with a dot in it goes in quotes"
        return FieldError.at(self.text, token.offset, f"there is no field {shown(name)}{place}", hint)


def _tokens(text: str, typed: str) -> list[Token]:
    found: list[Token] = []
    offset = 0
    while True:
        match = _TOKEN.match(text, offset)
        if match is None:
            reason = (
                "a quote is not closed" if text[offset : offset + 1] == '"' else "the name of a field is missing"
            )
            raise FieldError.at(typed, offset, reason)
        bare = match["bare"]
        step = re.sub(r"\\(.)", r"\1", match["quoted"]) if bare is None else bare
        found.append(Token(step, offset, bare is None))
        offset = match.end()
        if offset == len(text):
            return found
        if text[offset] != ".":
            raise FieldError.at(typed, offset, "expected a dot here")
        offset += 1


def _walk(typed: _Typed, kind: FieldKind, tokens: list[Token], below: Path) -> tuple[Path, FieldKind]:
    """The path that tokens stand for below a kind, and what stands there."""
    if not tokens:
        return (), kind
    if kind.shape is Shape.FIELDS:
        first = tokens[0]
        name = first.text if len(tokens) > 1 else first.text.removeprefix(REMOVES)
        if name not in kind.fields:
            raise typed.unknown(first, sorted(kind.fields), below)
        path, found = _walk(typed, kind.fields[name], tokens[1:], (*below, name))
        return (first.text, *path), found
    if kind.shape is Shape.FREE:
        return tuple(token.text for token in tokens), kind
    if kind.shape is Shape.MAP and kind.inner is not None:
        length = _key_length(typed, kind.inner, tokens, below)
        key = ".".join(token.text for token in tokens[:length])
        path, found = _walk(typed, kind.inner, tokens[length:], (*below, key))
        return (key, *path), found
    raise FieldError.at(typed.text, tokens[0].offset - 1, f"{dotted(below)} holds no further fields")


def _key_length(typed: _Typed, inner: FieldKind, tokens: list[Token], below: Path) -> int:
    """How many tokens are the key of a map: one in quotes, or everything up to the next known field."""
    if tokens[0].quoted:
        return 1
    if inner.shape is Shape.VALUE:
        return len(tokens)
    for length in range(1, len(tokens)):
        if tokens[length].text.removeprefix(REMOVES) in inner.fields:
            return length
    if all(token.text.isdecimal() for token in tokens[1:]):
        return len(tokens)
    raise typed.unknown(tokens[1], sorted(inner.fields), (*below, tokens[0].text))

"""Plain data as YAML text that every reader, of YAML 1.1 or 1.2, understands in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

Writable = str | int | float | bool | None | Sequence["Writable"] | Mapping[str, "Writable"]

_PLAIN = re.compile(r"~?[A-Za-z_/][A-Za-z0-9_/.@+=-]*|[0-9]{1,3}(\.[0-9]{1,3}){3}(\+|/[0-9]{1,3})?")
_BLOCK_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\[[0-9,-]+\](-[A-Za-z0-9]+)?")
# Words that YAML 1.1 or 1.2 takes for booleans, nulls or floats.
_WORDS = re.compile(r"y|yes|n|no|true|false|on|off|null|nan|inf|infinity", re.IGNORECASE)
_WIDEST = 110
_REMOVAL = re.compile(r"~.+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Bare(str):
    """A text that is written without quotes: a number or boolean in the spelling that somebody chose."""

    __slots__ = ()


def scalar(text: str) -> str:
    """One text, in double quotes wherever a reader could take it for something else."""
    if isinstance(text, Bare):
        return text
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def key(text: str) -> str:
    """A key of a block mapping, where the brackets of a node set need no quotes."""
    return text if _BLOCK_KEY.fullmatch(text) else scalar(text)


def pair(name: str, value: Writable) -> str:
    """`name: value` as an entry of a block mapping; `~name:` has nothing behind it."""
    return f"{key(name)}:" if _removes(name, value) else f"{key(name)}: {flow(value)}"


def flow_pair(name: str, value: Writable) -> str:
    """`name: value` as an entry of a flow mapping; `~name: ` has nothing behind it."""
    return f"{scalar(name)}: {'' if _removes(name, value) else flow(value)}"


def flow(value: Writable) -> str:
    """A value on one line: `[a, b]`, `{mac: "52:54:00:00:00:01"}`."""
    if isinstance(value, str):
        return scalar(value)
    if value is None or isinstance(value, bool | int | float):
        return _simple(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(flow_pair(name, each) for name, each in value.items()) + "}"
    return "[" + ", ".join(flow(each) for each in value) + "]"


def entry(name: str, value: Writable, indent: str = "", newline: str = "\n") -> str:
    """An entry of a block mapping as lines: one, or a field a line where one would be too wide."""
    line = f"{indent}{pair(name, value)}{newline}"
    if len(line) <= _WIDEST or not isinstance(value, Mapping):
        return line
    fields = (f"{indent}  {pair(field, each)}{newline}" for field, each in value.items())
    return "".join((f"{indent}{key(name)}:{newline}", *fields))


def block(value: Writable, indent: int = 0) -> str:
    """A value over many lines: mappings and lists of mappings as blocks, everything else on one line."""
    pad = " " * indent
    if isinstance(value, Mapping) and value:
        return "".join(pad + _pair(name, each, indent) for name, each in value.items())
    if _is_block_list(value):
        items = (block(item, indent + 2) for item in cast("Sequence[Writable]", value))
        return "".join(f"{pad}- {item[indent + 2 :]}" for item in items)
    return f"{pad}{flow(value)}\n"


def _pair(name: str, value: Writable, indent: int) -> str:
    if (isinstance(value, Mapping) and value) or _is_block_list(value):
        return f"{key(name)}:\n{block(value, indent + 2)}"
    return f"{pair(name, value)}\n"


def _removes(name: str, value: Writable) -> bool:
    return value is None and _REMOVAL.fullmatch(name) is not None


def _is_block_list(value: Writable) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return any(isinstance(item, Mapping) for item in value)


def _simple(value: float | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # YAML 1.2 section 5.1: what is not printable must be escaped; NEL and the separators would break the line.
    if character.isprintable() or character == " ":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Edits of YAML files as splices of their text at the parser's marks.

Whatever an edit does not touch stays as it is, byte for byte: comments, order, quoting, line ends. Every
result is parsed again and compared with what the edit should mean; a difference is an EditError and nothing
is returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioner.config import emit
from provisioner.config.emit import Writable
from provisioner.config.marked import Data, MarkedMap, Pair, Scalar, Value, parse, plain
from provisioner.errors import ConfigError, ConflictError

Path = tuple[str, ...]


class EditError(ConflictError):
    """A file is written in a way that a program cannot edit safely; people can."""


def set_value(text: str, path: Path, value: Writable) -> str:
    """The text with the value at a path of keys set; missing keys are added after their siblings.

    Raises ConfigError when the text is not clean YAML, EditError when it cannot be edited.
    """
    root = _root(text)
    pairs = _follow(root, path)
    if len(pairs) == len(path):
        edited = _replaced(text, pairs, value)
    else:
        edited = _added(text, root, pairs, _nested(path[len(pairs) + 1 :], value), path[len(pairs)])
    return _verified(edited, _with_value(plain(root), path, value))


def delete_entry(text: str, path: Path) -> str:
    """The text without the entry at a path of keys.

    Raises ConfigError when the text is not clean YAML, EditError when there is no such entry or it cannot go.
    """
    root = _root(text)
    pairs = _follow(root, path)
    if not path or len(pairs) < len(path):
        raise EditError(f"there is no entry {'.'.join(path)!r} to delete")
    parent = _holder(root, pairs)
    edited = _cut_from_flow(text, parent, pairs[-1]) if parent.flow else _cut_lines(text, pairs[-1])
    # A block mapping without entries is nothing at all; nothing and {} mean the same in every file.
    emptied: Data = {} if parent.flow else None
    return _verified(edited, _without_value(plain(root), path, emptied))


def _root(text: str) -> Value | None:
    document = parse("the file", text)
    if document.problems:
        raise ConfigError(document.problems)
    return document.root


def _follow(node: Value | None, path: Path) -> list[Pair]:
    """The pairs along a path, as far as they exist."""
    pairs: list[Pair] = []
    for step in path:
        pair = node.find(step) if isinstance(node, MarkedMap) else None
        if pair is None:
            break
        pairs.append(pair)
        node = pair.value
    return pairs


def _holder(root: Value | None, pairs: Sequence[Pair]) -> MarkedMap:
    """The mapping that holds the last of some pairs."""
    holder = pairs[-2].value if len(pairs) > 1 else root
    if not isinstance(holder, MarkedMap):
        raise EditError("the file is not a mapping, so a program cannot edit it")
    return holder


def _nested(path: Path, value: Writable) -> Writable:
    for step in reversed(path):
        value = {step: value}
    return value


def _replaced(text: str, pairs: Sequence[Pair], value: Writable) -> str:
    pair = pairs[-1]
    old, written = pair.value, emit.flow(value)
    if isinstance(old, Scalar) and old.span.start == old.span.end:
        return f"{text[: old.span.start]} {written}{text[old.span.end :]}"
    if isinstance(old, Scalar) and text[old.span.start] in "|>":
        return f"{text[: old.span.start]}{written}{_newline(text)}{text[old.span.end :]}"
    if isinstance(old, Scalar) or old.flow:
        return text[: old.span.start] + written + text[old.span.end :]
    # A block collection: its lines go, and the key's own line, with its comment, gets the value.
    colon = text.index(":", pair.key.span.end) + 1
    first, last = _line_start(text, old.span.start), _line_end(text, old.span.end)
    return f"{text[:colon]} {written}{text[colon:first]}{text[last:]}"


def _added(text: str, root: Value | None, pairs: Sequence[Pair], value: Writable, name: str) -> str:
    parent = pairs[-1].value if pairs else root
    if parent is None:
        return _with_line_end(text) + f"{emit.key(name)}:{_hanging(value, 2, _newline(text))}{_newline(text)}"
    if isinstance(parent, MarkedMap) and parent.flow:
        return _added_to_flow(text, parent, f"{emit.scalar(name)}: {emit.flow(value)}")
    if isinstance(parent, MarkedMap):
        return _added_to_block(text, parent, f"{emit.key(name)}: {emit.flow(value)}")
    if isinstance(parent, Scalar) and parent.text is None and pairs:
        return _added_to_nothing(text, pairs[-1], {name: value}, in_flow=_holder(root, pairs).flow)
    raise EditError(
        f"{(pairs[-1].key.text if pairs else 'the file')!r} is not a mapping, so it cannot hold {name!r}"
    )


def _added_to_flow(text: str, parent: MarkedMap, entry: str) -> str:
    if not parent.pairs:
        return f"{text[: parent.span.start]}{{{entry}}}{text[parent.span.end :]}"
    end = _pair_end(parent.pairs[-1])
    return f"{text[:end]}, {entry}{text[end:]}"


def _added_to_block(text: str, parent: MarkedMap, entry: str) -> str:
    indent = " " * (parent.pairs[0].key.span.column - 1)
    end = _line_end(text, _pair_end(parent.pairs[-1]))
    return f"{_with_line_end(text[:end])}{indent}{entry}{_newline(text)}{text[end:]}"


def _added_to_nothing(text: str, parent: Pair, value: Mapping[str, Writable], *, in_flow: bool) -> str:
    key, old = parent.key, parent.value
    is_written = old.span.end > old.span.start
    if is_written or in_flow:
        return f"{text[: old.span.start]}{'' if is_written else ' '}{emit.flow(value)}{text[old.span.end :]}"
    newline = _newline(text)
    end = _line_end(text, old.span.end)
    entry = _hanging(value, key.span.column + 1, newline).removeprefix(newline)
    return f"{_with_line_end(text[:end])}{entry}{newline}{text[end:]}"


def _hanging(value: Writable, indent: int, newline: str) -> str:
    """A value behind a colon: a mapping's entries on lines of their own, anything else on the same line."""
    if not isinstance(value, Mapping) or not value:
        return f" {emit.flow(value)}"
    return "".join(f"{newline}{' ' * indent}{emit.key(name)}: {emit.flow(each)}" for name, each in value.items())


def _cut_lines(text: str, pair: Pair) -> str:
    return text[: _line_start(text, pair.key.span.start)] + text[_line_end(text, _pair_end(pair)) :]


def _cut_from_flow(text: str, parent: MarkedMap, pair: Pair) -> str:
    index = parent.pairs.index(pair)
    if index + 1 < len(parent.pairs):
        return text[: pair.key.span.start] + text[parent.pairs[index + 1].key.span.start :]
    start = _pair_end(parent.pairs[index - 1]) if index else pair.key.span.start
    return text[:start] + text[_pair_end(pair) :]


def _pair_end(pair: Pair) -> int:
    return max(pair.key.span.end, pair.value.span.end)


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    # A block scalar ends behind its line already.
    if offset and text[offset - 1] == "\n":
        return offset
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _with_line_end(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _newline(text)


def _verified(text: str, expected: Data) -> str:
    document = parse("the edited file", text)
    if document.problems or plain(document.root) != expected:
        raise EditError(
            "the edit would change more than it should; nothing was written",
            hint="make this edit by hand, or write the entry in a simpler way",
        )
    return text


def _with_value(data: Data, path: Path, value: Writable) -> Data:
    if not path:
        return _as_read(value)
    holder = data if isinstance(data, dict) else {}
    return {**holder, path[0]: _with_value(holder.get(path[0]), path[1:], value)}


def _without_value(data: Data, path: Path, emptied: Data) -> Data:
    if not isinstance(data, dict):
        return data
    rest = {name: each for name, each in data.items() if name != path[0]}
    if len(path) == 1:
        return rest or emptied
    return {**data, path[0]: _without_value(data[path[0]], path[1:], emptied)}


def _as_read(value: Writable) -> Data:
    """What the parser makes of a value: text, except for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {name: _as_read(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [_as_read(each) for each in value]
    return emit.flow(value)

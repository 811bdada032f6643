"""Edits of YAML files as splices of their text at the parser's marks.

Whatever an edit does not touch stays as it is, byte for byte: comments, order, quoting, line ends. Every
result is parsed again and compared with what the edit should mean; a difference is an EditError and nothing
is returned. `put`, `cut` and `rekey` splice without that look back, for `config.batch`, which has its own.
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
    root = tree(text)
    return verified(put(text, root, path, value), with_value(plain(root), path, value))


def delete_entry(text: str, path: Path) -> str:
    """The text without the entry at a path of keys.

    Raises ConfigError when the text is not clean YAML, EditError when there is no such entry or it cannot go.
    """
    root = tree(text)
    return verified(cut(text, root, path), without_value(plain(root), path))


def tree(text: str, file: str = "the file") -> Value | None:
    """The marked tree of a text; ConfigError, which names `file`, when it is not clean YAML."""
    document = parse(file, text)
    if document.problems:
        raise ConfigError(document.problems)
    return document.root


def put(text: str, root: Value | None, path: Path, value: Writable) -> str:
    """The text with the value at a path set, not verified; `root` is its tree."""
    pairs = follow(root, path)
    if len(pairs) == len(path):
        return _replaced(text, pairs, value)
    return _added(text, root, pairs, _nested(path[len(pairs) + 1 :], value), path[len(pairs)])


def cut(text: str, root: Value | None, path: Path) -> str:
    """The text without the entry at a path, not verified; `root` is its tree."""
    pairs = follow(root, path)
    if not path or len(pairs) < len(path):
        raise EditError(f"there is no entry {'.'.join(path)!r} to delete")
    parent = holder(root, pairs)
    return _cut_from_flow(text, parent, pairs[-1]) if parent.flow else _cut_lines(text, pairs[-1])


def rekey(text: str, root: Value | None, path: Path, name: str) -> str:
    """The text with the last key of a path changed to `name`, not verified; `root` is its tree."""
    pairs = follow(root, path)
    if not path or len(pairs) < len(path):
        raise EditError(f"there is no entry {'.'.join(path)!r} to rename")
    span = pairs[-1].key.span
    written = emit.scalar(name) if holder(root, pairs).flow else emit.key(name)
    return text[: span.start] + written + text[span.end :]


def follow(node: Value | None, path: Path) -> list[Pair]:
    """The pairs along a path, as far as they exist."""
    pairs: list[Pair] = []
    for step in path:
        pair = node.find(step) if isinstance(node, MarkedMap) else None
        if pair is None:
            break
        pairs.append(pair)
        node = pair.value
    return pairs


def holder(root: Value | None, pairs: Sequence[Pair]) -> MarkedMap:
    """The mapping that holds the last of some pairs."""
    held = pairs[-2].value if len(pairs) > 1 else root
    if not isinstance(held, MarkedMap):
        raise EditError("the file is not a mapping, so a program cannot edit it")
    return held


def verified(text: str, expected: Data) -> str:
    """The text, when it means what it should; EditError otherwise."""
    document = parse("the edited file", text)
    # A block mapping without entries is nothing at all; nothing and {} mean the same in every file.
    if document.problems or _settled(plain(document.root)) != _settled(expected):
        raise EditError(
            "the edit would change more than it should; nothing was written",
            hint="make this edit by hand, or write the entry in a simpler way",
        )
    return text


def with_value(data: Data, path: Path, value: Writable) -> Data:
    """What a file means once the value at a path is set."""
    if not path:
        return as_read(value)
    held = data if isinstance(data, dict) else {}
    return {**held, path[0]: with_value(held.get(path[0]), path[1:], value)}


def without_value(data: Data, path: Path) -> Data:
    """What a file means once the entry at a path is gone."""
    if not isinstance(data, dict):
        return data
    if len(path) == 1:
        return {name: each for name, each in data.items() if name != path[0]}
    return {**data, path[0]: without_value(data[path[0]], path[1:])}


def as_read(value: Writable) -> Data:
    """What the parser makes of a value: text, except for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {name: as_read(each) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [as_read(each) for each in value]
    return emit.flow(value)


def pair_end(pair: Pair) -> int:
    """The offset behind a pair; what is left of its last line does not belong to it."""
    return max(pair.key.span.end, pair.value.span.end)


def line_start(text: str, offset: int) -> int:
    """The offset of the line that holds an offset."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """The offset of the next line."""
    # A block scalar ends behind its line already.
    if offset and text[offset - 1] == "\n":
        return offset
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def newline_of(text: str) -> str:
    """How the lines of a text end."""
    return "\r\n" if "\r\n" in text else "\n"


def with_line_end(text: str) -> str:
    """The text, its last line ended too."""
    return text if not text or text.endswith("\n") else text + newline_of(text)


def _settled(data: Data) -> Data:
    if isinstance(data, dict):
        return {name: _settled(each) for name, each in data.items()} or None
    return [_settled(each) for each in data] if isinstance(data, list) else data


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
        return f"{text[: old.span.start]}{written}{newline_of(text)}{text[old.span.end :]}"
    if isinstance(old, Scalar) or old.flow:
        return text[: old.span.start] + written + text[old.span.end :]
    # A block collection: its lines go, and the key's own line, with its comment, gets the value.
    colon = text.index(":", pair.key.span.end) + 1
    first, last = line_start(text, old.span.start), line_end(text, old.span.end)
    return f"{text[:colon]} {written}{text[colon:first]}{text[last:]}"


def _added(text: str, root: Value | None, pairs: Sequence[Pair], value: Writable, name: str) -> str:
    parent = pairs[-1].value if pairs else root
    if parent is None:
        newline = newline_of(text)
        return with_line_end(text) + f"{emit.key(name)}:{_hanging(value, 2, newline)}{newline}"
    if isinstance(parent, MarkedMap) and parent.flow:
        return added_to_flow(text, parent, emit.flow_pair(name, value))
    if isinstance(parent, MarkedMap):
        return _added_to_block(text, parent, emit.pair(name, value))
    if isinstance(parent, Scalar) and parent.text is None and pairs:
        return _added_to_nothing(text, pairs[-1], {name: value}, in_flow=holder(root, pairs).flow)
    raise EditError(
        f"{(pairs[-1].key.text if pairs else 'the file')!r} is not a mapping, so it cannot hold {name!r}"
    )


def added_to_flow(text: str, parent: MarkedMap, entries: str) -> str:
    """The text with entries, as text, behind those of a flow mapping."""
    if not parent.pairs:
        return f"{text[: parent.span.start]}{{{entries}}}{text[parent.span.end :]}"
    end = pair_end(parent.pairs[-1])
    return f"{text[:end]}, {entries}{text[end:]}"


def _added_to_block(text: str, parent: MarkedMap, entry: str) -> str:
    indent = " " * (parent.pairs[0].key.span.column - 1)
    end = line_end(text, pair_end(parent.pairs[-1]))
    return f"{with_line_end(text[:end])}{indent}{entry}{newline_of(text)}{text[end:]}"


def _added_to_nothing(text: str, parent: Pair, value: Mapping[str, Writable], *, in_flow: bool) -> str:
    key, old = parent.key, parent.value
    is_written = old.span.end > old.span.start
    if is_written or in_flow:
        return f"{text[: old.span.start]}{'' if is_written else ' '}{emit.flow(value)}{text[old.span.end :]}"
    newline = newline_of(text)
    end = line_end(text, old.span.end)
    entry = _hanging(value, key.span.column + 1, newline).removeprefix(newline)
    return f"{with_line_end(text[:end])}{entry}{newline}{text[end:]}"


def _hanging(value: Writable, indent: int, newline: str) -> str:
    """A value behind a colon: a mapping's entries on lines of their own, anything else on the same line."""
    if not isinstance(value, Mapping) or not value:
        return f" {emit.flow(value)}"
    return "".join(f"{newline}{' ' * indent}{emit.pair(name, each)}" for name, each in value.items())


def _cut_lines(text: str, pair: Pair) -> str:
    return text[: line_start(text, pair.key.span.start)] + text[line_end(text, pair_end(pair)) :]


def _cut_from_flow(text: str, parent: MarkedMap, pair: Pair) -> str:
    index = parent.pairs.index(pair)
    if index + 1 < len(parent.pairs):
        return text[: pair.key.span.start] + text[parent.pairs[index + 1].key.span.start :]
    start = pair_end(parent.pairs[index - 1]) if index else pair.key.span.start
    return text[:start] + text[pair_end(pair) :]

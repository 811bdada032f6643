"""Many edits of one file at once, each as small as its entry: the whole file is parsed twice, not once per edit.

Edits are made in their order on the lines of their entry alone, which are a small YAML document of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from provisioner.config import emit
from provisioner.config.edits import Draft, Edit, Paste, Put
from provisioner.config.emit import Writable
from provisioner.config.excerpt import commented_start, indented
from provisioner.config.marked import Data, MarkedMap, Pair, Value, plain
from provisioner.config.splice import (
    EditError,
    added_to_flow,
    as_read,
    follow,
    line_end,
    newline_of,
    pair_end,
    tree,
    verified,
    with_line_end,
    with_value,
)

_LONE_CR = re.compile(r"\r(?!\n)")

OfEntry = Mapping[str, Sequence[Edit]]


def edited_file(text: str | None, section: str, edits: Sequence[Edit], file: str) -> str | None:
    """What `edit_many` makes of a file; None stands for no file, also afterwards where nothing would be left."""
    edited = edit_many(text or "", section, edits, file)
    return None if edited.split() in ([f"{section}:"], [f"{section}:", "{}"]) else edited


def edit_many(text: str, section: str, edits: Sequence[Edit], file: str = "the file") -> str:
    """The text with all edits made, each in the section that its path starts with, which is the same for all.

    Raises ConfigError, which names `file`, when the text is not clean YAML, EditError when it cannot be edited.
    """
    if _LONE_CR.search(text):
        hint = "end them with LF, or with CR and LF, in an editor first"
        raise EditError(f"{file} has lines that end with CR alone, which a program cannot edit", hint=hint)
    root = tree(text, file)
    text, root = _with_room(text, root, section, file)
    of_entry: dict[str, list[Edit]] = {}
    for edit in edits:
        of_entry.setdefault(edit.path[1], []).append(edit)
    held = follow(root, (section,))
    body = held[0].value if held else None
    if isinstance(body, MarkedMap) and not body.flow:
        return _in_block(text, root, held[0], of_entry)
    return _in_flow(text, root, section, of_entry)


def _with_room(text: str, root: Value | None, section: str, file: str) -> tuple[str, Value | None]:
    """The text without the `{}` of an empty section, so that new entries get lines of their own.

    Comments inside the braces, and before them, stay.
    """
    held = follow(root, (section,))
    body = held[0].value if held else None
    if not isinstance(body, MarkedMap) or body.pairs or not isinstance(root, MarkedMap) or root.flow:
        return text, root
    colon = text.index(":", held[0].key.span.end) + 1
    inside = text[colon : body.span.start] + text[body.span.start + 1 : body.span.end - 1]
    gap = "" if inside.lstrip(" ").startswith(("\n", "\r")) else " "
    comments = f"{gap}{inside.strip(' ')}".rstrip() if "#" in inside else ""
    emptied = text[:colon] + comments + text[body.span.end :]
    return emptied, tree(emptied, file)


def _in_block(text: str, root: Value | None, section: Pair, of_entry: OfEntry) -> str:
    body = cast("MarkedMap", section.value)
    written = cast("dict[str, Data]", plain(body))
    meant = {key: value for key, value in written.items() if key not in of_entry}
    pieces: list[str] = []
    end = 0
    for start, stop, key in _stretches(text, section, body, of_entry):
        draft: Draft = text[start:stop], {key: written[key]}
        for edit in of_entry[key]:
            draft = edit.made(draft, above=1)
        pieces += [text[end:start], draft[0]]
        meant.update(cast("dict[str, Data]", draft[1]))
        end = stop
    last = line_end(text, pair_end(body.pairs[-1]))
    pieces.append(text[end:last])
    indent = " " * (body.pairs[0].key.span.column - 1)
    new = {key: edits for key, edits in of_entry.items() if key not in written}
    pieces += [_new(key, edits, indent, newline_of(text)) for key, edits in new.items()]
    meant.update({key: as_read(_value(key, edits)) for key, edits in new.items()})
    edited = "".join(with_line_end(piece) for piece in pieces) if new else "".join(pieces)
    whole = cast("dict[str, Data]", plain(root))
    return verified(edited + text[last:], {**whole, section.key.text or "": cast("Data", meant)})


def _stretches(text: str, section: Pair, body: MarkedMap, wanted: OfEntry) -> Iterator[tuple[int, int, str]]:
    """Start, end and key of the entries with edits: their lines and the comments above."""
    before = line_end(text, section.key.span.end)
    for pair in body.pairs:
        end = line_end(text, pair_end(pair))
        if pair.key.text in wanted:
            yield commented_start(text, before, pair), end, pair.key.text or ""
        before = end


def _new(key: str, edits: Sequence[Edit], indent: str, newline: str) -> str:
    if isinstance(edits[0], Paste):
        return indented(edits[0].text, indent, newline)
    return emit.entry(key, _value(key, edits), indent, newline)


def _value(key: str, edits: Sequence[Edit]) -> Writable:
    """What a new entry says: it is put or pasted as a whole, once."""
    only = edits[0]
    if len(edits) > 1 or not isinstance(only, Put | Paste) or len(only.path) > 2:
        raise EditError(f"there is no entry {key!r} to change")
    return only.value


def _in_flow(text: str, root: Value | None, section: str, of_entry: OfEntry) -> str:
    """A section in braces, or none yet: edits one by one, new entries all together."""
    draft: Draft = text, plain(root)
    there = [key for key in of_entry if len(follow(root, (section, key))) == 2]
    for edit in (edit for key in there for edit in of_entry[key]):
        draft = edit.made(draft)
    text = verified(*draft)
    new = {key: edits for key, edits in of_entry.items() if key not in there}
    return _added(text, section, new) if new else text


def _added(text: str, section: str, new: OfEntry) -> str:
    root = tree(text)
    held = follow(root, (section,))
    body = held[0].value if held else None
    if isinstance(body, MarkedMap) and body.flow:
        values = {key: _value(key, edits) for key, edits in new.items()}
        meant = {**cast("dict[str, Data]", plain(body)), **cast("dict[str, Data]", as_read(values))}
        entries = ", ".join(emit.flow_pair(key, value) for key, value in values.items())
        return verified(added_to_flow(text, body, entries), with_value(plain(root), (section,), meant))
    # One entry makes the section a block, which takes all of them as lines.
    first = (section, next(iter(new)))
    started = Put(first, {}).made((text, plain(root)))
    lines = Paste(first, _new(first[1], new[first[1]], "", "\n"))
    rest = [edit for key, edits in new.items() if key != first[1] for edit in edits]
    return edit_many(verified(*started), section, [lines, *rest])

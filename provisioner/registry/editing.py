"""Entries in an editor: as one document, `FILE:` over the entries of each file, and back into the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from provisioner.config import emit
from provisioner.config.decode import Decoded, Entry, decode_groups, decode_nodes
from provisioner.config.edits import Drop, Edit, Paste
from provisioner.config.excerpt import excerpts, indented
from provisioner.config.marked import Document, MarkedMap, Pair, Scalar, parse, plain
from provisioner.errors import ConfigError, ConflictError, NotFoundError, Problem
from provisioner.registry.export import Texts as Written
from provisioner.registry.manuscript import Manuscript, Texts, View, edited_texts, folded_names
from provisioner.registry.merge import merge

_LABEL = "the edited text"
_FOLDERS = {"nodes": "nodes.d", "groups": "groups.d"}

Pieces = dict[str, dict[str, str]]
"""The texts of entries, by file and key."""


def entries_text(view: View, names: Iterable[str]) -> str:
    """The entries of these nodes alone, with their comments; entries that they share with others are named only.

    Nodes without entries of their own get an empty one. Raises NotFoundError for nodes that do not exist.
    """
    wanted = frozenset(names)
    entries = view.entries_of(wanted)
    missing = wanted.difference(*(entry.names for entry in entries))
    if missing or not wanted:
        raise NotFoundError(f"there is no node {folded_names(sorted(missing))}", hint="prov node list")
    pieces = _own(view, entries, wanted)
    bare = wanted.difference(*(entry.names for entry in entries if wanted.issuperset(entry.names)))
    if bare:
        key = folded_names(sorted(bare))
        pieces.setdefault(entries[-1].file, {})[key] = emit.entry(key, {})
    shared = [entry for entry in entries if not wanted.issuperset(entry.names)]
    notes = [f"#   {entry.file}:{entry.key.span.line}  {entry.key.text}" for entry in shared]
    about = ["# Shared with other nodes, and not changed here:", *notes] if notes else []
    return "".join(f"{line}\n" for line in about) + _document(pieces)


def group_entries_text(view: View, names: Iterable[str]) -> str:
    """These groups as they are written, with their comments; NotFoundError when one does not exist."""
    return _document(_groups(view, names))


class OvertakenError(ConflictError):
    """Somebody else changed an entry while it was edited, in the same place."""


def with_edited_entries(view: View, names: Iterable[str], text: str, shown: str | None = None) -> Texts:
    """The files with the document that `entries_text` gave, edited: entries changed, removed and added.

    `shown` is that document as it was before, where the files may be others by now: what was changed in them since
    stays. Raises ConfigError with every mistake in the text, by its line, ConflictError for a new entry whose key
    its file has already, and OvertakenError where both changed the same.
    """
    wanted = frozenset(names)
    entries = view.entries_of(wanted)
    now = _as_shown(_own(view, entries, wanted))
    after = _read("nodes", text, decode_nodes)
    if shown is not None:
        gone = wanted.difference(*(entry.names for entry in entries))
        after = _merged(_pieces(shown), after, now, is_there=not gone)
    return _put_back(view, "nodes", now, after)


def with_edited_group_entries(view: View, names: Iterable[str], text: str, shown: str | None = None) -> Texts:
    """The same for what `group_entries_text` gave."""
    now = _as_shown(_groups(view, names if shown is None else [name for name in names if name in view.groups]))
    after = _read("groups", text, decode_groups)
    if shown is not None:
        after = _merged(_pieces(shown), after, now, is_there=False)
    return _put_back(view, "groups", now, after)


def _merged(shown: Pieces, edited: Pieces, now: Pieces, *, is_there: bool) -> Pieces:
    """What entries shall be after an edit of texts that may be no longer what was shown.

    A node without entries of its own is shown with an empty one, which `is_there` as little as it was.
    """
    merged: Pieces = {}
    for file in dict.fromkeys((*edited, *now, *shown)):
        base, ours, theirs = (each.get(file, {}) for each in (shown, edited, now))
        for key in dict.fromkeys((*ours, *theirs, *base)):
            before = base.get(key)
            if is_there and key not in theirs and before is not None and _is_empty("nodes", key, before):
                before = None
            piece = _settled((file, key), before, ours.get(key), theirs.get(key))
            if piece is not None:
                merged.setdefault(file, {})[key] = piece
    return merged


def _settled(place: tuple[str, str], base: str | None, ours: str | None, theirs: str | None) -> str | None:
    """One entry with both changes; None where it is no more. OvertakenError where they meet."""
    if ours in {base, theirs}:
        return theirs
    if theirs == base:
        return ours
    both = merge(base, ours, theirs) if base and ours and theirs else None
    if both is None:
        file, key = place
        what = "removed" if theirs is None else "added" if base is None else "changed"
        message = f"{file}: the entry {key} was {what} by somebody else while it was edited; nothing is written"
        raise OvertakenError(message, hint=f"see prov history --file {file}, and edit it again")
    return both


def _own(view: View, entries: Sequence[Entry[Any]], wanted: frozenset[str]) -> Pieces:
    texts = Written(view, "nodes")
    pieces: Pieces = {}
    for entry in entries:
        if wanted.issuperset(entry.names):
            pieces.setdefault(entry.file, {})[entry.key.text or ""] = texts.of(entry).text
    return pieces


def _groups(view: View, names: Iterable[str]) -> Pieces:
    texts = Written(view, "groups")
    pieces: Pieces = {}
    for name in dict.fromkeys(names):
        entry = view.groups.get(name)
        if entry is None:
            raise NotFoundError(f"there is no group {name}", hint="prov group list")
        pieces.setdefault(entry.file, {})[name] = texts.of(entry).text
    return pieces


def _document(pieces: Pieces) -> str:
    parts = []
    for file, entries in pieces.items():
        parts.append(f"{emit.key(file)}:\n")
        parts += [indented(text, "  ", "\n") for text in entries.values()]
    return "".join(parts)


def _put_back(view: View, section: str, before: Pieces, after: Pieces) -> Texts:
    manuscript = Manuscript(view, section)
    edits: dict[str, list[Edit]] = {}
    for file, entries in before.items():
        gone = [key for key in entries if key not in after.get(file, {})]
        edits[file] = [Drop((section, key), commented=True) for key in gone]
    for file, entries in after.items():
        written = before.get(file, {})
        for key, piece in entries.items():
            if key not in written and key in manuscript.keys_of(file):
                message = f"{file} has an entry {key} already, which was not opened"
                raise ConflictError(message, hint=f"edit {key} instead")
            if written.get(key) != piece and not (key not in written and _is_empty(section, key, piece)):
                edits.setdefault(file, []).append(Paste((section, key), piece))
    return edited_texts(view, section, {file: some for file, some in edits.items() if some})


def _is_empty(section: str, key: str, piece: str) -> bool:
    """Whether a new entry is only the empty one that a node without entries of its own was shown with."""
    data = plain(parse("entry", piece).root)
    return section == "nodes" and data in ({key: {}}, {key: None}) and "#" not in piece


def _read(section: str, text: str, decode: Callable[[Document], Decoded[Any]]) -> Pieces:
    document = parse(_LABEL, text)
    problems = list(document.problems)
    root = document.root
    if root is not None and not isinstance(root, MarkedMap):
        problems.append(Problem(_LABEL, 1, 1, "expected `FILE:` over entries", "leave the names of the files"))
    for pair in root.pairs if isinstance(root, MarkedMap) else ():
        problems += _misplaced(section, pair)
        header = Scalar(section, plain=True, span=pair.key.span)
        body = MarkedMap((Pair(header, pair.value),), flow=False, span=pair.key.span)
        problems += decode(Document(_LABEL, body, ())).problems
    if problems:
        raise ConfigError(problems)
    return _pieces(text)


def _as_shown(pieces: Pieces) -> Pieces:
    """The same with the ends of lines that an editor gets."""
    return _pieces(_document(pieces))


def _pieces(text: str) -> Pieces:
    root = parse(_LABEL, text).root
    pairs = root.pairs if isinstance(root, MarkedMap) else ()
    return {pair.key.text or "": {key: each.text for key, each in excerpts(text, pair).items()} for pair in pairs}


def _misplaced(section: str, pair: Pair) -> Iterable[Problem]:
    file = PurePosixPath(pair.key.text or "")
    is_fine = (
        file.parts[:1] == (_FOLDERS[section],) and file.suffix in {".yaml", ".yml"} and ".." not in file.parts
    )
    if not is_fine or len(file.parts) < 2 or file.name.startswith("."):
        message = f"{pair.key.text!r} is no file for {section}"
        yield Problem(
            _LABEL, pair.key.span.line, pair.key.span.column, message, f"{_FOLDERS[section]}/NAME.yaml is one"
        )

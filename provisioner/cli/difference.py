"""How the difference that a change makes is printed: one block for all nodes that get the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from provisioner.cli.output import cell, printable, say
from provisioner.operations.difference import Difference, FieldChange, Kind, Spread

_VERBS = {Kind.NEW: "add", Kind.CHANGED: "change", Kind.RENAMED: "rename", Kind.DELETED: "delete"}


def write_differences(found: Sequence[Difference], files: Collection[str]) -> None:
    """Print what a change does, and where only the text of files becomes another one, these."""
    if not found:
        say(f"no value changes; written anew: {' '.join(sorted(files))}")
    for each in found:
        say(_title(each))
        paths = [printable(field.path) for field in each.changes]
        width = max(map(len, paths), default=0)
        for path, field in zip(paths, each.changes, strict=True):
            say(f"  {path.ljust(width)}  {_shown(field, is_new=each.kind is Kind.NEW)}".rstrip())


def question(found: Sequence[Difference], files: Collection[str]) -> str:
    """What to ask before it is done: `Delete 4 nodes?`, `Add 1 node and change 2 groups?`."""
    counts: dict[tuple[str, str], int] = {}
    for each in found:
        key = _VERBS[each.kind], each.what
        counts[key] = counts.get(key, 0) + len(each.names)
    if not counts:
        return f"Write {counted(len(files), 'file')}?"
    parts = [
        f"{verb} provisioner.yaml" if what == "site" else f"{verb} {counted(number, what)}"
        for (verb, what), number in counts.items()
    ]
    return f"{' and '.join(parts)}?".capitalize()


def counted(number: int, what: str) -> str:
    """`1 node`, `4 nodes`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _title(each: Difference) -> str:
    old = f"{each.old_folded} -> " if each.old else ""
    if each.what == "node":
        return f"{_VERBS[each.kind]} {old}{each.folded} ({counted(len(each.names), 'node')})"
    kind = "" if each.what == "site" else f"{each.what} "
    return f"{_VERBS[each.kind]} {kind}{each.folded}"


def _shown(field: FieldChange, *, is_new: bool) -> str:
    before, after = field.before, field.after
    if is_new:
        return _spread(after)
    items = [*(f"+{cell(each)}" for each in field.added), *(f"-{cell(each)}" for each in field.removed)]
    return " ".join(items) or f"{_spread(before)} -> {_spread(after)}"


def _spread(values: Spread) -> str:
    if values.count == 1:
        return cell(values.first)
    several = f" ({values.count} values)" if values.count > 2 else ""
    return f"{cell(values.first)} .. {cell(values.last)}{several}"

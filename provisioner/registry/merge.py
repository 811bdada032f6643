"""Texts compared and merged by lines: what a change was, and how to take it back under later ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from itertools import pairwise
from typing import NamedTuple

# difflib takes quadratic time. Where more lines than this differ in one stretch, the stretch is one difference.
_LONGEST = 3000


class Hunk(NamedTuple):
    """Lines or entries `start` to `end` of a text (from 0, `end` not included) and what stands in their place."""

    start: int
    end: int
    lines: tuple[str, ...]


def merge(base: str, ours: str, theirs: str) -> str | None:
    """`base` with both changes, by entries; None where both change the same entry, or add some in one place.

    An entry is a line with the lines below it that are indented deeper, from the second level on: what is added
    beside an entry that goes away can thus never become a part of another one. What both change alike
    is taken once.
    """
    level = _level(base, ours, theirs)
    entries = _entries(base, level)
    hunks = sorted({*_hunks(entries, _entries(ours, level)), *_hunks(entries, _entries(theirs, level))})
    if any(_meet(first, second) for first, second in pairwise(hunks)):
        return None
    result, position = [], 0
    for hunk in hunks:
        result += [*entries[position : hunk.start], *hunk.lines]
        position = hunk.end
    return "".join([*result, *entries[position:]])


def counts(before: str, after: str) -> tuple[int, int]:
    """How many lines a change added and removed."""
    hunks = list(_hunks(_lines(before), _lines(after)))
    return sum(len(hunk.lines) for hunk in hunks), sum(hunk.end - hunk.start for hunk in hunks)


def unified(path: str, before: str | None, after: str | None) -> str:
    """The change of a file as `diff -u` prints it, with the names that `git apply` and `patch -p1` take."""
    old, new = "/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}"
    lines = unified_diff(_lines(before or ""), _lines(after or ""), old, new)
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "".join(ended)


def _meet(first: Hunk, second: Hunk) -> bool:
    # Of two additions in one place nobody knows which comes first.
    both_add = first.start == first.end and second.start == second.end
    return second.start < first.end or (both_add and first.start == second.start)


def _level(*texts: str) -> int:
    """The depth of the outermost indented lines."""
    return min((depth for text in texts for line in _lines(text) if (depth := _depth(line))), default=1)


def _depth(line: str) -> int:
    # An empty line belongs to nobody, and stands for itself.
    bare = line.strip()
    return len(line) - len(line.lstrip(" ")) if bare and not bare.startswith("#") else 0


def _entries(text: str, level: int) -> list[str]:
    entries: list[str] = []
    for line in _lines(text):
        if entries and _depth(line) > level:
            entries[-1] += line
        else:
            entries.append(line)
    return entries


def _lines(text: str) -> list[str]:
    # Not str.splitlines: a form feed inside a comment ends no line of a file.
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[Hunk]:
    """The differences, in order. What is alike at both ends, nearly always nearly all, is set aside first."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle, other = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle), len(other)) > _LONGEST:
        yield Hunk(head, head + len(middle), tuple(other))
        return
    for tag, start, end, first, last in SequenceMatcher(None, middle, other, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Hunk(head + start, head + end, tuple(other[first:last]))

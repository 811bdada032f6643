"""Entries of a file as pieces of text: their lines with the comments above, free of where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config import emit
from provisioner.config.emit import Bare, Writable
from provisioner.config.marked import MarkedList, MarkedMap, Pair, Scalar, Value, parse, plain, typed
from provisioner.config.splice import line_end, line_start, pair_end


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One entry: its key, its lines from column 1 on, which all end, and the line that its key stands in."""

    key: str
    text: str
    line: int


def excerpts(text: str, section: Pair) -> dict[str, Excerpt]:
    """The entries of a section of a text, by key, in their order."""
    body = section.value
    found: dict[str, Excerpt] = {}
    before = line_end(text, section.key.span.end)
    for pair in body.pairs if isinstance(body, MarkedMap) else ():
        lines = None if _in_flow(body) else _lines(text, before, pair)
        key = pair.key.text or ""
        found[key] = Excerpt(key, lines or emit.entry(key, writable(pair.value)), pair.key.span.line)
        before = line_end(text, pair_end(pair))
    return found


def indented(text: str, indent: str, newline: str) -> str:
    """The lines of an excerpt, moved to the right."""
    # Spaces alone may be a line of a text, so they move too. YAML knows no other line ends than these.
    lines = (line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))
    return "".join(f"{indent}{line}{newline}" if line else newline for line in lines)


def writable(value: Value) -> Writable:
    """The data of a tree, which reads the same again when it is written: numbers stay numbers, texts texts."""
    if isinstance(value, Scalar):
        is_text = value.text is None or isinstance(typed(value), str)
        return value.text if is_text else Bare(value.text)
    if isinstance(value, MarkedList):
        return [writable(item) for item in value.items]
    return {pair.key.text or "": writable(pair.value) for pair in value.pairs}


def commented_start(text: str, earliest: int, pair: Pair) -> int:
    """Where the comment lines begin that stand directly above a pair, as far to the right as it."""
    start = line_start(text, pair.key.span.start)
    indent = " " * (pair.key.span.column - 1)
    while start > earliest:
        above = line_start(text, start - 1)
        if not text.startswith(f"{indent}#", above):
            break
        start = above
    return max(start, earliest)


def holds_comment(text: str, pair: Pair, *, in_flow: bool) -> bool:
    """Whether there may be a comment in the text of a pair, or above it where it has lines of its own."""
    if in_flow:
        return "#" in text[pair.key.span.start : pair_end(pair)]
    return "#" in text[commented_start(text, 0, pair) : line_end(text, pair_end(pair))]


def _in_flow(body: Value) -> bool:
    return not isinstance(body, Scalar) and body.flow


def _lines(text: str, before: int, pair: Pair) -> str | None:
    """The lines of a pair without their indentation; None where they do not mean the same without it."""
    start, end = commented_start(text, before, pair), line_end(text, pair_end(pair))
    indent = " " * (pair.key.span.column - 1)
    lines = [line.removeprefix(indent) for line in text[start:end].replace("\r\n", "\n").split("\n")]
    moved = "\n".join(lines).rstrip("\n") + "\n"
    document = parse("entry", moved)
    same = not document.problems and plain(document.root) == {pair.key.text: plain(pair.value)}
    return moved if same else None

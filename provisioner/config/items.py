"""Splices of single items of YAML lists, so that the comments of the other items stay. Not verified here."""

from __future__ import annotations

from provisioner.config import emit
from provisioner.config.emit import Writable
from provisioner.config.marked import MarkedList, Value
from provisioner.config.splice import line_end, line_start, newline_of, with_line_end


def append_item(text: str, held: MarkedList, item: Writable) -> str:
    """The text with an item behind the last one of a list."""
    written = emit.flow(item)
    if not held.items:
        return f"{text[: held.span.start]}[{written}]{text[held.span.end :]}"
    last = held.items[-1].span
    if held.flow:
        return f"{text[: last.end]}, {written}{text[last.end :]}"
    indent = text[line_start(text, last.start) : _dash(text, held.items[-1])]
    end = line_end(text, last.end)
    return f"{with_line_end(text[:end])}{indent}- {written}{newline_of(text)}{text[end:]}"


def remove_item(text: str, held: MarkedList, index: int) -> str:
    """The text without one item of a list that has others."""
    span = held.items[index].span
    if not held.flow:
        return text[: line_start(text, _dash(text, held.items[index]))] + text[line_end(text, span.end) :]
    if index + 1 < len(held.items):
        return text[: span.start] + text[held.items[index + 1].span.start :]
    start = held.items[index - 1].span.end if index else span.start
    return text[:start] + text[span.end :]


def replace_item(text: str, held: MarkedList, index: int, item: str) -> str:
    """The text with another text in the place of one item, which is a scalar."""
    span = held.items[index].span
    return text[: span.start] + emit.scalar(item) + text[span.end :]


def _dash(text: str, item: Value) -> int:
    return text.rindex("-", 0, item.span.start)

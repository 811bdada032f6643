"""Operands: a node set cut at its operators, its mistakes found and its sizes counted before one name is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from provisioner.model.pointed import PointedError, shown

LONGEST_NAME = 255
"""No operand has more characters outside its brackets; a host name has 63."""

_LONGEST_NUMBER = 18
_TOKEN = re.compile(r"\[[^\[\]]*\]|[,!&^\[\]]|[^,!&^\[\]]+")
_SUBRANGE = re.compile(r"\s*(?P<first>[0-9]+)(?:-(?P<last>[0-9]+)(?:/(?P<step>[0-9]+))?)?\s*")


class NodesetError(PointedError):
    """A text is no node set, or one that cannot be expanded here."""

    kind = "node set"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an operand: a bracket with everything in it, or what stands between brackets."""

    offset: int
    text: str

    @property
    def is_bracket(self) -> bool:
        """Whether it is a bracket such as `[1-4,7]`."""
        return self.text.startswith("[")


@dataclass(frozen=True, slots=True)
class Operand:
    """One name, range, wildcard or group, and the operator before it (`,` before the first).

    `source` is the whole node set, `at` the offset of the operator in it.
    """

    source: str
    operator: str
    at: int
    pieces: tuple[Piece, ...]

    @property
    def offset(self) -> int:
        """Where it starts in the node set."""
        return self.pieces[0].offset

    @property
    def text(self) -> str:
        """The operand as typed, without space around it."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def outline(self) -> str:
        """The text with a digit in the place of every character of a bracket, so that offsets stay."""
        return "".join("0" * len(piece.text) if piece.is_bracket else piece.text for piece in self.pieces)

    @property
    def has_brackets(self) -> bool:
        """Whether it stands for more than its own text."""
        return any(piece.is_bracket for piece in self.pieces)

    def error(self, reason: str, offset: int = 0) -> NodesetError:
        """An error at a place counted from the start of the operand."""
        return NodesetError(self.source, self.offset + offset, reason)

    def size(self) -> int:
        """How many texts the brackets stand for; NodesetError where one of them is wrong."""
        literal = sum(len(piece.text) for piece in self.pieces if not piece.is_bracket)
        if literal > LONGEST_NAME:
            raise self.error(f"a name of {literal} characters is too long")
        self._demand_clear_digits()
        return prod(_bracket_size(self.source, piece) for piece in self.pieces if piece.is_bracket)

    def _demand_clear_digits(self) -> None:
        last: Piece | None = None
        for before, piece in pairwise(self.pieces):
            if before.is_bracket:
                last = before
                if "/" in before.text and piece.text[0].isdigit():
                    step = before.offset + before.text.index("/")
                    raise NodesetError(self.source, step, "a range with a step cannot stand before digits")
            if piece.is_bracket:
                between = "" if before is last else before.text
                if last and not between.strip("0123456789"):
                    raise NodesetError(self.source, piece.offset, "two brackets need a letter or '-' between them")
                _demand_one_length(self.source, between, piece)


def operands(text: str) -> list[Operand]:
    """A node set cut at its operators; NodesetError when a bracket or an operand is missing."""
    found: list[Operand] = []
    pieces: list[Piece] = []
    operator, at = ",", -1
    for token in _TOKEN.finditer(text):
        if token.group() in {"[", "]"}:
            raise _unpaired(text, token.start(), pieces)
        if token.group() not in {",", "!", "&", "^"}:
            pieces.append(Piece(token.start(), token.group()))
            continue
        found.append(Operand(text, operator, at, _trimmed(pieces)))
        operator, at, pieces = token.group(), token.start(), []
    found.append(Operand(text, operator, at, _trimmed(pieces)))
    _demand_operands(text, found)
    return found


def _trimmed(pieces: list[Piece]) -> tuple[Piece, ...]:
    kept = list(pieces)
    if kept and not kept[0].is_bracket:
        bare = kept[0].text.lstrip()
        kept[0] = Piece(kept[0].offset + len(kept[0].text) - len(bare), bare)
    if kept and not kept[-1].is_bracket:
        kept[-1] = Piece(kept[-1].offset, kept[-1].text.rstrip())
    return tuple(piece for piece in kept if piece.text)


def _demand_operands(text: str, found: list[Operand]) -> None:
    if len(found) == 1 and not found[0].pieces:
        raise NodesetError(text, 0, "it is empty")
    if not found[0].pieces:
        raise NodesetError(text, found[1].at, f"nothing stands before {found[1].operator!r}")
    for each in found:
        if not each.pieces:
            raise NodesetError(text, each.at, f"nothing stands after {each.operator!r}")


def _unpaired(text: str, offset: int, before: list[Piece]) -> NodesetError:
    if text[offset] == "]":
        return NodesetError(text, offset, "illegal closing bracket")
    part = text[before[0].offset if before else offset :].strip()
    return NodesetError(text, offset, f'missing bracket: "{shown(part)[1:-1]}"')


def _demand_one_length(text: str, before: str, bracket: Piece) -> None:
    # ClusterShell 1.10 puts the digits before the ends of a range: n1[8-11] becomes n[18-111], 94 nodes and
    # not four. What two programs read differently is refused.
    if not before[-1:].isdecimal():
        return
    digits = before[len(before.rstrip("0123456789")) :]
    numbers = [match.group() for match in re.finditer(r"[0-9]+", re.sub(r"/[0-9]+", "", bracket.text))]
    if len({len(number) for number in numbers}) > 1:
        reason = f"numbers of different lengths cannot follow the digits {digits}; write them out in the bracket"
        raise NodesetError(text, bracket.offset, reason)


def _bracket_size(text: str, bracket: Piece) -> int:
    return sum(_subrange_size(text, part, bracket) for part in _subranges(bracket))


def _subranges(bracket: Piece) -> Iterator[Piece]:
    offset = bracket.offset + 1
    for part in bracket.text[1:-1].split(","):
        yield Piece(offset, part)
        offset += len(part) + 1


def _subrange_size(text: str, part: Piece, bracket: Piece) -> int:
    match = _SUBRANGE.match(part.text)
    if match is None or match.end() < len(part.text):
        # ClusterShell would read `1-3-9` as the numbers from -3 to 9.
        reason = f"{shown(bracket.text)} is not a list of numbers and ranges such as [001-004,010]"
        raise NodesetError(text, part.offset + (match.end() if match else 0), reason)
    for group in ("first", "last", "step"):
        if len(match[group] or "") > _LONGEST_NUMBER:
            reason = f"a number of more than {_LONGEST_NUMBER} digits"
            raise NodesetError(text, part.offset + match.start(group), reason)
    first, last, step = match["first"], match["last"] or match["first"], match["step"] or "1"
    mistake, group = _mistake(first, last, int(step))
    if mistake:
        raise NodesetError(text, part.offset + match.start(group), mistake.format(part.text.strip()))
    return (int(last) - int(first)) // int(step) + 1


def _mistake(first: str, last: str, step: int) -> tuple[str, str]:
    if len(first) != len(last) and (_padded(first) or _padded(last)):
        return "padding length mismatch in {}: both numbers need the same length", "last"
    if int(first) > int(last):
        return "invalid values in {}: the range ends before it starts", "last"
    return ("invalid values in {}: the step is 0", "step") if step == 0 else ("", "")


def _padded(number: str) -> bool:
    return len(number) > 1 and number.startswith("0")

"""Node sets, the dialect that admins type: `n[001-004,010]`, `r[1-2]n[1-8/2]`, `n[1-9]!n3`.

The grammar is ClusterShell's. This module guards it: groups (`@name`) and wildcards are refused, so that no
resolver, program or file is ever asked, and sizes are counted on the text before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

MOST_NAMES = 100_000
LONGEST_TEXT = 65_536

_LONGEST_NUMBER = 18
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_AROUND_OPERATOR = re.compile(r"\s*([,!&^])\s*")
_FOREIGN = re.compile(r"[^A-Za-z0-9.\-\[\],/!&^]")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+)(?:/([0-9]+))?)?")
_PART = re.compile(r"[,!&^](?![^\[]*\])")


def expand(text: str) -> tuple[str, ...]:
    """The names in a node set, sorted, each once.

    `,` joins, `!` takes away, `&` keeps what is in both and `^` what is in one of two, from left to right.
    Raises ValueError with the reason when the text is no node set, names nothing or more than `MOST_NAMES`
    nodes, or when a name in it is no host name.
    """
    if _HOST.fullmatch(text):
        return (text,)
    tidy = _AROUND_OPERATOR.sub(r"\1", text.strip())
    _refuse_foreign(tidy)
    _refuse_large(tidy)
    names = tuple(_parse(tidy))
    if not names:
        raise ValueError(f"the node set {_shown(text)} is empty")
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{_shown(name)} is not a host name: letters, digits and '-', at most 63")
    return names


def fold(names: Iterable[str]) -> str:
    """The shortest node set that names exactly these nodes, and nothing for no names."""
    return str(NodeSet.fromlist(list(names), resolver=RESOLVER_NOGROUP))


def _parse(text: str) -> NodeSet:
    try:
        return NodeSet(text, resolver=RESOLVER_NOGROUP)
    except NodeSetException as error:
        raise ValueError(f"{_shown(text)} is not a node set: {error}") from None


def _refuse_foreign(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the node set is {len(text)} characters long; at most {LONGEST_TEXT} are read")
    found = _FOREIGN.search(text)
    if found is None:
        return
    if found.group() == "@":
        raise ValueError(f"{_shown(text)} names a group with '@', which a node set does not know; list the nodes")
    raise ValueError(f"{_shown(text)} is not a node set: {found.group()!r} has no meaning in one")


def _refuse_large(text: str) -> None:
    # ClusterShell holds every number of a range in memory, so the count must come from the text alone. The sum
    # over all parts is an upper bound, whatever the operators between them do.
    total = 0
    for part in _PART.split(text):
        size = 1
        for brackets in _BRACKETS.findall(part):
            size *= _size(brackets)
        total += size
        if total > MOST_NAMES:
            raise ValueError(f"{_shown(text)} names more than {MOST_NAMES} nodes")


def _size(brackets: str) -> int:
    total = 0
    for piece in brackets.split(","):
        if any(len(digits) > _LONGEST_NUMBER for digits in re.findall(r"[0-9]+", piece)):
            raise ValueError(f"{_shown(f'[{brackets}]')} has a number of more than {_LONGEST_NUMBER} digits")
        match = _RANGE.fullmatch(piece.strip())
        if match is None:
            # ClusterShell would read `1-3-9` as the numbers from -3 to 9.
            raise ValueError(
                f"{_shown(f'[{brackets}]')} is not a list of numbers and ranges such as [001-004,010]"
            )
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        total += max(1, (last - first) // max(1, int(match.group(3) or 1)) + 1)
    return total


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

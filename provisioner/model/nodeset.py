"""Node sets, the dialect that admins type: `n[001-004,010]`, `r[1-2]n[1-8/2]`, `@compute!@rack:r1`, `n0*`.

The grammar is ClusterShell's. This module guards it: ClusterShell only ever sees one range at a time and no group,
so no resolver, program or file is asked for groups, and sizes are counted on the text before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from provisioner.model.operand import NodesetError, Operand, operands
from provisioner.model.pointed import shown

__all__ = ["LONGEST_TEXT", "MOST_NAMES", "Members", "NodesetError", "expand", "fold"]

MOST_NAMES = 100_000
LONGEST_TEXT = 65_536

Members = Callable[[str, str], Iterable[str]]
"""Says which nodes are in a group: asked for `("", "compute")` by `@compute`, for `("rack", "r1")` by `@rack:r1`
(the nodes whose tag `rack` is `r1`), for `("rack", "*")` by `@rack:*` and for `("", "*")`, every node, by `@*`,
`@all` and wildcards. Answers with names of nodes, or raises LookupError with the sentence for the person."""

_MOST_COMPARISONS = 2_000_000
_COMPARISONS_TO_COMPILE = 2_000
_MOST_AXES = 128
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_FOREIGN = re.compile(r"[^A-Za-z0-9.\-]")
_FOREIGN_TO_WILDCARD = re.compile(r"[^A-Za-z0-9.\-*?]")
# Other digits than 0-9 are left out because int() reads them, and ClusterShell would write them as these.
_FOREIGN_TO_GROUP = re.compile(r"[^\w.:+/~=@*-]|(?![0-9])\d|(?!^)@|(?<![@:])\*|\*(?!\Z)")
_LOOKED_UP = re.compile(r"[@*?]")
_DIGITS = re.compile(r"([0-9]+)")
_OPERATIONS = {
    ",": set[str].update,
    "!": set[str].difference_update,
    "&": set[str].intersection_update,
    "^": set[str].symmetric_difference_update,
}


def expand(text: str, members: Members | None = None) -> tuple[str, ...]:
    """The names in a node set, sorted as people count (n2 before n10), each once.

    `,` joins, `!` takes away, `&` keeps what is in both and `^` what is in one of two, from left to right.
    `members` answers for groups (`@compute`, `@rack:r[1-2]`) and wildcards (`n0*`), which are mistakes without
    it. Raises NodesetError, a ValueError, when the text is no node set, names nothing, an unknown group or
    more than `MOST_NAMES` nodes (a group counts with its size, whatever the operators do), or when a name in
    it is no host name.
    """
    if _HOST.fullmatch(text):
        return (text,)
    if len(text) > LONGEST_TEXT:
        reason = f"it is {len(text)} characters long; at most {LONGEST_TEXT} are read"
        raise NodesetError(text, LONGEST_TEXT, reason)
    return _Expansion(members).names(operands(text))


def fold(names: Iterable[str]) -> str:
    """The shortest node set that names exactly these nodes, and nothing for no names."""
    # Without axes of our own, those in a ClusterShell configuration of this machine would decide.
    folded = NodeSet(resolver=RESOLVER_NOGROUP, fold_axis=tuple(range(_MOST_AXES)))
    folded.updaten(list(names))
    return str(folded)


class _Expansion:
    """One text being expanded: what was asked so far, and how much more it may cost."""

    def __init__(self, members: Members | None) -> None:
        self._members = members
        self._known: dict[tuple[str, str], frozenset[str]] = {}
        self._names_left = MOST_NAMES
        self._comparisons_left = _MOST_COMPARISONS

    def names(self, parts: list[Operand]) -> tuple[str, ...]:
        # What the text alone can tell comes first: nothing is expanded or asked for a text that is wrong.
        for part in parts:
            self._spend(part, part.size())
            self._demand_known_characters(part)
        if len(parts) == 1 and _is_plain(parts[0]):
            return tuple(_hosts(parts[0]))
        chosen: set[str] = set()
        emptied = 0
        for part in parts:
            held_some = bool(chosen)
            _OPERATIONS[part.operator](chosen, self._names_of(part))
            if held_some and not chosen:
                emptied = part.at
        if not chosen:
            raise NodesetError(parts[0].source, emptied, "it is empty: no node is left")
        return tuple(sorted(chosen, key=_counting_order))

    def _spend(self, part: Operand, count: int) -> None:
        self._names_left -= count
        if self._names_left < 0:
            raise part.error(f"it names more than {MOST_NAMES} nodes")

    def _demand_known_characters(self, part: Operand) -> None:
        outline = part.outline
        if outline.startswith("@"):
            if self._members is None:
                raise part.error(f"{shown(part.text)} names a group, which is not known here; list the nodes")
            pattern, place = _FOREIGN_TO_GROUP, "the name of a group"
        elif self._members is None:
            pattern, place = _FOREIGN, "a node set"
        else:
            pattern, place = _FOREIGN_TO_WILDCARD, "a node set"
        found = pattern.search(outline)
        if found and found.group() in {"*", "?"} and self._members is None:
            raise part.error(f"{found.group()!r} has no meaning here, where no nodes are known", found.start())
        if found:
            raise part.error(f"{found.group()!r} has no meaning in {place}", found.start())

    def _names_of(self, part: Operand) -> Iterable[str]:
        if part.text.startswith("@"):
            return self._in_groups(part)
        return _hosts(part) if _is_plain(part) else self._matching(part)

    def _in_groups(self, part: Operand) -> set[str]:
        found: set[str] = set()
        for reference in _texts(part):
            nodes = self._group(part, reference[1:])
            # The reference was counted as one name already.
            self._spend(part, max(0, len(nodes) - 1))
            found |= nodes
        return found

    def _group(self, part: Operand, reference: str) -> frozenset[str]:
        source, colon, name = reference.partition(":")
        if not colon:
            source, name = "", "*" if source == "all" else source
        if not name or (colon and not source):
            raise part.error("the name of a group is missing", len(part.text) if source or not colon else 1)
        return self._asked(part, source, name)

    def _asked(self, part: Operand, source: str, name: str) -> frozenset[str]:
        found = self._known.get((source, name))
        if found is None and self._members:
            try:
                found = frozenset(self._members(source, name))
            except LookupError as error:
                raise part.error(str(error.args[0]) if error.args else f"there is no group {name}") from None
            self._known[source, name] = found
        return found or frozenset()

    def _matching(self, part: Operand) -> frozenset[str]:
        every = self._asked(part, "", "*")
        masks = _texts(part)
        self._comparisons_left -= len(masks) * max(len(every), _COMPARISONS_TO_COMPILE)
        if self._comparisons_left < 0:
            raise part.error("too many wildcards for so many nodes; name a smaller set")
        matches = re.compile("|".join(translate(mask) for mask in masks)).match
        found = frozenset(name for name in every if matches(name))
        self._spend(part, max(0, len(found) - len(masks)))
        return found


def _is_plain(part: Operand) -> bool:
    return not _LOOKED_UP.search(part.text)


def _hosts(part: Operand) -> list[str]:
    names = _texts(part)
    for name in names:
        if not _HOST.fullmatch(name):
            dot = part.outline.find(".")
            offset = dot if dot >= 0 else 0 if name.startswith("-") else len(part.text) - 1
            raise part.error(f"{shown(name)} is not a host name: letters, digits and '-', at most 63", offset)
    return names


def _texts(part: Operand) -> list[str]:
    """What the brackets of an operand stand for."""
    if not part.has_brackets:
        return [part.text]
    try:
        return list(NodeSet(part.text, resolver=RESOLVER_NOGROUP))
    except (NodeSetException, ValueError, AssertionError) as error:
        # An assertion is how ClusterShell refuses ranges of more than 10^9, whatever their step.
        raise part.error(str(error) or "it has no meaning", part.text.index("[")) from None


def _counting_order(name: str) -> tuple[str, list[tuple[int, str]]]:
    # ClusterShell's own order: by what is not a number, then number by number, the shorter one first.
    parts = _DIGITS.split(name)
    return "%s".join(parts[::2]), [(len(number), number) for number in parts[1::2]]

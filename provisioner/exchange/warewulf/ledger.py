"""The ledger of an import: every value of the source is carried over, or there is a remark about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from provisioner.config.marked import MarkedList, MarkedMap, Pair, Scalar, Span, Value
from provisioner.exchange.remark import Place, Remark
from provisioner.model.secret import HIDDEN

_SECRETS = frozenset({"password", "ipmi password"})
_LONGEST_VALUE = 60
_UNREAD = "nothing here stands for this field"


@dataclass
class Ledger:
    """What was carried and what was said about the rest, by place; `roots` are the parsed files by name."""

    roots: Mapping[str, Value]
    carried: set[Place] = field(default_factory=set)
    remarks: dict[tuple[Place, str], Remark] = field(default_factory=dict)
    notes: dict[tuple[Place, str], Remark] = field(default_factory=dict)
    _indexes: dict[int, dict[str, Pair]] = field(default_factory=dict, repr=False)

    def carry(self, place: Place) -> None:
        """Note that the value at a place, with all that is below it, is in the new site."""
        self.carried.add(place)

    def remark(self, place: Place, reason: str, advice: str = "") -> None:
        """Say something about the value at a place, and about all that is below it."""
        self.remarks.setdefault((place, reason), self._made(place, reason, advice))

    def note(self, place: Place, reason: str, advice: str = "") -> None:
        """Say something about an entry that settles nothing about the values below it."""
        self.notes.setdefault((place, reason), self._made(place, reason, advice))

    def report(self) -> tuple[Remark, ...]:
        """All remarks in the order of the files, one for every value that nobody has spoken of among them."""
        spoken = self.carried | {place for place, _ in self.remarks}
        for file, root in self.roots.items():
            for place in leaves(root, (file,)):
                if not any(place[:length] in spoken for length in range(1, len(place) + 1)):
                    self.remark(place, _UNREAD, "look whether a tag or an overlay of your own can say it")
        every = [*self.remarks.values(), *self.notes.values()]
        return tuple(sorted(every, key=lambda each: (each.file, each.line, each.column, each.reason)))

    def _made(self, place: Place, reason: str, advice: str) -> Remark:
        file = str(place[0])
        value, span = self._found(self.roots[file], place[1:])
        return Remark(file, span.line, span.column, place, _shown(value, place), reason, advice)

    def _found(self, value: Value, path: Place) -> tuple[Value | None, Span]:
        """The value at a path and where it stands: a text itself, the key of anything larger."""
        span = value.span
        for step in path:
            if isinstance(value, MarkedMap) and (pair := self._pair(value, str(step))):
                value, span = pair.value, pair.key.span
            elif isinstance(value, MarkedList) and isinstance(step, int) and step < len(value.items):
                value = value.items[step]
                span = value.span
            else:
                return None, span
        is_text = isinstance(value, Scalar) and value.text is not None
        return value, value.span if is_text else span

    def _pair(self, mapping: MarkedMap, key: str) -> Pair | None:
        # Thousands of nodes may have a remark each; looking through all of them each time would be slow.
        index = self._indexes.get(id(mapping))
        if index is None:
            index = self._indexes[id(mapping)] = {pair.key.text or "": pair for pair in mapping.pairs}
        return index.get(key)


def leaves(value: Value, place: Place) -> Iterator[Place]:
    """The place of every text in a tree. What is null or empty says nothing, so it is left out."""
    if isinstance(value, Scalar):
        if value.text is not None:
            yield place
    elif isinstance(value, MarkedList):
        for index, item in enumerate(value.items):
            yield from leaves(item, (*place, index))
    else:
        for pair in value.pairs:
            yield from leaves(pair.value, (*place, pair.key.text or ""))


def _shown(value: Value | None, place: Place) -> str:
    if not isinstance(value, Scalar) or value.text is None:
        return ""
    if place[-1] in _SECRETS:
        return HIDDEN
    text = "".join(character if character.isprintable() else "?" for character in value.text)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."

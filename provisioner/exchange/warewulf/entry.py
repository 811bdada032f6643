"""One profile or node of nodes.conf as values of our own model, each with its place in the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from provisioner.config.marked import MarkedList, MarkedMap, Scalar, Value, typed
from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.rule import LISTS, NET, RULES, Kind, Rule, Target, Trie
from provisioner.model.written import NodeEntry

NODE, PROFILE = "node", "profile"

# What older releases wrote for a value that was taken back.
_UNSET = frozenset({"UNDEF", "UNSET", "DELETE", "--", "unset"})
_BOOLEANS = {
    "true": True,
    "yes": True,
    "1": True,
    "on": True,
    "false": False,
    "no": False,
    "0": False,
    "off": False,
}
_SEPARATORS = {Kind.NAMES: r"[,\s]+", Kind.WORDS: r"\s+", Kind.OPTIONS: r"[,\s]+", Kind.ITEMS: r"(?!)"}
_LONGEST_NUMBER = 9
_KERNEL_FILE = re.compile(r"(?:/boot/)?vmlinu[zx]-")


class Removed:
    """The value of a field that takes away what profiles say."""


REMOVED = Removed()


@dataclass(frozen=True)
class Said:
    """One value: a text, number, boolean or resource, `REMOVED`, or a list that replaces or is appended.

    A list has one place for each of its items.
    """

    value: Any
    places: tuple[Place, ...]
    replaces: bool = False


Fields = dict[Target, Said]


@dataclass(frozen=True)
class Entry:
    """A profile or node: its name there, its name here, and what it says."""

    kind: str
    source: str
    name: str
    place: Place
    fields: Fields = field(default_factory=dict)


@dataclass
class EntryReader:
    """Reads entries. `legacy` files are those of releases before 4.6, in which a stronger list replaces."""

    ledger: Ledger
    legacy: bool

    def fields(self, kind: str, node: Value, place: Place) -> Fields:
        """Everything that an entry says; what cannot be said here becomes a remark."""
        found: Fields = {}
        for target, said in self._walk(node, RULES, place, ()):
            if kind == PROFILE and target in {("asset",), ("discoverable",)}:
                self.ledger.remark(
                    said.places[0], "only a node can have it", "set it for the nodes that it is about"
                )
            elif target in found:
                self.ledger.remark(said.places[0], "said twice in this entry; the newer spelling counts")
            else:
                found[target] = said
        return found

    def _walk(
        self, node: Value, rule: Rule | Trie, place: Place, names: tuple[str, ...]
    ) -> Iterator[tuple[Target, Said]]:
        if isinstance(rule, Rule):
            yield from self._taken(node, rule, place, names)
        elif isinstance(node, MarkedMap):
            order = list(rule)
            for pair in sorted(node.pairs, key=lambda each: _rank(order, each.key.text or "")):
                key = pair.key.text or ""
                below = (*place, key)
                if key in rule and key != "*":
                    yield from self._walk(pair.value, rule[key], below, names)
                elif "*" in rule:
                    yield from self._walk(pair.value, rule["*"], below, (*names, key))
                else:
                    self.ledger.remark(below, "Warewulf has no such field, or keeps it to itself")
        elif not (isinstance(node, Scalar) and node.text is None):
            self.ledger.remark(place, "expected a mapping here")

    def _taken(
        self, node: Value, rule: Rule, place: Place, names: tuple[str, ...]
    ) -> Iterator[tuple[Target, Said]]:
        if isinstance(node, Scalar) and node.text in {None, ""}:
            self.ledger.carry(place)
            return
        target = _filled(rule.target, names)
        if rule.kind is Kind.TREE:
            yield from self._tree(node, target, place)
        elif rule.kind in LISTS:
            # An empty list says nothing in any release, so it replaces nothing either.
            if (listed := self._list(node, rule.kind, target, place)).value:
                yield target, listed
        elif not isinstance(node, Scalar):
            self.ledger.remark(place, "expected one text here")
        elif (said := self._scalar(node.text or "", rule.kind, target, place)) is not None:
            yield target, said

    def _scalar(self, text: str, kind: Kind, target: Target, place: Place) -> Said | None:
        if text in _UNSET:
            return Said(REMOVED, (place,))
        value = _converted(text, kind)
        reason = "expected true or false" if value is None else _misfit(target, value)
        if reason:
            self.ledger.remark(place, reason, "say it by hand once the import is done")
            return None
        return Said(value, (place,))

    def _list(self, node: Value, kind: Kind, target: Target, place: Place) -> Said:
        """A list; its items that cannot be said are remarked and left out."""
        is_text = isinstance(node, Scalar)
        items: list[str] = []
        places: list[Place] = []
        for value, at in [(node, place)] if not isinstance(node, MarkedList) else _items(node, place):
            if not isinstance(value, Scalar):
                self.ledger.remark(at, "expected one text here")
                continue
            words = [word for word in re.split(_SEPARATORS[kind], (value.text or "").strip()) if word]
            if not words or _UNSET.intersection(words):
                self.ledger.carry(at)
            kept = [word for word in words if word not in _UNSET and self._fits(target, word, at)]
            items += kept
            places += [at] * len(kept)
        return Said(tuple(items), tuple(places), replaces=self.legacy or (is_text and target[0] != "groups"))

    def _fits(self, target: Target, word: str, place: Place) -> bool:
        if target == ("groups",) or target[0] == "overlays":
            return True  # profiles and overlays get names of ours later
        reason = _misfit(target, (word,))
        if reason:
            self.ledger.remark(place, reason, "say it by hand once the import is done")
        return not reason

    def _tree(self, node: Value, target: Target, place: Place) -> Iterator[tuple[Target, Said]]:
        """A resource: maps merge, so each of their keys is a value of its own."""
        if not isinstance(node, MarkedMap) or not node.pairs:
            yield target, Said(typed(node), (place,))
            return
        for pair in node.pairs:
            below = (*place, pair.key.text or "")
            if isinstance(pair.value, Scalar) and pair.value.text is None:
                continue
            yield from self._tree(pair.value, (*target, pair.key.text or ""), below)


def nested(fields: Mapping[Target, Any]) -> dict[str, Any]:
    """Values by path as nested mappings; what is `REMOVED` becomes a key `~NAME` with nothing behind it."""
    tree: dict[str, Any] = {}
    for path, value in fields.items():
        inner = tree
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        if value is REMOVED:
            inner[f"~{path[-1]}"] = None
        else:
            inner[path[-1]] = value
    return tree


def misfit(target: Target, value: Any) -> str:
    """Why a value cannot be at a path of a node; nothing when it can."""
    return _misfit(target, value)


def _rank(order: list[str], key: str) -> int:
    return order.index(key) if key in order else len(order)


def _items(node: MarkedList, place: Place) -> list[tuple[Value, Place]]:
    return [(item, (*place, index)) for index, item in enumerate(node.items)]


def _filled(target: Target, names: tuple[str, ...]) -> Target:
    left = iter(names)
    return tuple(next(left) if step == "*" else step for step in target)


def _converted(text: str, kind: Kind) -> Any:
    if kind is Kind.BOOLEAN:
        return _BOOLEANS.get(text.lower())
    if kind is Kind.MEBIBYTES:
        return f"{text}MiB" if text.isdecimal() else text
    if kind is Kind.KERNEL:
        return _KERNEL_FILE.sub("", text, count=1)
    if kind is Kind.NUMBER and text.isdecimal() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    if kind is Kind.LOWER:
        return text.lower()
    return text


# What a netname says, and the field of an interface that shows whether it is right.
_LIKE_INTERFACE = frozenset({"type", "mac", "ip", "ip6", "mtu", "gateway", "gateway6", "onboot", "tags"})
_UNCHECKED = frozenset({("ipxe",), ("root",), ("primary",), ("bmc", "netmask"), ("bmc", "template")})


@lru_cache(maxsize=65536)
def _misfit(target: Target, value: Any) -> str:
    if target in _UNCHECKED:
        return ""
    if target[0] == NET:
        if target[2] not in _LIKE_INTERFACE:
            return ""
        target = ("interfaces", "eth0", *target[2:])
    try:
        NodeEntry.model_validate(nested({target: value}))
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return ""

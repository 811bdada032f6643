"""What a change does to nodes and groups, field by field; nodes that get the same change stand together."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from provisioner.config.decode import Entry
from provisioner.model.nodeset import fold
from provisioner.model.secret import SECRET_PATHS, masked
from provisioner.model.written import Group, Site
from provisioner.operations.entry import values_of
from provisioner.operations.record import flat, nested
from provisioner.registry.published import Published
from provisioner.registry.resolve import DEFAULTS

# So many different changes of nodes are printed one by one; of more only the fields are told apart.
MOST_DISTINCT = 20

# What is another one on every node of a range.
_COUNTING = frozenset({"mac", "ip", "ip6", "infiniband_address", "uuid", "serial", "asset"})
_COUNTING_IN = frozenset({"interfaces", "bmc", "uuid", "serial", "asset"})
# What follows from other fields: of a new node nobody asks for it.
_FOLLOWING = frozenset({"domain", "primary"})
_DEFAULTS = {".".join(path): fact.value for path, fact in DEFAULTS.items()}
_DEVICE_DEFAULTS = {"type": "ethernet", "onboot": True, "driver": "ipmi"}
_DIGITS = re.compile(r"([0-9]+)")

Values = Mapping[str, Any]
Records = Mapping[str, Mapping[str, Any]]
Groups = Mapping[str, Entry[Group]]
Change = tuple[str, Any, Any]


class Kind(StrEnum):
    """What happens to a node or group."""

    NEW = "new"
    CHANGED = "changed"
    RENAMED = "renamed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of one field on several nodes: of the first node, of the last, and how many differ."""

    first: Any
    last: Any
    count: int

    def plain(self) -> Any:
        """The value itself where all are the same."""
        return self.first if self.count == 1 else {"first": self.first, "last": self.last, "values": self.count}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field and its values before and after; None where it has none.

    `added` and `removed` are the items that a list gains and loses, where these are the same on all nodes.
    """

    path: str
    before: Spread
    after: Spread
    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()

    def record(self) -> dict[str, Any]:
        """The field as plain data for programs."""
        items = {"added": list(self.added), "removed": list(self.removed)}
        record = {"field": self.path, "before": self.before.plain(), "after": self.after.plain()}
        return {**record, **{key: each for key, each in items.items() if each}}


@dataclass(frozen=True, slots=True)
class Difference:
    """The same change of several nodes, or the change of one group, or of the `site` itself.

    `names` are in the order of people; a renamed node has its new name here, and its old one in `old`.
    """

    what: str
    kind: Kind
    names: tuple[str, ...]
    changes: tuple[FieldChange, ...] = ()
    old: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The difference as plain data for programs."""
        changes = [each.record() for each in self.changes]
        record = {"what": self.what, "change": self.kind.value, "names": self.folded, "count": len(self.names)}
        return {**record, **({"before": self.old_folded} if self.old else {}), "fields": changes}

    @property
    def folded(self) -> str:
        """The names as a node set."""
        return _folded(self.names)

    @property
    def old_folded(self) -> str:
        """The names that renamed nodes had."""
        return _folded(self.old)


@dataclass
class _Alike:
    """Nodes that get the same change, being collected."""

    kind: Kind
    names: list[str] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    changes: list[list[Change]] = field(default_factory=list)

    def add(self, other: _Alike) -> None:
        """Take in more nodes."""
        self.names += other.names
        self.old += other.old
        self.changes += other.changes

    def difference(self) -> Difference:
        """What was collected, field by field."""
        fields = tuple(_field_change(list(each)) for each in zip(*self.changes, strict=True))
        return Difference("node", self.kind, tuple(self.names), fields, tuple(self.old))


def node_differences(
    before: Published, after: Published, names: Iterable[str], renamed: Mapping[str, str]
) -> tuple[Difference, ...]:
    """What happens to some nodes; `renamed` maps new names to old ones."""
    wanted = {*names, *renamed, *renamed.values()}
    old = {record["name"]: record for record in before.records(wanted)}
    new = {record["name"]: record for record in after.records(wanted)}
    sources = {name: source for name, source in renamed.items() if name in new and source in old}
    gone = set(sources.values()) - new.keys()
    found: dict[Hashable, _Alike] = {}
    for name in sorted((old.keys() | new.keys()) - gone, key=_counting):
        one = _of_node(name, sources.get(name), old, new)
        if one.changes[0] or one.kind is not Kind.CHANGED:
            found.setdefault((one.kind, *map(_sameness, one.changes[0])), _Alike(one.kind)).add(one)
    return tuple(each.difference() for each in _bounded(found.values()))


def group_differences(before: Groups, after: Groups) -> tuple[Difference, ...]:
    """What happens to the groups, as they are written. One that comes as another goes was renamed."""
    old = {name: _written(entry) for name, entry in before.items()}
    new = {name: _written(entry) for name, entry in after.items()}
    renamed = _renamed(old, new)
    found = [Difference("group", Kind.RENAMED, (name,), (), (source,)) for name, source in renamed.items()]
    for name in sorted({*old, *new} - {*renamed, *renamed.values()}):
        changes = _changes(old.get(name, {}), new.get(name, {}))
        if name not in new:
            found.append(Difference("group", Kind.DELETED, (name,)))
        elif changes or name not in old:
            kind = Kind.CHANGED if name in old else Kind.NEW
            found.append(Difference("group", kind, (name,), tuple(_field_change([each]) for each in changes)))
    return tuple(found)


def _renamed(old: Mapping[str, Values], new: Mapping[str, Values]) -> dict[str, str]:
    """New names of groups and old ones, where exactly one that went said what one says that came."""
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    sources = {name: [each for each in gone if old[each] == new[name]] for name in come}
    return {
        name: found[0]
        for name, found in sources.items()
        if len(found) == 1 and sum(found == other for other in sources.values()) == 1
    }


def site_differences(before: Site | None, after: Site | None) -> tuple[Difference, ...]:
    """What happens to what provisioner.yaml says."""
    old, new = (dict(flat(site.model_dump(mode="json"))) if site else {} for site in (before, after))
    changes = tuple(_field_change([each]) for each in _changes(old, new))
    return (Difference("site", Kind.CHANGED, ("provisioner.yaml",), changes),) if changes else ()


def _of_node(name: str, source: str | None, old: Records, new: Records) -> _Alike:
    before, after = old.get(source or name), new.get(name)
    if after is None:
        return _Alike(Kind.DELETED, [name], changes=[[]])
    if before is None:
        changes = [each for each in _changes({}, _flat(after)) if not _is_expected(*each[::2])]
        return _Alike(Kind.NEW, [name], changes=[changes])
    # Most of a node stays as it is: only fields that differ are taken apart.
    fields = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    parts = (_flat({key: value for key, value in each.items() if key in fields}) for each in (before, after))
    kind = Kind.CHANGED if source is None else Kind.RENAMED
    return _Alike(kind, [name], [source] if source else [], [_changes(*parts)])


def _flat(record: Mapping[str, Any]) -> Values:
    return {path: value for path, value in flat(nested(record)) if path != "name"}


def _changes(old: Values, new: Values) -> list[Change]:
    paths = dict.fromkeys((*old, *new))
    both = ((path, old.get(path), new.get(path)) for path in paths)
    return [each for each in both if each[1] != each[2] and not _says_nothing(each)]


def _says_nothing(change: Change) -> bool:
    """Whether nothing becomes an empty list, or the other way round: a device comes or goes with several."""
    return all(value is None or value == [] for value in change[1:])


def _is_expected(path: str, value: Any) -> bool:
    """Whether a new node has this value because nobody said anything."""
    last = path.rpartition(".")[2]
    default = _DEFAULTS.get(path, _DEVICE_DEFAULTS.get(last))
    empty = value in (None, False) or value in ([], "")
    return empty or path in _FOLLOWING or value == (list(default) if isinstance(default, tuple) else default)


def _sameness(change: Change) -> Hashable:
    """What two nodes have in common that get the same, whatever they had before."""
    path, before, after = change
    first, _, rest = path.partition(".")
    if first in _COUNTING_IN and (rest or first).rpartition(".")[2] in _COUNTING:
        return path, before is None, after is None
    if isinstance(before, list) and isinstance(after, list):
        return path, json.dumps(_items(before, after)), bool(any(_items(before, after))) or json.dumps(after)
    return path, before is None, json.dumps(after)


def _bounded(found: Collection[_Alike]) -> Collection[_Alike]:
    """The same, or where they are too many to read those that change the same fields together."""
    if len(found) <= MOST_DISTINCT:
        return found
    joined: dict[Hashable, _Alike] = {}
    for each in found:
        fields = ((path, before is None, after is None) for path, before, after in each.changes[0])
        joined.setdefault((each.kind, *fields), _Alike(each.kind)).add(each)
    return joined.values()


def _field_change(changes: Sequence[Change]) -> FieldChange:
    """One field of several nodes, which are in the order of people."""
    path = changes[0][0]
    before, after = (_spread(path, [each[side] for each in changes]) for side in (1, 2))
    if not all(isinstance(value, list) for each in changes for value in each[1:]):
        return FieldChange(path, before, after)
    items = [_items(old, new) for _, old, new in changes]
    same = all(each == items[0] for each in items)
    return FieldChange(path, before, after, *map(tuple, items[0] if same else ()))


def _items(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]]:
    """What a list gains and what it loses."""
    return [each for each in after if each not in before], [each for each in before if each not in after]


def _spread(path: str, values: Sequence[Any]) -> Spread:
    shown = [masked(value) if path in SECRET_PATHS else value for value in values]
    return Spread(shown[0], shown[-1], len({json.dumps(value, default=str) for value in shown}))


def _written(entry: Entry[Group]) -> Values:
    values = values_of(entry)
    return {".".join(path): "removed" if value is None else value for path, value in values.items()}


def _counting(name: str) -> list[tuple[int, int | str]]:
    # As people count: n2 comes before n10.
    parts = _DIGITS.split(name)
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def _folded(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else fold(names)

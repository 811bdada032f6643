"""Why does a node have this value? Everything that was said about it, weakest first, and what won."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from provisioner.boot.policy import decide
from provisioner.config.decode import Entry
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.model.address import AddressPattern, node_number
from provisioner.model.boot import Boot, Local, Machine, MemoryTest
from provisioner.model.bootcontrol import NOTHING
from provisioner.model.catalogue import Catalogue
from provisioner.model.name import REMOVES
from provisioner.model.resolved import ResolvedNode, Source
from provisioner.model.secret import SECRET_PATHS, masked, redacted
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Group
from provisioner.operations.bootcontrol import orders
from provisioner.operations.record import nested
from provisioner.operations.select import elsewhere
from provisioner.registry.facts import REMOVED, Fact, FactPath, Facts, facts_of
from provisioner.registry.fieldpath import dotted, parse_path
from provisioner.registry.lineage import Removal, arrivals, removals
from provisioner.registry.resolve import layers_of
from provisioner.registry.view import SiteView

# What nobody writes, and what it follows from.
_DERIVED = {
    "domain": "follows from the network of the interface that boots, or the first network of the site",
    "interface": "the interface that boots: see primary",
}
# What groups say of themselves only.
_NOT_INHERITED = frozenset({"groups", "comment"})
_BOOTING = frozenset({"mac", "ip", "ip6"})
_PRIMARY = "nobody chose: the first interface by name with a MAC boots, or else the first with an address"


@dataclass(frozen=True, slots=True)
class Statement:
    """What one place said: `place` is the entry or default, `via` the way by which its group came to the node.

    `counts` tells whether the value still shows it; `where` is `file:line`, empty for defaults.
    """

    place: str
    via: str
    said: str
    where: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """One field: its value, what was said about it (weakest first), and what else made it."""

    field: str
    value: Any
    statements: tuple[Statement, ...]
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        keys = ("place", "via", "said", "where", "counts")
        statements = [{key: getattr(each, key) for key in keys} for each in self.statements]
        return {"field": self.field, "value": self.value, "statements": statements, "notes": list(self.notes)}


def why(paths: Paths, catalogue: Catalogue, name: str, field: str) -> tuple[Chain, ...]:
    """The chains of every field at or below a dotted path; also of `boot`, `domain`, and of `mac`, `ip` and `ip6`
    of the interface that boots.

    Raises NotFoundError when there is no such node, FieldError when no node can have such a field, and ConfigError
    when provisioner.yaml cannot be used.
    """
    view = SiteView.of(paths)
    entries = view.statements([name])
    nodes = view.resolve([name]).nodes
    if not nodes:
        raise _no_node(name, view)
    inquiry = _Inquiry(view, catalogue, nodes[0], layers_of(view.groups, entries))
    inquiry.control = orders(paths).get(name, NOTHING)
    return inquiry.about(field)


class _TakenAway(NamedTuple):
    """A group that the node does not have because of a removal, and what it would say."""

    removal: Removal
    group: str
    facts: Facts

    def says(self, path: FactPath) -> bool:
        """Whether it would say something at a path."""
        return path in self.facts and self.facts[path].value is not None

    def note(self, path: FactPath) -> str:
        """What it would say there."""
        fact = self.facts[path]
        said = f"group {self.group} says {_words(fact.value, path)} ({_place(fact.sources)})"
        return f"{said}, but {self.removal.by} removes {self.removal.group}"


class _Inquiry:
    """All that is known about one node; `control` is what is ordered for its next boot."""

    control = NOTHING

    def __init__(
        self, view: SiteView, catalogue: Catalogue, node: ResolvedNode, layers: Sequence[tuple[str, Facts]]
    ) -> None:
        self._view = view
        self._catalogue = catalogue
        self._node = node
        self._layers = layers
        self._record = redacted(nested(node.model_dump(mode="json", exclude={"provenance"})))
        entries = view.entries_of([node.name])
        self._arrivals = arrivals(entries, view.groups, node.groups)
        self._removals = removals(entries, view.groups, node.groups)
        self._taken_away = [
            _TakenAway(each, name, _passed_on(view.groups[name])) for each in self._removals for name in each.lost
        ]

    def about(self, field: str) -> tuple[Chain, ...]:
        """The chains of a field, or of all fields below it."""
        if field in _BOOTING and self._node.primary is not None:
            field = f'interfaces."{self._node.primary}".{field}'
        if field == "boot":
            return (self._boot(), *self.about("image"))
        if field == "groups":
            return (self._groups(),)
        if field in _DERIVED:
            value = self._node.domain if field == "domain" else self._node.primary
            return (Chain(field, value, (), (_DERIVED[field],)),)
        wanted = parse_path(field)
        return tuple(map(self._chain, self._paths(wanted) or [wanted]))

    def _paths(self, wanted: FactPath) -> list[FactPath]:
        """Everything that somebody said something about, at a path and below."""
        layers = [facts for _, facts in self._layers] + [facts for *_, facts in self._taken_away]
        said = (path for facts in layers for path, fact in facts.items() if fact.value is not None)
        return list(dict.fromkeys(path for path in said if path[: len(wanted)] == wanted))

    def _chain(self, path: FactPath) -> Chain:
        field = ".".join(path)
        value = self._value(path)
        said = list(self._said(path))
        counting = _counting([fact for _, fact, _ in said], value)
        statements = [self._statement(*each, counts=index in counting) for index, each in enumerate(said)]
        lost = [each for each in self._taken_away if each.says(path)]
        removing = {each.removal: _removing(each.removal, counts=not counting) for each in lost}
        statements = sorted([*removing.values(), *statements], key=lambda each: self._strength(each.place))
        notes = () if lost and not said else self._notes(field, path, value, said)
        return Chain(dotted(path), value, tuple(statements), (*notes, *(each.note(path) for each in lost)))

    def _strength(self, place: str) -> int:
        return next(index for index, (label, _) in enumerate(self._layers) if label == place)

    def _value(self, path: FactPath) -> Any:
        held: Any = self._record
        for step in path:
            held = held.get(step) if isinstance(held, Mapping) else None
        return masked(held) if ".".join(path) in SECRET_PATHS else held

    def _said(self, path: FactPath) -> Iterator[tuple[str, Fact, FactPath]]:
        """What each place said at a path, and who removed the map that it is in."""
        for label, facts in self._layers:
            for length in range(1, len(path)):
                above = facts.get(path[:length])
                if above is not None and above.value is REMOVED:
                    yield label, above, path[:length]
            fact = facts.get(path)
            if fact is not None and fact.value is not None:
                yield label, fact, path

    def _statement(self, label: str, fact: Fact, path: FactPath, *, counts: bool) -> Statement:
        arrival = self._arrivals.get(label.removeprefix("group ")) if label.startswith("group ") else None
        return Statement(
            place=label,
            via=arrival.via if arrival else "",
            said=_words(fact.value, path),
            where=_place(fact.sources),
            counts=counts,
        )

    def _notes(
        self, field: str, path: FactPath, value: Any, said: Sequence[tuple[str, Fact, FactPath]]
    ) -> Iterator[str]:
        if not said:
            yield _PRIMARY if field == "primary" else "nobody set it, and it has no default"
        pattern = said[-1][1].value if said else None
        if isinstance(pattern, AddressPattern) and value is not None:
            yield from self._counted(pattern, str(value))
        if path[0] == "interfaces" and path[-1] == "mtu" and not said and value is not None:
            yield "from the network of the interface"
        if field == "image" and self._node.image:
            yield self._image(self._node.image)

    def _counted(self, pattern: AddressPattern, value: str) -> Iterator[str]:
        number = node_number(self._node.name)
        if pattern.counts and number is not None:
            base = pattern.removesuffix("+")
            yield f"{pattern} counts: {self._node.name} has the number {number}, so {base} + {number - 1}"
        yield f"the prefix of {value} is that of its network"

    def _image(self, reference: str) -> str:
        generation = self._catalogue.find(reference)
        if generation is None:
            return f"there is no image {reference}: prov image list"
        means = f"{reference} means {generation.name}" if reference != generation.name else generation.name
        return f"{means} today: {generation.os_name}, kernel {generation.kernel_release}"

    def _groups(self) -> Chain:
        statements = tuple(
            Statement(f"group {name}", each.via, f"named by {each.by}", _place([each.source]), counts=True)
            for name, each in self._arrivals.items()
        )
        removed = tuple(_removing(each, counts=True) for each in self._removals)
        notes = ("weakest first: what a later group says wins",) if statements else ("no entry names a group",)
        return Chain(
            "groups", list(self._node.groups), (*statements, *removed), () if removed and not statements else notes
        )

    def _boot(self) -> Chain:
        site = self._view.published.site()
        interface = self._node.boot_interface
        if site is None or interface is None or interface.mac is None:
            return Chain("boot", "no machine is this node", (), ("no interface that boots has a MAC",))
        snapshot = Snapshot.build("", site, [self._node])
        decision = decide(snapshot, self._catalogue, Machine(interface.mac), self.control)
        notes = [
            f"by {interface.name} ({interface.mac}, {interface.boot_address or 'no address'}): {decision.reason}"
        ]
        if isinstance(decision, Boot):
            notes.append(f"script templates/{self._node.script}.ipxe.j2")
            return Chain("boot", decision.generation.name, (), tuple(notes))
        if isinstance(decision, Local):
            return Chain("boot", "its own disk", (), (*notes, "script templates/local.ipxe.j2"))
        if isinstance(decision, MemoryTest):
            return Chain("boot", "no image", (), (*notes, f"take it back with prov boot unset {self._node.name}"))
        return Chain("boot", "refused", (), (*notes, f"hint: {getattr(decision, 'hint', '')}"))


def _passed_on(entry: Entry[Group]) -> Facts:
    facts = facts_of(entry, f"group {entry.names[0]}")
    return {path: fact for path, fact in facts.items() if path[0] not in _NOT_INHERITED}


def _removing(removal: Removal, *, counts: bool) -> Statement:
    return Statement(removal.by, "", f"removes {removal.group}", _place([removal.source]), counts)


def _counting(facts: Sequence[Fact], value: Any) -> set[int]:
    """Which of some statements the value shows: of single values the last, of lists those with an item in it."""
    counting: set[int] = set()
    for index, fact in enumerate(facts):
        if not isinstance(fact.value, tuple):
            counting.clear()
            if fact.value is not REMOVED:
                counting.add(index)
        elif any(str(item) in map(str, value or ()) or str(item).startswith(REMOVES) for item in fact.value):
            counting.add(index)
    return counting


def _words(value: Any, path: FactPath) -> str:
    if value is REMOVED:
        return f"removes {dotted(path)}"
    if isinstance(value, tuple):
        return " ".join(f"{item}" if str(item).startswith(REMOVES) else f"+{item}" for item in value)
    return f"= {masked(value) if '.'.join(path) in SECRET_PATHS else value}"


def _place(sources: Sequence[Source]) -> str:
    return f"{sources[-1].file}:{sources[-1].line}" if sources else ""


def _no_node(name: str, view: SiteView) -> NotFoundError:
    near = difflib.get_close_matches(name, view.node_names, n=1)
    hint = f"did you mean {near[0]}?" if near else "prov node list"
    return NotFoundError(f"there is no node {name}{elsewhere(view.published)}", hint=hint)

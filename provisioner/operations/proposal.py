"""Which node is an unknown machine to be? Pure: from what it showed and what the site has to a scored proposal.

Evidence counts by how hard it is to have by chance: UUID, serial number, asset tag, the port that it is plugged in
at, a MAC with one typing mistake. Without any, the next free name of the policy is proposed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from provisioner.model.discovery import Discovery
from provisioner.model.machine import Shown
from provisioner.model.nodeset import expand
from provisioner.model.resolved import ResolvedNode
from provisioner.model.slip import slips

ALIVE = 3600.0
"""A machine that was seen so many seconds ago still lives: nothing takes its place."""

PORT_TAG = "port"
"""The tag of a node that names its switch port."""

_SCORES = {"uuid": 100, "serial": 90, "asset": 80}
_PORT, _SLIP, _NEXT = 60, 50, 10


class Kind(StrEnum):
    """What accepting does: a waiting node gets its machine, one gets another machine, a node is made, nothing."""

    FILL = "fill"
    REPLACE = "replace"
    NEW = "new"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a machine is proposed to be. `score` is 0 to 100, `reasons` say why, `doubts` why to look twice."""

    machine: Shown
    kind: Kind
    node: str | None = None
    score: int = 0
    reasons: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether the daemon may carry it out by itself: nothing is taken from a node, and nothing is in doubt."""
        return self.kind in {Kind.FILL, Kind.NEW} and not self.doubts


@dataclass(frozen=True)
class Surroundings:
    """What a proposal depends on besides the machine.

    `seen` is when a hardware address of a node was last seen (Unix seconds), `places` where a node's machine was
    plugged in then (`model.machine.Shown.place`).
    """

    nodes: Mapping[str, ResolvedNode]
    policy: Discovery
    now: float
    seen: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_mac(self) -> Mapping[str, ResolvedNode]:
        """The nodes by their hardware addresses."""
        return {str(each.mac): node for node in self.nodes.values() for each in node.interfaces if each.mac}

    @cached_property
    def by_identity(self) -> Mapping[tuple[str, str], list[ResolvedNode]]:
        """The nodes by uuid, serial and asset."""
        found: defaultdict[tuple[str, str], list[ResolvedNode]] = defaultdict(list)
        for node in self.nodes.values():
            for name in _SCORES:
                if (value := getattr(node, name)) is not None:
                    found[name, str(value).lower()].append(node)
        return found

    @cached_property
    def by_place(self) -> Mapping[str, list[ResolvedNode]]:
        """The nodes by the port that they are written with, and by the one that they were seen at."""
        found: defaultdict[str, list[ResolvedNode]] = defaultdict(list)
        for node in self.nodes.values():
            for place in {node.tags.get(PORT_TAG, "").lower(), self.places.get(node.name, "").lower()} - {""}:
                found[place].append(node)
        return found


@dataclass(frozen=True, slots=True)
class _Match:
    node: ResolvedNode
    score: int
    reason: str


def propose(machines: Iterable[Shown], around: Surroundings) -> tuple[Proposal, ...]:
    """A proposal for each machine that is no node and not ignored, in the order of their arrival.

    No node is proposed twice.
    """
    ignored = {str(mac) for mac in around.policy.ignore}
    waiting = [each for each in machines if each.mac not in around.by_mac and each.mac not in ignored]
    shared = _shared(waiting)
    names = _free_names(around)
    taken: set[str] = set()
    found = []
    for machine in sorted(waiting, key=lambda each: (each.first, each.mac)):
        doubts = tuple(f"another waiting machine shows the same {field}" for field in shared.get(machine.mac, ()))
        proposal = _proposed(machine, around, names, taken, doubts)
        if proposal.node:
            taken.add(proposal.node)
        found.append(proposal)
    return tuple(found)


def _proposed(
    machine: Shown, around: Surroundings, names: Iterator[str], taken: set[str], doubts: tuple[str, ...]
) -> Proposal:
    matches = [each for each in _matches(machine, around) if each.node.name not in taken]
    best = max((each.score for each in matches), default=0)
    nodes = {each.node.name: each.node for each in matches if each.score == best}
    reasons = tuple(dict.fromkeys(each.reason for each in matches if each.node.name in nodes))
    if len(nodes) > 1:
        doubt = f"{' and '.join(sorted(nodes))} fit equally well"
        return Proposal(machine, Kind.NONE, reasons=reasons, doubts=(*doubts, doubt))
    for node in nodes.values():
        return _of_node(Proposal(machine, Kind.FILL, node.name, best, reasons, doubts), node, around)
    name = next((each for each in names if each not in taken), None)
    if name is None:
        return Proposal(machine, Kind.NONE, reasons=("no node fits, and no name is free",), doubts=doubts)
    kind = Kind.FILL if name in around.nodes else Kind.NEW
    return Proposal(machine, kind, name, _NEXT, ("the next free name in the order of arrival",), doubts)


def _of_node(proposal: Proposal, node: ResolvedNode, around: Surroundings) -> Proposal:
    """The proposal for a node that evidence speaks for: it waits, or its machine is gone, or lives still."""
    interface = node.boot_interface
    if interface is None or interface.mac is None:
        return proposal
    mac = str(interface.mac)
    ago = around.now - around.seen.get(mac, 0.0)
    if ago < ALIVE:
        doubt = f"{mac} of {node.name} was seen {ago / 60:.0f} min ago: is this another port of it?"
        return Proposal(proposal.machine, Kind.NONE, None, 0, proposal.reasons, (*proposal.doubts, doubt))
    reasons = (*proposal.reasons, f"takes the place of {mac}")
    return Proposal(proposal.machine, Kind.REPLACE, node.name, proposal.score, reasons, proposal.doubts)


def _matches(machine: Shown, around: Surroundings) -> Iterator[_Match]:
    for name, score in _SCORES.items():
        value = machine.identity(name)
        for node in around.by_identity.get((name, value.lower()), ()) if value else ():
            yield _Match(node, score, f"the {name} of {node.name}")
    for node in around.by_place.get(machine.place.lower(), ()) if machine.place else ():
        yield _Match(node, _PORT, f"at the port of {node.name}: {machine.place}")
    for mac in slips(machine.mac):
        if mac not in around.seen and (mistyped := around.by_mac.get(mac)) is not None:
            yield _Match(mistyped, _SLIP, f"almost the MAC {mac} of {mistyped.name}, which nobody ever saw")


def _shared(machines: Iterable[Shown]) -> dict[str, list[str]]:
    """What several waiting machines show alike, by hardware address."""
    waiting = list(machines)
    found: dict[str, list[str]] = {}
    for name in ("uuid", "serial"):
        counts = Counter(each.identity(name) for each in waiting)
        for each in waiting:
            if each.identity(name) and counts[each.identity(name)] > 1:
                found.setdefault(each.mac, []).append(name)
    return found


def _free_names(around: Surroundings) -> Iterator[str]:
    """Names for machines that nothing is known of: those of the policy, else nodes that are `discoverable`."""
    names: Iterable[str]
    if around.policy.names is not None:
        names = _expanded(around.policy.names)
    else:
        names = [name for name, node in sorted(around.nodes.items()) if node.discoverable]
    return (name for name in names if _is_free(around.nodes.get(name)))


def _expanded(names: str) -> Iterable[str]:
    # What is written may have mistakes, which prov check names; a list of machines is worth having all the same.
    with suppress(ValueError):
        return expand(names)
    return ()


def _is_free(node: ResolvedNode | None) -> bool:
    """Whether no machine is this node yet, and none is expected by what it shows."""
    if node is None:
        return True
    interface = node.boot_interface
    return (interface is None or interface.mac is None) and not (node.uuid or node.serial or node.asset)

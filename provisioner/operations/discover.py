"""Unknown machines: what they showed, what is proposed, and how they become nodes, through the one door."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from provisioner.config.batch import edited_file
from provisioner.config.edits import Append, Edit, Put
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.events.hardware import HardwareFolder
from provisioner.events.history import History
from provisioner.events.inbox import read_inbox
from provisioner.events.search import EventFilter
from provisioner.model.address import MacAddress
from provisioner.model.discovery import Discovery
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.change import Plan
from provisioner.operations.proposal import PORT_TAG, Kind, Proposal, Surroundings, propose
from provisioner.registry import nodeedits
from provisioner.registry.compiler import current
from provisioner.registry.field import Assignment, assignment
from provisioner.registry.manuscript import Manuscript
from provisioner.registry.placement import lay
from provisioner.registry.sources import SITE_FILE
from provisioner.registry.view import SiteView

_SECTION = "discovery"
_LONG_AGO = 30 * 86400.0
_MOST_EVENTS = 50_000
_EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says besides the proposal: another name, groups and a device for a new node."""

    name: str | None = None
    groups: tuple[str, ...] = ()
    interface: str | None = None
    address: str | None = None


def proposals(paths: Paths, *, now: float | None = None) -> tuple[Proposal, ...]:
    """A proposal for every machine that waits. Raises IntegrityError for an inbox that cannot be read."""
    machines = read_inbox(paths.inbox)
    with current(paths) as published:
        site = published.site()
        policy = site.discovery if site else Discovery()
        return propose(machines, _around(paths, published.nodes(), policy, time.time() if now is None else now))


def hardware_of(paths: Paths, name: str) -> dict[str, str]:
    """What the machine with a hardware address, or that of a node, told of itself when stage 1 looked at it.

    Raises NotFoundError for a node that does not exist or has no MAC, and where nothing was told.
    """
    folder = HardwareFolder(paths.hardware)
    try:
        return folder.read(MacAddress(name))
    except ValueError:
        pass
    with current(paths) as published:
        node = published.node(name)
    interface = node.boot_interface if node else None
    if interface is None or interface.boot_mac is None:
        raise NotFoundError(
            f"there is no machine and no node {name} with a MAC", hint="prov discover; prov node list"
        )
    return folder.read(interface.boot_mac)


def chosen(found: Sequence[Proposal], macs: Collection[str], wish: Wish | None = None) -> tuple[Proposal, ...]:
    """The proposals to carry out: those of some machines, or `all` that have one.

    Raises NotFoundError for a machine that does not wait, and ProvisionerError for one that nothing is proposed
    for, and for a name that is wished for several.
    """
    wished = wish or Wish()
    if list(macs) == [_EVERYTHING]:
        return tuple(each for each in found if each.kind is not Kind.NONE and not each.doubts)
    if wished.name and len(macs) > 1:
        raise ProvisionerError("one name is for one machine", hint="prov discover accept MAC --as NAME")
    waiting = {each.machine.mac: each for each in found}
    return tuple(_wished(_waiting(waiting, mac), wished) for mac in macs)


def accept(accepted: Sequence[Proposal], wish: Wish | None = None) -> Plan:
    """Machines become nodes: a node that exists gets MAC and identity, one that does not is made.

    The plan raises ConflictError where other entries stand in the way.
    """
    wished = wish or Wish()

    def plan(view: SiteView) -> Mapping[str, str | None]:
        site = view.published.site()
        policy = site.discovery if site else Discovery()
        names = [each.node for each in accepted if each.node]
        existing = view.published.nodes(names)
        manuscript = Manuscript.of_nodes(view, names)
        for each in accepted:
            if each.node is None:
                continue
            changes = _assignments(each, existing.get(each.node), policy, wished)
            if view.has(each.node):
                lay(manuscript, frozenset([each.node]), changes)
            else:
                nodeedits.add(manuscript, [each.node], [*_membership(policy, wished), *changes])
        return manuscript.texts()

    return plan


def ignore(macs: Collection[str]) -> Plan:
    """Nothing is proposed for some machines any more: `discovery.ignore` in provisioner.yaml.

    Raises ValueError for what is no hardware address. The plan raises NotFoundError where there is no site.
    """
    addresses = [MacAddress(mac) for mac in macs]

    def plan(view: SiteView) -> Mapping[str, str | None]:
        text, site = view.text(SITE_FILE), view.published.site()
        if text is None or site is None:
            raise NotFoundError("there is no site that can be used here", hint="prov check")
        fresh = [str(mac) for mac in addresses if mac not in site.discovery.ignore]
        path, known = (_SECTION, "ignore"), site.discovery.ignore
        edits: list[Edit] = [Append(path, mac) for mac in fresh] if known else [Put(path, fresh)]
        return {SITE_FILE: edited_file(text, _SECTION, edits, SITE_FILE)} if fresh else {}

    return plan


def _around(paths: Paths, nodes: Mapping[str, ResolvedNode], policy: Discovery, now: float) -> Surroundings:
    """When and where the machines of nodes were seen last, from the events."""
    macs = {str(each.mac): node.name for node in nodes.values() for each in node.interfaces if each.mac}
    wanted = EventFilter(name="dhcp.ack", since=now - _LONG_AGO, limit=_MOST_EVENTS)
    seen: dict[str, float] = {}
    places: dict[str, str] = {}
    for recorded in History(paths.events).find_events(wanted):
        event = recorded.event
        if event.mac not in macs:
            continue
        seen[event.mac] = event.time
        relay, circuit = (event.data.get(key) for key in ("relay", "circuit"))
        if circuit:
            places[macs[event.mac]] = f"{relay} {circuit}" if relay else str(circuit)
    return Surroundings(nodes, policy, now, seen, places)


def _waiting(waiting: Mapping[str, Proposal], text: str) -> Proposal:
    try:
        mac = str(MacAddress(text))
    except ValueError as error:
        raise ProvisionerError(str(error), hint="prov discover lists them; all means all") from None
    if mac not in waiting:
        raise NotFoundError(f"no machine {mac} waits", hint="prov discover lists those that do")
    return waiting[mac]


def _wished(proposal: Proposal, wish: Wish) -> Proposal:
    if wish.name:
        return replace(proposal, node=wish.name, kind=Kind.NEW, reasons=("asked for",), doubts=())
    if proposal.node is None:
        why = "; ".join((*proposal.doubts, *proposal.reasons))
        hint = f"prov discover accept {proposal.machine.mac} --as NAME"
        raise ProvisionerError(f"nothing is proposed for {proposal.machine.mac}: {why}", hint=hint)
    return proposal


def _assignments(proposal: Proposal, node: ResolvedNode | None, policy: Discovery, wish: Wish) -> list[Assignment]:
    """What tells the machine. What a node is written with already stays, unless it gets another machine."""
    machine, is_other = proposal.machine, proposal.kind is Kind.REPLACE
    interface = wish.interface or (node.primary if node and node.primary else policy.interface)
    changes = [assignment(("interfaces", interface, "mac"), machine.mac)]
    if wish.address:
        changes.append(assignment(("interfaces", interface, "ip"), wish.address))
    for name in ("uuid", "serial", "asset"):
        value, written = machine.identity(name), getattr(node, name, None)
        if value and (written is None or (is_other and str(written) != value)):
            changes.append(assignment((name,), value))
    if machine.place and (node is None or node.tags.get(PORT_TAG) != machine.place):
        changes.append(assignment(("tags", PORT_TAG), machine.place))
    return changes


def _membership(policy: Discovery, wish: Wish) -> Iterable[Assignment]:
    groups = wish.groups or policy.groups
    return [assignment(("groups",), list(groups))] if groups else []

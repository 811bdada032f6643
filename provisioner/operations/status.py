"""What every node does and runs, next to what it is assigned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.events.history import History, Report
from provisioner.events.phases import Mark
from provisioner.events.search import UNDER_WAY
from provisioner.image.store import catalogue
from provisioner.model.boot import BootRecord
from provisioner.model.bootcontrol import NOTHING, Control
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, Level
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import BootSource
from provisioner.operations import live
from provisioner.operations.bootcontrol import orders, words
from provisioner.operations.check import check
from provisioner.operations.drift import Looked, overlay_state
from provisioner.operations.strict import Answer, kept_answer
from provisioner.registry.store import read_current, read_snapshot


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node.

    `running` is the generation of its newest boot and `assigned` the one that it would boot now; `revision` is
    the one that boot holds to; `outdated` says in words what a reboot would bring, empty when nothing.
    `overlays` is the state of its runtime overlays, pending or failed since `overlays_since` (operations.drift).
    Times are Unix seconds; `facts` is the last report of the running system. `step` is the newest event of a boot
    that is under way, and `step_time` when it was. `next_boot` says what was ordered for its next boot,
    or why it gets the last good generation.
    """

    node: str
    state: str
    changed: float | None
    running: str | None
    assigned: str | None
    revision: str | None
    outdated: str
    overlays: str
    overlays_since: float | None
    address: str | None
    boot: str | None
    reason: str
    facts: dict[str, str]
    step: str | None = None
    step_time: float | None = None
    next_boot: str = ""


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """The whole site.

    `daemon` is what the daemon says of itself, None when it does not run or does not answer; `daemon_fault` says
    why it does not answer, empty otherwise. `alarms` are the newest warnings, failures and alarms, newest first.
    `rendering` tells what keeps overlays of nodes from being rendered at this revision, None where nobody looked
    yet: the daemon does after each edit.
    """

    revision: str
    daemon: dict[str, Any] | None
    daemon_fault: str
    nodes: tuple[NodeStatus, ...]
    alarms: tuple[Event, ...]
    rendering: Answer | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which nodes a status is about: every field that is set narrows it. An image may name its generation too."""

    nodes: Collection[str] | None = None
    states: Collection[str] | None = None
    image: str | None = None

    def of(self, statuses: Iterable[NodeStatus]) -> tuple[NodeStatus, ...]:
        """Those that are wanted; a node is of the image that it runs, or would boot when it never booted."""
        return tuple(
            each
            for each in statuses
            if (self.states is None or each.state in self.states)
            and (self.image is None or self.image in _names(each.running or each.assigned))
        )


OWN_DISK = "its own disk"
"""What stands where a generation would, of a node that boots what is installed on it."""

EVERYTHING = Wanted()


def _names(generation: str | None) -> tuple[str, ...]:
    return () if generation is None else (generation, generation.partition("@")[0])


def site_status(paths: Paths, wanted: Wanted = EVERYTHING, served: Snapshot | None = None) -> SiteStatus:
    """The status of every wanted node. Works with the daemon down; `daemon` is None then.

    `served` is the snapshot that an earlier call read, which is used again while it is the one that is served.
    Raises ConfigError when no daemon ever served the site and what is written has mistakes.
    """
    images, history = catalogue(paths), History(paths.events)
    snapshot = served if served and served.revision == read_current(paths) else served_snapshot(paths, images)
    daemon, fault = _daemon(paths)
    looked = Looked.of(paths) if daemon else None
    boots, reports = history.latest_boots(), history.reports()
    now = Now(snapshot.revision, images, looked, orders(paths))
    nodes = wanted.of(
        node_status(snapshot.nodes[name], now, boots.get(name), reports.get(name))
        for name in sorted(snapshot.nodes)
        if wanted.nodes is None or name in wanted.nodes
    )
    steps = history.last_events(each.boot for each in nodes if each.boot and each.state in UNDER_WAY)
    alarms = history.recent(limit=50, levels=(Level.ALARM, Level.FAILURE, Level.WARNING))
    rendering = kept_answer(paths, snapshot.revision)
    return SiteStatus(snapshot.revision, daemon, fault, _with_steps(nodes, steps), tuple(alarms), rendering)


def counted(status: SiteStatus) -> dict[str, int]:
    """How many nodes are in each state, the most frequent first."""
    return dict(Counter(node.state for node in status.nodes).most_common())


def _with_steps(nodes: Iterable[NodeStatus], steps: Mapping[str, Mark]) -> tuple[NodeStatus, ...]:
    found = ((each, steps.get(each.boot or "")) for each in nodes)
    return tuple(replace(each, step=last.name, step_time=last.time) if last else each for each, last in found)


def served_snapshot(paths: Paths, images: Catalogue) -> Snapshot:
    """What is served; before any daemon ran, what is written."""
    revision = read_current(paths)
    return read_snapshot(paths, revision) if revision else check(paths, images).snapshot


def _daemon(paths: Paths) -> tuple[dict[str, Any] | None, str]:
    try:
        return live.status(paths), ""
    except UnavailableError as error:
        return None, error.message


@dataclass(frozen=True, slots=True)
class Now:
    """What is served, the images, what the daemon knows of runtime overlays (None when it is down), and orders."""

    revision: str
    images: Catalogue
    looked: Looked | None = None
    orders: Mapping[str, Control] = field(default_factory=dict)


def node_status(node: ResolvedNode, now: Now, boot: BootRecord | None, report: Report | None) -> NodeStatus:
    """The status of one node, from its newest boot and its last report."""
    local = node.boot.source is BootSource.DISK
    generation = now.images.find(node.image) if node.image and not local else None
    assigned = generation.name if generation else None
    interface = node.boot_interface
    current = report if report and boot and report.boot == boot.id else None
    overlays, since = overlay_state(node, boot, current, now.looked)
    return NodeStatus(
        node=node.name,
        state=boot.state if boot else "never booted",
        changed=boot.changed if boot else None,
        running=(boot.generation or None) if boot else None,
        assigned=assigned,
        revision=boot.revision if boot else None,
        outdated=_outdated(boot, OWN_DISK if local else assigned, now.revision) if boot else "",
        overlays=overlays.value,
        overlays_since=since,
        address=str(interface.boot_address.ip) if interface and interface.boot_address else None,
        boot=boot.id if boot else None,
        reason=boot.reason if boot else "",
        facts=dict(current.facts) if current else {},
        next_boot=words(now.orders.get(node.name, NOTHING)),
    )


def _outdated(boot: BootRecord, assigned: str | None, revision: str) -> str:
    if assigned == OWN_DISK:
        return "" if boot.state == "local" else assigned
    parts = []
    if assigned and boot.generation != assigned:
        parts.append(f"image {assigned}")
    if boot.revision != revision:
        parts.append(f"revision {revision[:16]}")
    return " and ".join(parts)

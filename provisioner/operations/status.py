"""What every node does and runs, next to what it is assigned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.history import History, Report
from provisioner.image.store import catalogue
from provisioner.model.boot import BootRecord
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, Level
from provisioner.model.resolved import ResolvedNode
from provisioner.operations import live
from provisioner.registry.store import read_current, read_snapshot


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node.

    `running` is the generation of its newest boot and `assigned` the one that it would boot now; `revision` is
    the one that boot holds to; `outdated` says in words what a reboot would bring, empty when nothing.
    Times are Unix seconds; `facts` is the last report of the running system.
    """

    node: str
    state: str
    changed: float | None
    running: str | None
    assigned: str | None
    revision: str | None
    outdated: str
    address: str | None
    boot: str | None
    reason: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """The whole site.

    `daemon` is what the daemon says of itself, None when it does not run; `alarms` are the newest warnings,
    failures and alarms, newest first.
    """

    revision: str
    daemon: dict[str, Any] | None
    nodes: tuple[NodeStatus, ...]
    alarms: tuple[Event, ...]


def site_status(paths: Paths) -> SiteStatus:
    """The status of every node. Works with the daemon down; `daemon` is None then."""
    revision = read_current(paths)
    if revision is None:
        raise NotFoundError(f"{paths.site} was never compiled", hint="prov check")
    snapshot, images, history = read_snapshot(paths, revision), catalogue(paths), History(paths.events)
    boots, reports = history.latest_boots(), history.reports()
    nodes = tuple(
        node_status(snapshot.nodes[name], revision, images, boots.get(name), reports.get(name))
        for name in sorted(snapshot.nodes)
    )
    alarms = history.recent(limit=50, levels=(Level.ALARM, Level.FAILURE, Level.WARNING))
    return SiteStatus(revision, live.status(paths), nodes, tuple(alarms))


def node_status(
    node: ResolvedNode, revision: str, images: Catalogue, boot: BootRecord | None, report: Report | None
) -> NodeStatus:
    """The status of one node, from its newest boot and its last report; `revision` is the current one."""
    generation = images.find(node.image) if node.image else None
    assigned = generation.name if generation else None
    interface = node.boot_interface
    current = report if report and boot and report.boot == boot.id else None
    return NodeStatus(
        node=node.name,
        state=boot.state if boot else "never booted",
        changed=boot.changed if boot else None,
        running=boot.generation if boot else None,
        assigned=assigned,
        revision=boot.revision if boot else None,
        outdated=_outdated(boot, assigned, revision) if boot else "",
        address=str(interface.ip.ip) if interface and interface.ip else None,
        boot=boot.id if boot else None,
        reason=boot.reason if boot else "",
        facts=dict(current.facts) if current else {},
    )


def _outdated(boot: BootRecord, assigned: str | None, revision: str) -> str:
    parts = []
    if assigned and boot.generation != assigned:
        parts.append(f"image {assigned}")
    if boot.revision != revision:
        parts.append(f"revision {revision[:16]}")
    return " and ".join(parts)

"""The status again and again, and what changed from one look to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.image.store import catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.operations.status import NodeStatus, SiteStatus, Wanted, served_snapshot, site_status
from provisioner.registry.store import read_current


@dataclass(frozen=True, slots=True)
class Look:
    """The status at one moment, and the nodes that are not as they were at the look before."""

    time: float
    status: SiteStatus
    changed: tuple[NodeStatus, ...]


def looks(paths: Paths, wanted: Wanted, interval: float, *, most: int | None = None) -> Iterator[Look]:
    """Look every `interval` seconds, `most` times or for ever; of the first look every node is new.

    A look never takes more than half of the time: where it takes long, the next one comes later. Raises as
    `site_status`.
    """
    known: dict[str, NodeStatus] = {}
    served: Snapshot | None = None
    taken = 0
    while most is None or taken < most:
        if taken:
            time.sleep(interval)
        began = time.monotonic()
        served = _served(paths, served)
        status = site_status(paths, wanted, served)
        changed = tuple(each for each in status.nodes if _shown(each) != _shown(known.get(each.node)))
        known = {each.node: each for each in status.nodes}
        yield Look(time.time(), status, changed)
        interval = max(interval, time.monotonic() - began)
        taken += 1


def _served(paths: Paths, served: Snapshot | None) -> Snapshot:
    """The snapshot that is served now: a large site takes long to read, so an equal one is read once."""
    if served is not None and served.revision == read_current(paths):
        return served
    return served_snapshot(paths, catalogue(paths))


def _shown(node: NodeStatus | None) -> tuple[object, ...] | None:
    if node is None:
        return None
    return (
        node.state,
        node.running,
        node.revision,
        node.outdated,
        node.overlays,
        node.boot,
        node.reason,
        node.step,
    )

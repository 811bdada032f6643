"""How a node booted: its timeline from the first packet to the ready report."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.history import History
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event
from provisioner.registry.compiler import current
from provisioner.registry.store import read_current, read_node


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a boot. `at` is milliseconds since the first packet, `took` milliseconds of a transfer."""

    at: int
    stage: str
    name: str
    message: str
    level: str
    bytes: int | None
    took: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One boot and its steps in order of time."""

    boot: BootRecord
    started: float
    steps: tuple[Step, ...]


def timeline(paths: Paths, node: str, boot: str | None = None) -> Timeline:
    """The timeline of a node's newest boot, or of the boot with this id (or the start of it).

    Raises NotFoundError when there is no such boot, or no such node.
    """
    history = History(paths.events)
    boots = history.boots(node, limit=1000)
    chosen = next((each for each in boots if boot is None or each.id.startswith(boot)), None)
    if not boots:
        _demand_node(paths, node)
    if chosen is None:
        what = f"no boot {boot}" if boot and boots else "never booted"
        raise NotFoundError(f"{node}: {what}", hint="prov status shows what the nodes do")
    events = history.timeline(chosen.id)
    started = events[0].time if events else chosen.opened
    return Timeline(chosen, started, tuple(_step(event, started) for event in events))


def _demand_node(paths: Paths, name: str) -> None:
    """Raise NotFoundError for a node that is not served and, before any daemon ran, not written either."""
    revision = read_current(paths)
    if revision is None:
        with current(paths) as published:
            known = published.node(name) is not None
    else:
        known = read_node(paths, revision, name) is not None
    if not known:
        raise NotFoundError(f"there is no node {name}", hint="prov node list")


def _step(event: Event, started: float) -> Step:
    return Step(
        at=round((event.time - started) * 1000),
        stage=event.stage.value,
        name=event.name,
        message=event.message,
        level=event.level.value,
        bytes=event.bytes,
        took=None if event.seconds is None else round(event.seconds * 1000),
    )


def boots_of(paths: Paths, node: str, *, limit: int = 20) -> list[BootRecord]:
    """The boots of a node, newest first. Raises NotFoundError when neither the site nor the history knows it."""
    found = History(paths.events).boots(node, limit=limit)
    if not found:
        _demand_node(paths, node)
    return found

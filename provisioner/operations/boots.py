"""How nodes booted: boots by node or id, and the timeline of one from the first packet to the ready report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.events.bootlogs import BootLogs
from provisioner.events.history import History
from provisioner.events.search import BootFilter
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event
from provisioner.model.identity import Identity
from provisioner.operations.identity import identity
from provisioner.operations.measured import Measured, measured
from provisioner.operations.select import members_of, named
from provisioner.registry.compiler import current
from provisioner.registry.published import Published
from provisioner.registry.store import open_revision, read_current, read_node


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
    """One boot, its steps in order of time, and how sure it is that the machine was the node.

    `measured` is what its TPM holds, None where it told nothing.
    """

    boot: BootRecord
    started: float
    steps: tuple[Step, ...]
    identity: Identity
    measured: Measured | None


def timeline(paths: Paths, name: str, boot: str | None = None) -> Timeline:
    """The timeline of a node's newest boot, or of the boot with this id (or the start of it).

    `name` is a node, or the id of a boot of any node. Raises NotFoundError when there is no such boot, or no
    such node, and ProvisionerError when several boots start with the id.
    """
    chosen = find(paths, name, boot)
    events = History(paths.events).timeline(chosen.id)
    started = events[0].time if events else chosen.opened
    revision = read_current(paths)
    node = read_node(paths, revision, chosen.node) if revision else None
    steps = tuple(_step(event, started) for event in events)
    return Timeline(chosen, started, steps, identity(node, chosen, events), measured(paths, chosen, events))


def log_of(paths: Paths, name: str, boot: str | None = None) -> str:
    """What the machine of a boot logged until its hand-over, or until it gave up; the boot as with `timeline`.

    Raises what `timeline` raises, NotFoundError where no log came and IntegrityError for a damaged one.
    """
    return BootLogs(paths.boot_logs).read(find(paths, name, boot).id)


def find(paths: Paths, name: str, boot: str | None = None) -> BootRecord:
    """The boot that is meant; see `timeline`."""
    boots = History(paths.events).boots(name, limit=1000)
    chosen = next((each for each in boots if boot is None or each.id.startswith(boot)), None)
    if chosen is not None:
        return chosen
    if not boots:
        if boot is None and (named := _by_id(paths, name)):
            return named
        _demand_node(paths, name)
    what = f"no boot {boot}" if boot and boots else "never booted"
    raise NotFoundError(f"{name}: {what}", hint="prov status shows what the nodes do")


def _by_id(paths: Paths, start: str) -> BootRecord | None:
    found = History(paths.events).boots_named(start)
    if len(found) > 1:
        message = f"several boots start with {start!r}"
        raise ProvisionerError(message, hint=f"write more of it: {', '.join(each.id for each in found)}")
    return found[0] if found else None


def _demand_node(paths: Paths, name: str) -> None:
    """Raise NotFoundError for a node that is not served and, before any daemon ran, not written either."""
    with served(paths) as published:
        known = published.node(name) is not None
    if not known:
        raise NotFoundError(f"there is no node {name}, and no boot", hint="prov node list; prov boot list")


def nodes_in(paths: Paths, text: str) -> tuple[str, ...]:
    """The nodes of a set; groups in it are those of the site as it is served, or written before any daemon ran.

    Nodes that are gone from the site may be named: their boots and events are still there. Raises ProvisionerError
    for what is no node set.
    """
    if "@" not in text:
        return named(text)
    with served(paths) as published:
        return named(text, members_of(published))


@contextmanager
def served(paths: Paths) -> Iterator[Published]:
    """The snapshot that is served; before any daemon ran, of what is written."""
    revision = read_current(paths)
    with current(paths) if revision is None else open_revision(paths, revision) as published:
        yield published


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


def boots_of(
    paths: Paths,
    nodes: Sequence[str] | None,
    *,
    limit: int = 20,
    since: float | None = None,
    states: Sequence[str] | None = None,
) -> list[BootRecord]:
    """The newest boots of some nodes, or of all, newest first; `since` is Unix seconds.

    Raises NotFoundError for a node that neither the site nor the history knows.
    """
    wanted = BootFilter(nodes=nodes, states=states, since=since, limit=limit)
    found = History(paths.events).find_boots(wanted)
    if not found:
        known = History(paths.events).newest_of(nodes or ())
        for name in nodes or ():
            if name not in known:
                _demand_node(paths, name)
    return found

"""Everything that the checks look at, collected once: with the daemon up or down."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, IntegrityError, Problem, ProvisionerError, UnavailableError
from provisioner.events.history import History, Report
from provisioner.events.search import BootFilter, EventFilter
from provisioner.image.store import artifact_path, catalogue
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, Level
from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations import live
from provisioner.operations.check import problems_of
from provisioner.operations.doctor.hostfacts import HostFacts, host_facts
from provisioner.operations.doctor.trail import Trail, trails
from provisioner.operations.strict import kept_answer
from provisioner.registry.collect import collect
from provisioner.registry.compiler import obtain
from provisioner.registry.store import read_current, read_snapshot

RECENT = 24 * 3600.0
"""How many seconds back the checks look."""

_MOST_EVENTS = 20_000
_MOST_BOOTS = 5_000


@dataclass(frozen=True)
class Evidence:
    """What is known at a moment (`now`, Unix seconds).

    `snapshot` is what is served, before any daemon ran what is written, None where that is unusable. `problems`
    are mistakes in what is written now. `daemon` is what the daemon says of itself, None when it does not run;
    `daemon_fault` why it does not answer. `boots` are the boots of the last day, newest first, and the newest of
    each node. `memories` are the bytes that machines of nodes have. `damaged` maps generations to what is wrong
    with their artifacts. `unreadable` says what could not be looked at, and why.
    """

    now: float
    paths: Paths
    snapshot: Snapshot | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    problems: tuple[Problem, ...] = ()
    unrenderable: tuple[Problem, ...] = ()
    daemon: Mapping[str, Any] | None = None
    daemon_fault: str = ""
    events: tuple[Event, ...] = ()
    boots: tuple[BootRecord, ...] = ()
    reports: Mapping[str, Report] = field(default_factory=dict)
    memories: Mapping[str, int] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    host: HostFacts = field(default_factory=HostFacts)
    unreadable: tuple[str, ...] = ()

    @cached_property
    def trails(self) -> Mapping[str, Trail]:
        """What each machine did before it had a boot, by hardware address."""
        known = {str(mac): node.name for mac, node in self.snapshot.by_mac.items()} if self.snapshot else {}
        return trails(self.events, known)

    @cached_property
    def newest(self) -> Mapping[str, BootRecord]:
        """The newest boot of every node of the site."""
        found: dict[str, BootRecord] = {}
        for boot in self.boots:
            if boot.node in self.nodes:
                found.setdefault(boot.node, boot)
        return found

    @cached_property
    def by_boot(self) -> Mapping[str, tuple[Event, ...]]:
        """The events of each boot, oldest first."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.boot:
                found.setdefault(event.boot, []).append(event)
        return {boot: tuple(each) for boot, each in found.items()}

    @property
    def nodes(self) -> Mapping[str, ResolvedNode]:
        """The nodes of the site."""
        return self.snapshot.nodes if self.snapshot else {}

    @property
    def device(self) -> str:
        """A network device with an address of the head node, for commands that name one."""
        networks = self.snapshot.site.networks.values() if self.snapshot else ()
        return next(
            (self.host.addresses[own] for each in networks if (own := each.own_head(self.host.addresses))), "any"
        )

    @property
    def elsewhere(self) -> int | None:
        """The network namespace of the daemon, where it is another one than that of this command."""
        theirs = self.daemon.get("namespace") if self.daemon else None
        return theirs if theirs and self.host.namespace and theirs != self.host.namespace else None

    def node_of(self, mac: str | None) -> ResolvedNode | None:
        """The node that a hardware address belongs to."""
        return self.snapshot.by_mac.get(MacAddress(mac)) if self.snapshot and mac else None

    def named(self, *names: str) -> Iterator[Event]:
        """The events of some names, newest first."""
        return (each for each in reversed(self.events) if each.name in names)

    def age(self, moment: float) -> float:
        """How many seconds ago something was."""
        return self.now - moment


def collect_evidence(paths: Paths, *, now: float | None = None) -> Evidence:
    """Look at everything. What cannot be read is named in `unreadable`, and never ends the look."""
    moment = time.time() if now is None else now
    unreadable: list[str] = []
    images = _images(paths, unreadable)
    snapshot, problems = _site(paths, images, unreadable)
    daemon, fault = _daemon(paths)
    rendering = kept_answer(paths, snapshot.revision) if snapshot else None
    return Evidence(
        now=moment,
        paths=paths,
        snapshot=snapshot,
        catalogue=images,
        problems=problems,
        unrenderable=rendering.problems if rendering else (),
        daemon=daemon,
        daemon_fault=fault,
        **recorded(paths, moment, unreadable),
        damaged=dict(_damaged(paths, images, snapshot)),
        host=host_facts(paths),
        unreadable=tuple(unreadable),
    )


def _images(paths: Paths, unreadable: list[str]) -> Catalogue:
    try:
        return catalogue(paths)
    except ProvisionerError as error:
        unreadable.append(error.message)
        return Catalogue()


def _site(paths: Paths, images: Catalogue, unreadable: list[str]) -> tuple[Snapshot | None, tuple[Problem, ...]]:
    try:
        files = collect(paths)
        with obtain(paths, files) as published:
            problems = problems_of(paths, files, published, images)
            revision = read_current(paths)
            if revision is not None:
                return read_snapshot(paths, revision), problems
            return (published.snapshot() if published.usable else None), problems
    except ConfigError as error:
        return None, error.problems
    except (ProvisionerError, OSError) as error:
        unreadable.append(str(error))
        return None, ()


def _daemon(paths: Paths) -> tuple[Mapping[str, Any] | None, str]:
    try:
        return live.status(paths), ""
    except UnavailableError as error:
        return None, error.message


def recorded(paths: Paths, now: float, unreadable: list[str]) -> dict[str, Any]:
    """What the events file holds of the evidence; what cannot be read is added to `unreadable`."""
    history = History(paths.events)
    try:
        return {
            "events": tuple(_events(history, now - RECENT)),
            "boots": tuple(_boots(history, now - RECENT)),
            "reports": history.reports(),
            "memories": history.memories(),
        }
    except IntegrityError as error:
        unreadable.append(error.message)
        return {}


def _events(history: History, since: float) -> Iterable[Event]:
    """The newest events, and the newest warnings and worse, which a storm of boots must not push out."""
    levels = (Level.WARNING, Level.FAILURE, Level.ALARM)
    found = {
        each.id: each.event
        for wanted in (
            EventFilter(since=since, limit=_MOST_EVENTS),
            EventFilter(since=since, levels=levels, limit=_MOST_EVENTS // 4),
        )
        for each in history.find_events(wanted)
    }
    return sorted((event for _, event in sorted(found.items())), key=lambda event: event.time)


def _boots(history: History, since: float) -> Iterable[BootRecord]:
    found = {each.id: each for each in history.latest_boots().values()}
    found.update({each.id: each for each in history.find_boots(BootFilter(since=since, limit=_MOST_BOOTS))})
    return sorted(found.values(), key=lambda each: -each.opened)


def _damaged(paths: Paths, images: Catalogue, snapshot: Snapshot | None) -> Iterator[tuple[str, str]]:
    """Generations that nodes would boot and whose artifacts are missing or have another size."""
    wanted = {node.image for node in snapshot.nodes.values() if node.image} if snapshot else set()
    generations = {found.name: found for each in wanted if (found := images.find(each)) is not None}
    for generation in generations.values():
        if generation.boots and (fault := _fault(paths, generation)):
            yield generation.name, fault


def _fault(paths: Paths, generation: Generation) -> str:
    for name, artifact in zip(("kernel", "stage 1", "root"), generation.boot_set, strict=True):
        place = artifact_path(paths, artifact.digest)
        try:
            size = place.stat().st_size
        except OSError as error:
            return f"its {name} cannot be read: {error.strerror}: {place}"
        if size != artifact.size:
            return f"its {name} has {size} bytes, and should have {artifact.size}: {place}"
    return ""

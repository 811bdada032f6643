"""Who uses which generation of an image: what is written, what is served, and what nodes boot and run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from provisioner.boot.controlfolder import ControlFolder
from provisioner.config.paths import Paths
from provisioner.config.switchfile import FOLDER, read_switch
from provisioner.errors import ConflictError
from provisioner.events.history import Booted, History
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.nodeset import fold
from provisioner.operations import live
from provisioner.registry.compiler import current
from provisioner.registry.published import Published
from provisioner.registry.store import open_revision, read_current

RECENT = 7 * 86400.0
"""Seconds after which the boot of a machine that is no node any more does not count."""

Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is said of images: nodes with their references (None without), and where references are written.

    `kernels` has the beginning of a kernel's release for nodes that want a certain one.
    """

    nodes: Mapping[str, str | None]
    places: tuple[tuple[str, str], ...]
    kernels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageUse:
    """By generation (NAME@NUMBER): nodes that would boot it, places that name it, nodes that booted it last.

    `booted` has the time (Unix seconds) of the last boot of each generation that was ever booted.
    """

    assigned: Names
    written: Names
    running: Names
    booted: Mapping[str, float]

    def of(self, generation: str) -> str:
        """How a generation is used, in words; empty when it is not."""
        nodes, places, running = (each.get(generation, ()) for each in (self.assigned, self.written, self.running))
        words = [
            f"assigned to {fold(nodes)}" if nodes else "",
            # Who is assigned to it has it from one of the places.
            f"named by {', '.join(places[:3])}" if places and not nodes else "",
            f"booted by {fold(running)}" if running else "",
        ]
        return " and ".join(filter(None, words))


def image_use(paths: Paths, catalogue: Catalogue) -> ImageUse:
    """Who uses what, with the names meaning what they mean in a catalogue.

    What is served counts beside what is written: while a mistake is in the site, the daemon goes on with that.
    Raises ConfigError for a switch that cannot be read.
    """
    said = list(_assignments(paths))
    assigned: dict[str, set[str]] = defaultdict(set)
    written: dict[str, set[str]] = defaultdict(set)
    for named, switch in _switches(paths):
        written[_meant(catalogue, named)].add(switch)
    for named, order in _orders(paths):
        written[_meant(catalogue, named)].add(order)
    for each in said:
        for node, reference in each.nodes.items():
            if reference is not None:
                assigned[_meant(catalogue, reference)].add(node)
        for reference, place in each.places:
            written[_meant(catalogue, reference)].add(place)
    boots = History(paths.events).generations()
    nodes = set().union(*(each.nodes for each in said)) if all(each.nodes for each in said) else None
    running = {name: set(found) for name, found in _running(boots, nodes).items()}
    booted = {each.generation: each.opened for each in boots}
    return ImageUse(_sorted(assigned), _sorted(written), _sorted(running), booted)


def assignments(paths: Paths) -> Assignment:
    """What is written now."""
    with current(paths) as published:
        return _said(published)


def demand_served(paths: Paths) -> None:
    """Raise ConflictError when a daemon runs that does not serve what is written: it may hand out what is gone.

    Without a daemon the same holds for a site that cannot be read as a whole (`demand_readable`).
    """
    reason = live.serve_changes(paths)
    if reason:
        hint = "repair that first, so that no node is sent to what is removed"
        raise ConflictError(f"the daemon does not serve what is written: {reason}", hint=hint)
    demand_readable(paths)


def demand_readable(paths: Paths) -> None:
    """Raise ConflictError when the site has mistakes: what a broken file names is not known, and may be in use."""
    with current(paths) as published:
        count = len(published.problems()) if list(paths.site.glob("*.yaml")) or published.image_uses() else 0
    if count:
        message = f"the site has {count} mistake{'s' if count > 1 else ''}, so what its nodes boot is not known"
        raise ConflictError(message, hint="prov check names them; nothing is removed until they are repaired")


def demand_unused(paths: Paths, catalogue: Catalogue, generations: Iterable[Generation]) -> None:
    """Raise ConflictError, with all users, when something names a generation or a node booted it last."""
    use = image_use(paths, catalogue)
    users = [f"{each.name} is {words}" for each in generations if (words := use.of(each.name))]
    if users:
        hint = "prov node list and prov group list show who names it; give these another image, and boot the nodes"
        raise ConflictError("\n".join(users), hint=hint)


def _assignments(paths: Paths) -> Iterator[Assignment]:
    with current(paths) as published:
        yield _said(published)
        revision = read_current(paths)
        if revision is None or revision == published.revision:
            return
    with open_revision(paths, revision) as served:
        yield _said(served)


def _switches(paths: Paths) -> Iterator[tuple[str, str]]:
    """What switches that are not over go to, and what undoing them would bring back."""
    for file in sorted((paths.site / FOLDER).glob("*.yaml")):
        switch = read_switch(f"{FOLDER}{file.name}", file.read_text())
        if not switch.state.is_over:
            yield from ((reference, f"switch {file.stem}") for reference in (switch.to, *switch.before))


def _orders(paths: Paths) -> Iterator[tuple[str, str]]:
    """The generations that nodes get without being assigned to them, once or until their own boots again."""
    for node, control in ControlFolder(paths.state).all().items():
        if control.once and control.once.generation:
            yield control.once.generation, f"the order for the next boot of {node}"
        if control.fallback:
            yield control.fallback.good, f"the fall-back of {node}"


def _said(published: Published) -> Assignment:
    records = list(published.records()) if published.usable else []
    nodes = {record["name"]: record["image"] for record in records}
    kernels = {record["name"]: version for record in records if (version := record["kernel_version"])}
    places = tuple((reference, f"{file}:{line}") for reference, file, line, _ in published.image_uses())
    return Assignment(nodes, places, kernels)


def _meant(catalogue: Catalogue, reference: str) -> str:
    found = catalogue.find(reference)
    return found.name if found else reference


def _running(boots: Iterable[Booted], nodes: Collection[str] | None) -> dict[str, list[str]]:
    """The nodes by the generation that each of their machines booted last; without `nodes` all that ever did."""
    newest = {(each.node, each.mac): each for each in boots}
    found: dict[str, list[str]] = defaultdict(list)
    for each in newest.values():
        if nodes is None or each.node in nodes or each.opened > time.time() - RECENT:
            found[each.generation].append(each.node)
    return found


def _sorted(found: Mapping[str, Collection[str]]) -> Names:
    return {key: tuple(sorted(values)) for key, values in found.items()}

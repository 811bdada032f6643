"""Overlays looked at with the images that nodes boot: one node of each kind stands for all that are like it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from provisioner.boot.script import kernel_line
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image import inventory
from provisioner.model.boot import Boot
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.inventory import Inventory
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import RootKind
from provisioner.operations.check import check
from provisioner.operations.fetches import Tokens
from provisioner.operations.keyshapes import KeyShapes
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.operations.overlayrender import Trees
from provisioner.operations.storedimages import StoredImages
from provisioner.operations.strict import check_strictly
from provisioner.overlay.fits import Level, Misfit, misfits
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect

_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class Finding:
    """A misfit, the generation that it is about, and the nodes that have it."""

    misfit: Misfit
    image: str
    nodes: str

    def record(self) -> dict[str, Writable]:
        """Plain data for programs."""
        each = self.misfit
        told = {"level": each.level.value, "overlay": each.overlay, "path": each.path, "message": each.message}
        return {**told, "image": self.image, "nodes": self.nodes}


@dataclass(frozen=True, slots=True)
class _Case:
    """Nodes with the same image, overlays, groups and kind of root; the first one is looked at."""

    generation: Generation | None
    nodes: Sequence[ResolvedNode]

    @property
    def image(self) -> str:
        return self.generation.name if self.generation else "-"


def lint(
    paths: Paths, catalogue: Catalogue, names: Sequence[str] = (), image: str | None = None
) -> tuple[Finding, ...]:
    """What of some overlays, or all, does not suit the images of their nodes, or one `image`; the worst first.

    Raises ConfigError with every mistake that shows without an image, and NotFoundError.
    """
    checked = check_strictly(paths, catalogue)
    files = collect(paths)
    for name in names:
        OverlayFiles(paths, files).of(name)
    if image is not None and catalogue.find(image) is None:
        raise NotFoundError(f"there is no image {image}", hint="prov image list")
    trees = Trees(checked, WrittenFiles(files), KeyShapes(), StoredImages(paths, catalogue))
    look = _Look(paths, trees, checked.snapshot)
    wanted = frozenset(names)
    found: dict[tuple[Misfit, str], list[str]] = {}
    for case in _cases(checked.snapshot.nodes.values(), catalogue, wanted, image):
        for misfit in look.at(case):
            if not wanted or misfit.overlay in (*wanted, ""):
                found.setdefault((misfit, case.image), []).extend(node.name for node in case.nodes)
    findings = (Finding(misfit, case, fold(nodes)) for (misfit, case), nodes in found.items())
    return tuple(sorted(findings, key=lambda each: (_ORDER.index(each.misfit.level), each.misfit, each.image)))


def lint_nodes(paths: Paths, catalogue: Catalogue, names: Sequence[str], image: str) -> tuple[Misfit, ...]:
    """What of the overlays of some nodes would not suit an image, each once. ConfigError for a broken site."""
    checked = check(paths, catalogue)
    nodes = [checked.snapshot.nodes[name] for name in names if name in checked.snapshot.nodes]
    trees = Trees(checked, WrittenFiles(collect(paths)), KeyShapes(), StoredImages(paths, catalogue))
    look = _Look(paths, trees, checked.snapshot)
    found = (misfit for case in _cases(nodes, catalogue, frozenset(), image) for misfit in look.at(case))
    return tuple(dict.fromkeys(found))


class _Look:
    def __init__(self, paths: Paths, trees: Trees, snapshot: Snapshot) -> None:
        self._paths = paths
        self._trees = trees
        self._snapshot = snapshot

    def at(self, case: _Case) -> Iterator[Misfit]:
        generation = case.generation
        if generation is None:
            yield Misfit("", "", Level.NOTE, "no image is assigned, so there is nothing to compare with")
            return
        yield from self._kernel_line(max(case.nodes, key=lambda node: len(" ".join(node.kernel_args))), generation)
        facts, files = inventory.inventory(self._paths, generation), inventory.files(self._paths, generation)
        if facts is None or files is None:
            message = "the image has no inventory, so there is nothing to compare with: build or import it again"
            yield Misfit("", "", Level.WARNING, message)
            return
        yield from _labels(case, facts, generation)
        trees = self._trees.made(case.nodes[0], generation.name)
        made = {each.entry.path: (each.overlay, each.entry) for each in trees}
        yield from misfits(made, facts, files)

    def _kernel_line(self, node: ResolvedNode, generation: Generation) -> Iterator[Misfit]:
        interface = node.boot_interface
        if interface is None or interface.mac is None:
            return
        boot = Boot(node, generation, interface, "")
        token = Tokens(boot, self._snapshot.revision, interface.mac).script.stage1
        url = self._snapshot.boot_urls(interface)[0]
        try:
            kernel_line(boot, self._snapshot, url=url, token=token, mac=interface.mac)
        except ProvisionerError as error:
            yield Misfit("", "", Level.PROBLEM, error.message)


def _labels(case: _Case, facts: Inventory, generation: Generation) -> Iterator[Misfit]:
    if facts.selinux is None:
        return
    wants = f"the image asks for SELinux ({facts.selinux.type}, {facts.selinux.mode})"
    if not generation.selinux:
        message = f"{wants}, and its root has no labels: build or import it again"
        yield Misfit("", "", Level.WARNING, message)
    if facts.selinux.mode == "enforcing" and case.nodes[0].root.kind is RootKind.SINGLE:
        message = f"{wants}, which lets nobody make files on a root of kind single: choose another kind"
        yield Misfit("", "", Level.WARNING, message)


def _cases(
    nodes: Iterable[ResolvedNode], catalogue: Catalogue, names: frozenset[str], image: str | None
) -> Iterator[_Case]:
    alike: dict[object, list[ResolvedNode]] = {}
    for node in nodes:
        overlays = (node.system_overlays, node.runtime_overlays)
        if not names or not names.isdisjoint((*overlays[0], *overlays[1])):
            alike.setdefault((image or node.image, overlays, node.groups, node.root.kind), []).append(node)
    for group in alike.values():
        reference = image or group[0].image
        yield _Case(catalogue.find(reference) if reference else None, group)

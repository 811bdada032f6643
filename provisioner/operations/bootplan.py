"""What would the next boot of each node do differently? Two revisions are asked the same questions.

Everything that a machine is told is compared: the decision, DHCP answers, script, kernel line, overlay files, DNS.
Nodes with the same difference stand together, with words (`{name}`, `{ip}`) in place of what only one of them has.
No key is used and no secret shown.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.events.history import History
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations.bystanders import differing
from provisioner.operations.change import Draft
from provisioner.operations.comparison import Change, Comparison
from provisioner.operations.difference import Difference, node_differences
from provisioner.operations.likeness import Likeness
from provisioner.operations.revisions import kept_revision
from provisioner.operations.side import Side
from provisioner.operations.standins import StandIns
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import Surroundings
from provisioner.overlay.imagefacts import Images
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import Files, WrittenFiles
from provisioner.registry.collect import collect
from provisioner.registry.compiler import obtain
from provisioner.registry.images import image_problems
from provisioner.registry.revision import Revision
from provisioner.registry.store import open_revision
from provisioner.render.environment import Renderer
from provisioner.render.limit import limited

_NO_REVISION = "(revision)"


@dataclass(frozen=True, slots=True)
class NodeChanges:
    """Nodes whose boots change in the same way: `kind` is changed, new or deleted.

    `example` says what the words in the lines stand for on the first of them.
    """

    kind: str
    nodes: tuple[str, ...]
    changes: tuple[Change, ...]
    example: Mapping[str, str]

    @property
    def folded(self) -> str:
        """The nodes as a node set."""
        return fold(self.nodes)

    def record(self) -> dict[str, Writable]:
        """Plain data for programs."""
        changes = [{"what": each.what, "name": each.name, "lines": list(each.lines)} for each in self.changes]
        told: dict[str, Writable] = {"nodes": self.folded, "count": len(self.nodes), "change": self.kind}
        return {**told, "example": dict(self.example), "changes": changes}


@dataclass(frozen=True, slots=True)
class BootPlan:
    """What boots do differently from one revision to another; no groups where they do not.

    `differences` are the fields that become others, whether a boot reads them or not.
    """

    before: str
    after: str
    groups: tuple[NodeChanges, ...]
    differences: tuple[Difference, ...] = ()

    def record(self) -> dict[str, Writable]:
        """Plain data for programs."""
        groups = [each.record() for each in self.groups]
        differences = [each.record() for each in self.differences]
        return {"before": self.before, "after": self.after, "groups": groups, "differences": differences}


def boot_plan(paths: Paths, catalogue: Catalogue, draft: Draft) -> BootPlan:
    """What a draft would change. IntegrityError when provisioner.yaml cannot be used as it is now."""
    before = draft.before.snapshot()
    nodes = {**before.nodes, **draft.after.changed}
    kept = (node for node in nodes.values() if node is not None)
    after = Snapshot.build(draft.after.revision, draft.after.site or before.site, kept)
    # A draft changes site files only: overlays and templates are the same before and after.
    files = WrittenFiles(draft.view.collected)
    memories = History(paths.events).memories(draft.after.changed)
    found = compare(before, after, (files, files), StoredImages(paths, catalogue), catalogue, memories=memories)
    return replace(found, differences=draft.differences)


def plan_since(paths: Paths, catalogue: Catalogue, revision: str) -> BootPlan:
    """From a kept revision (the start of its name is enough) to what is written now, with the images of today.

    Raises NotFoundError when no such revision is kept, ConfigError when what is written has mistakes.
    """
    old = kept_revision(paths, revision)
    files = collect(paths)
    with obtain(paths, files) as published, open_revision(paths, old) as base:
        problems = (*published.problems(), *image_problems(published, catalogue))
        if problems:
            raise ConfigError(problems)
        before, after = base.snapshot(), published.snapshot()
        differences = node_differences(base, published, _changed(before, after), {})
    both = Revision.open(paths, old), WrittenFiles(files)
    memories = History(paths.events).memories()
    found = compare(before, after, both, StoredImages(paths, catalogue), catalogue, memories=memories)
    return replace(found, differences=differences)


def compare(
    before: Snapshot,
    after: Snapshot,
    files: tuple[Files, Files],
    images: Images,
    catalogue: Catalogue,
    *,
    memories: Mapping[str, int] | None = None,
) -> BootPlan:
    """What the boots of every node do differently from one snapshot to another."""
    comparison = Comparison(*_sides(before, after, files, images, catalogue, memories=memories))
    groups: dict[Hashable, tuple[str, tuple[Change, ...], list[str]]] = {}
    for name in sorted(comparison.old.keys() | comparison.new.keys()):
        kind, changes = comparison.node(name)
        if changes:
            key = (kind, *(change.key for change in changes))
            groups.setdefault(key, (kind, changes, []))[2].append(name)
    found = (
        NodeChanges(kind, tuple(names), changes, _example(comparison.likeness(names[0]), changes))
        for kind, changes, names in groups.values()
    )
    return BootPlan(before.revision, after.revision, tuple(found))


def _example(likeness: Likeness, changes: tuple[Change, ...]) -> dict[str, str]:
    return likeness.meanings(line for change in changes for line in (change.name, *change.lines))


def _sides(
    before: Snapshot,
    after: Snapshot,
    files: tuple[Files, Files],
    images: Images,
    catalogue: Catalogue,
    *,
    memories: Mapping[str, int] | None,
) -> tuple[Side, Side]:
    renderer = Renderer()
    memo = RenderMemo(renderer, bound=limited)
    after, stamps = _unified(before, after)
    libraries = Library(files[0], memo), Library(files[1], memo)
    if files[0] is files[1]:
        libraries = libraries[0], libraries[0]
    # Scripts name their revision, which tells nothing here.
    snapshots = (replace(before, revision=_NO_REVISION), replace(after, revision=_NO_REVISION))
    surroundings = [
        Surroundings(snapshot, StandIns(), stamp, includes=Includes(SiteFiles(of), images))
        for snapshot, stamp, of in zip(snapshots, stamps, files, strict=True)
    ]
    first, second = (
        Side(*each, renderer, memories=memories)
        for each in zip(files, (catalogue, catalogue), surroundings, libraries, strict=True)
    )
    return first, second


def _unified(before: Snapshot, after: Snapshot) -> tuple[Snapshot, tuple[object, object]]:
    """The later snapshot with the earlier one's objects where nodes are equal, and stamps for both lists."""
    nodes = {name: _same(before.nodes.get(name), node) for name, node in after.nodes.items()}
    unified = Snapshot.build(after.revision, after.site, nodes.values())
    first = object()
    equal = len(nodes) == len(before.nodes) and all(before.nodes.get(name) is each for name, each in nodes.items())
    return unified, (first, first if equal else object())


def _changed(before: Snapshot, after: Snapshot) -> set[str]:
    """The nodes that come, go, or have other fields."""
    both = before.nodes.keys() & after.nodes.keys()
    return (before.nodes.keys() ^ after.nodes.keys()) | {
        name for name in both if differing(before.nodes[name], after.nodes[name])
    }


def _same(old: ResolvedNode | None, new: ResolvedNode) -> ResolvedNode:
    """The old one if only the places differ that values come from."""
    if old is None or old is new:
        return new
    return new if differing(old, new) else old

"""How the overlay files of two nodes differ, or those of one node then and now."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image.store import catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.secret import reference
from provisioner.model.snapshot import Snapshot
from provisioner.operations.check import check
from provisioner.operations.filechanges import FileChange, FileChanges
from provisioner.operations.revisions import kept_revision
from provisioner.operations.side import Side
from provisioner.operations.standins import StandIns
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import Surroundings
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.source import Files, WrittenFiles
from provisioner.registry.collect import collect
from provisioner.registry.revision import Revision
from provisioner.registry.store import read_snapshot
from provisioner.render.environment import Renderer
from provisioner.render.limit import limited


def diff_nodes(paths: Paths, one: str, other: str) -> list[FileChange]:
    """What the second node has otherwise than the first, file by file; words stand for keys.

    Raises ConfigError with every mistake of the site, and NotFoundError.
    """
    side = _now(paths)
    return _differences(side, side, _node(side.snapshot, one), _node(side.snapshot, other))


def diff_since(paths: Paths, node: str, revision: str) -> list[FileChange]:
    """What a node has otherwise than at a kept revision (the start of its name is enough).

    Raises what `diff_nodes` raises; NotFoundError also when no such revision is kept or it has no such node.
    """
    full = kept_revision(paths, revision)
    before = _side(paths, Revision.open(paths, full), read_snapshot(paths, full))
    after = _now(paths)
    return _differences(before, after, _node(before.snapshot, node), _node(after.snapshot, node))


def _differences(before: Side, after: Side, old: ResolvedNode, new: ResolvedNode) -> list[FileChange]:
    found = {node.bmc.password.reveal() for node in (old, new) if node.bmc and node.bmc.password}
    changes = FileChanges(before, after, {password for password in found if reference(password) is None})
    files = {each.path: each for kind in OverlayKind for each in changes.of(kind, old, new)}
    return [files[path] for path in sorted(files)]


def _now(paths: Paths) -> Side:
    checked = check(paths, catalogue(paths))
    return _side(paths, WrittenFiles(collect(paths)), checked.snapshot)


def _side(paths: Paths, files: Files, snapshot: Snapshot) -> Side:
    renderer = Renderer()
    library = Library(files, RenderMemo(renderer, bound=limited))
    known = catalogue(paths)
    includes = Includes(SiteFiles(files), StoredImages(paths, known))
    return Side(files, known, Surroundings(snapshot, StandIns(), includes=includes), library, renderer)


def _node(snapshot: Snapshot, name: str) -> ResolvedNode:
    node = snapshot.nodes.get(name)
    if node is None:
        raise NotFoundError(f"there is no node {name}", hint="prov node list")
    return node

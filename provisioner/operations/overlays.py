"""Listing, showing and rendering overlays as they are written now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.image.store import catalogue
from provisioner.operations.check import check
from provisioner.overlay.context import context_for
from provisioner.overlay.rendered import OverlayKind, render_tree
from provisioner.overlay.source import Overlay, WrittenFiles, overlay_names
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey


@dataclass(frozen=True, slots=True)
class OverlayInfo:
    """An overlay: `files` are paths in the node, templates under the name that they are written with."""

    name: str
    description: str
    files: tuple[str, ...]
    links: dict[str, str]


def overlays(paths: Paths) -> list[OverlayInfo]:
    """Every overlay that nodes can have, site and shipped."""
    written = WrittenFiles(collect(paths))
    return [_info(Overlay(written, name)) for name in overlay_names(written)]


def show_overlay(paths: Paths, name: str) -> OverlayInfo:
    """One overlay. NotFoundError when there is none of that name."""
    return _info(Overlay(WrittenFiles(collect(paths)), name))


def render_overlays(paths: Paths, node: str, output: Path) -> list[Entry]:
    """Write all files of a node's overlays, system first, into a new or empty folder; returns what was written.

    Owners are not set, so that nobody needs to be root to look.
    """
    compiled = check(paths, catalogue(paths))
    resolved = compiled.snapshot.nodes.get(node)
    if resolved is None:
        raise NotFoundError(f"there is no node {node}", hint="prov node list")
    if output.exists() and any(output.iterdir()):
        raise ConflictError(f"{output} is not empty", hint="name a new folder")
    names = [name for kind in OverlayKind for name in kind.names(resolved)]
    context = context_for(compiled.snapshot, resolved, SiteKey.load_or_create(paths.keys))
    entries = render_tree(WrittenFiles(collect(paths)), names, context, Renderer())
    output.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        _write(entry, output / entry.path)
    return entries


def _write(entry: Entry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    match entry.kind:
        case Kind.DIRECTORY:
            target.mkdir(exist_ok=True)
            target.chmod(entry.mode)
        case Kind.SYMLINK:
            target.symlink_to(entry.content.decode())
        case Kind.FILE:
            target.touch(mode=0o600)
            target.write_bytes(entry.content)
            target.chmod(entry.mode)


def _info(overlay: Overlay) -> OverlayInfo:
    declared = overlay.declared
    return OverlayInfo(overlay.name, declared.description, overlay.paths, dict(declared.links))

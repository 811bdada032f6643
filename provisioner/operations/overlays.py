"""Listing, showing and rendering overlays as they are written now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.archive.tree import Entry
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, UnavailableError
from provisioner.image.store import catalogue
from provisioner.operations.check import check
from provisioner.overlay.context import context_for
from provisioner.overlay.folder import write_tree
from provisioner.overlay.rendered import OverlayKind, render_tree
from provisioner.overlay.source import Overlay, WrittenFiles, overlay_names
from provisioner.registry.collect import collect
from provisioner.registry.revision import describe
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

    Owners are not set. Makes the site key where no daemon has made it yet, because host keys derive from it.
    Raises ConfigError with every mistake of the site, NotFoundError, RenderError, ConflictError when the folder
    is not empty, and UnavailableError while the files of the site change.
    """
    compiled = check(paths, catalogue(paths))
    resolved = compiled.snapshot.nodes.get(node)
    if resolved is None:
        raise NotFoundError(f"there is no node {node}", hint="prov node list")
    names = [name for kind in OverlayKind for name in kind.names(resolved)]
    context = context_for(compiled.snapshot, resolved, SiteKey.load_or_create(paths.keys))
    entries = render_tree(_files_of(paths, compiled.revision), names, context, Renderer())
    write_tree(entries, output)
    return entries


def _files_of(paths: Paths, revision: str) -> WrittenFiles:
    """What is written now, if it is still the revision that was checked."""
    files = collect(paths)
    if describe(files).revision != revision:
        message = f"the files below {paths.site} changed while they were looked at"
        raise UnavailableError(message, hint="try again")
    return WrittenFiles(files)


def _info(overlay: Overlay) -> OverlayInfo:
    declared = overlay.declared
    return OverlayInfo(overlay.name, declared.description, overlay.paths, dict(declared.links))

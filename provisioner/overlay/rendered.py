"""Overlays rendered for one node: a sorted tree of entries first, an archive later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.source import TEMPLATE_SUFFIX, Declared, DeclaredKind, Files, Overlay
from provisioner.render.environment import Renderer, RenderError


class OverlayKind(StrEnum):
    """When a node gets an overlay: once by stage 1, or again and again by its agent."""

    SYSTEM = "system"
    RUNTIME = "runtime"

    def names(self, node: ResolvedNode) -> tuple[str, ...]:
        """The overlays of this kind that a node has, in their order."""
        return node.system_overlays if self is OverlayKind.SYSTEM else node.runtime_overlays


@dataclass(frozen=True, slots=True)
class RenderedOverlay:
    """The archive that a node fetches (newc cpio) and its SHA-256 in hexadecimal."""

    archive: bytes
    sha256: str


def render_tree(
    revision: Files, names: Iterable[str], context: Mapping[str, object], renderer: Renderer
) -> list[Entry]:
    """The files of overlays in their order, later ones over earlier ones, sorted by path.

    Parents are left out unless an overlay declares them: the directories of the image keep their modes.
    Raises RenderError or NotFoundError.
    """
    entries: dict[str, Entry] = {}
    for name in names:
        for entry in _entries(Overlay(revision, name), context, renderer):
            entries[entry.path] = entry
    return [entries[path] for path in sorted(entries)]


def pack(entries: list[Entry]) -> RenderedOverlay:
    """The archive of a tree."""
    archive = cpio.pack(entries)
    return RenderedOverlay(archive, hashlib.sha256(archive).hexdigest())


def _entries(overlay: Overlay, context: Mapping[str, object], renderer: Renderer) -> Iterator[Entry]:
    declared = overlay.declared.files
    for path, spec in declared.items():
        if spec.kind is DeclaredKind.DIRECTORY:
            yield _entry(overlay, path, Kind.DIRECTORY, b"", spec)
    for path in overlay.paths:
        if overlay.is_symlink(path):
            yield _entry(overlay, path, Kind.SYMLINK, overlay.read(path), Declared(mode=0o777))
        else:
            for target, content in _contents(overlay, path, context, renderer):
                yield _entry(overlay, target, Kind.FILE, content, declared.get(target, Declared()))
    for path, target in overlay.declared.links.items():
        yield _entry(overlay, path, Kind.SYMLINK, target.encode(), Declared(mode=0o777))


def _contents(
    overlay: Overlay, path: str, context: Mapping[str, object], renderer: Renderer
) -> Iterator[tuple[str, bytes]]:
    content = overlay.read(path)
    if not path.endswith(TEMPLATE_SUFFIX):
        yield path, content
        return
    try:
        source = content.decode()
    except UnicodeDecodeError:
        raise RenderError(f"{overlay.label(path)} is a template but not UTF-8 text") from None
    target = path.removesuffix(TEMPLATE_SUFFIX)
    for made, text in renderer.files(target, overlay.label(path), source, context).items():
        yield made, text.encode()


def _entry(overlay: Overlay, path: str, kind: Kind, content: bytes, spec: Declared) -> Entry:
    default = 0o755 if kind is Kind.DIRECTORY else 0o644
    mode = default if spec.mode is None else spec.mode
    try:
        return Entry(path, kind, content, mode, spec.uid, spec.gid)
    except ValueError as error:
        raise RenderError(f"overlay {overlay.name}: {error}") from None

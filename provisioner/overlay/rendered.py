"""Overlays rendered for one node: a sorted tree of entries first, an archive later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.source import TEMPLATE_SUFFIX, Declared, DeclaredKind, Files, Overlay
from provisioner.render.environment import Renderer, RenderError

_KINDS = {DeclaredKind.FILE: Kind.FILE, DeclaredKind.DIRECTORY: Kind.DIRECTORY}


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
    Raises NotFoundError, and RenderError also for a path below a file or a link of the same tree, and for a
    declared path that its overlay does not make.
    """
    entries: dict[str, Entry] = {}
    makers: dict[str, str] = {}
    for name in names:
        overlay = Overlay(revision, name)
        made = {entry.path: entry for entry in _entries(overlay, context, renderer)}
        _refuse_unmade(overlay, made)
        entries |= made
        makers |= dict.fromkeys(made, name)
    _refuse_collisions(entries, makers)
    return [entries[path] for path in sorted(entries)]


def pack(entries: list[Entry]) -> RenderedOverlay:
    """The archive of a tree. Raises RenderError for what no archive can hold."""
    try:
        archive = cpio.pack(entries)
    except ValueError as error:
        raise RenderError(str(error)) from None
    return RenderedOverlay(archive, hashlib.sha256(archive).hexdigest())


def _refuse_unmade(overlay: Overlay, made: Mapping[str, Entry]) -> None:
    """A mistyped path in overlay.yaml would leave a secret readable by everybody."""
    for path, spec in overlay.declared.files.items():
        entry = made.get(path)
        if entry is None or entry.kind is not _KINDS[spec.kind]:
            found = "makes nothing there" if entry is None else f"makes a {entry.kind.name.lower()} there"
            message = (
                f"overlays/{overlay.name}/overlay.yaml declares the {spec.kind} {path}, but the overlay {found}"
            )
            raise RenderError(message, hint=f"prov overlay show {overlay.name} lists what it makes")


def _refuse_collisions(entries: Mapping[str, Entry], makers: Mapping[str, str]) -> None:
    for path in sorted(entries):
        for parent in map(str, PurePosixPath(path).parents):
            above = entries.get(parent)
            if above is not None and above.kind is not Kind.DIRECTORY:
                kind = above.kind.name.lower()
                raise RenderError(
                    f"overlay {makers[path]} makes {path}, but overlay {makers[parent]} makes the {kind} {parent}",
                    hint=f"rename one of them, or declare {parent} as a directory only",
                )


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

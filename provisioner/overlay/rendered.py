"""Overlays rendered for one node: a sorted tree of entries first, an archive later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from provisioner.archive import cpio
from provisioner.archive.tree import Entry
from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.context import Context
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import Files
from provisioner.render.environment import Renderer, RenderError

EARLY_HOOKS = "etc/provisioner/hooks/early/"
"""Where an overlay has the scripts that stage 1 runs before it makes the root."""


class OverlayKind(StrEnum):
    """When a node gets an overlay: once by stage 1, or again and again by its agent."""

    SYSTEM = "system"
    RUNTIME = "runtime"

    def names(self, node: ResolvedNode) -> tuple[str, ...]:
        """The overlays of this kind that a node has, in their order."""
        return node.system_overlays if self is OverlayKind.SYSTEM else node.runtime_overlays

    def view(self, context: Context) -> Context:
        """What templates of this kind see of a context: who fetches again and again gets no secrets."""
        return context if self is OverlayKind.SYSTEM else context.without_secrets()


@dataclass(frozen=True, slots=True)
class RenderedOverlay:
    """The archive that a node fetches (newc cpio) and its SHA-256 in hexadecimal.

    With a secret in it, it is for one answer and kept nowhere. `secrets` are the names of those that it may
    have. `early_hooks` says that stage 1 needs it before the root.
    """

    archive: bytes
    sha256: str
    has_secrets: bool = False
    early_hooks: bool = False
    secrets: frozenset[str] = frozenset()


def render_tree(
    revision: Files, names: Iterable[str], context: Mapping[str, object], renderer: Renderer
) -> list[Entry]:
    """The files of overlays for one node, as `Library.tree` makes them; for many nodes keep one `Library`."""
    return Library(revision, RenderMemo(renderer)).tree(names, context)


def pack(entries: list[Entry]) -> RenderedOverlay:
    """The archive of a tree. Raises RenderError for what no archive can hold."""
    archive = _archive(entries)
    early = any(entry.path.startswith(EARLY_HOOKS) for entry in entries)
    return RenderedOverlay(archive, hashlib.sha256(archive).hexdigest(), early_hooks=early)


def archive_size(entries: list[Entry]) -> int:
    """How many bytes `pack` makes of a tree, without the digest that takes longest. Raises what it raises."""
    return len(_archive(entries))


def _archive(entries: list[Entry]) -> bytes:
    try:
        return cpio.pack(entries)
    except ValueError as error:
        raise RenderError(str(error)) from None

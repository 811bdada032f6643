"""What the worker processes do: compile the site and render. Plain values go in and come out.

Every render is bounded in time by a signal and in memory by a limit of the process, so that a template
that never ends costs its own request and nothing else.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path

from provisioner.boot.script import Language, ScriptTokens, ScriptWriter
from provisioner.config.paths import Paths
from provisioner.daemon import pauses
from provisioner.errors import ConfigError, Problem, ProvisionerError
from provisioner.image.store import catalogue
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Other
from provisioner.model.snapshot import Snapshot
from provisioner.operations import strict
from provisioner.operations.check import compile_site
from provisioner.operations.leftovers import prune
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay, pack
from provisioner.registry.collect import SourceFile
from provisioner.registry.revision import Revision
from provisioner.registry.store import open_revision, read_current, read_snapshot
from provisioner.render.environment import Renderer, RenderError
from provisioner.render.limit import timed
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import SiteKey

MEMORY = 4 << 30
# setpriority(2): the kindest to others.
_LEAST = 19

_renderer = lru_cache(maxsize=1)(Renderer)


class ExhaustedError(RenderError):
    """A worker has not the memory for a task. What else it holds may be the reason, so it has to be replaced."""


@dataclass(frozen=True, slots=True)
class CompileResult:
    """The revision that is published now, or what is wrong with what was written."""

    revision: str | None
    problems: tuple[Problem, ...] = ()


def initialise() -> None:
    """Set the limits of a worker; Ctrl-C is the parent's business."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def initialise_compiling() -> None:
    """As `initialise`, for the process that compiles: it remembers what it has decoded."""
    initialise()
    pauses.shorten()


def initialise_looking() -> None:
    """As `initialise`, for the process that tries what nobody asked for: everybody else comes first."""
    initialise()
    os.nice(_LEAST)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        # Killed with -9, it could not end its workers, and they would wait for tasks for ever.
        os._exit(1)


def compile_revision(paths: Paths, needed: frozenset[str] = frozenset()) -> CompileResult:
    """Compile and publish what is written now; old snapshots go, but for those of the revisions in `needed`."""
    with _replaceable("the compilation of the site"):
        return _compiled(paths, needed)


def _compiled(paths: Paths, needed: frozenset[str]) -> CompileResult:
    try:
        return CompileResult(compile_site(paths, catalogue(paths), needed).revision)
    except ConfigError as error:
        return CompileResult(None, error.problems)
    except ProvisionerError as error:
        return CompileResult(None, (whole_site(paths, error.message, error.hint),))
    except (OSError, sqlite3.Error) as error:
        # A full disk, most of all: the last good revision does not need it.
        hint = "the log of the daemon tells when it works again"
        return CompileResult(None, (whole_site(paths, f"the state cannot be read or written: {error}", hint),))


def whole_site(paths: Paths, message: str, hint: str | None) -> Problem:
    """A problem that no line of any file is to blame for."""
    return Problem(str(paths.site), 0, 0, message, hint or "")


def render_problems(paths: Paths, revision: str) -> tuple[Problem, ...] | None:
    """What keeps overlays of nodes from being rendered at a revision; None when another one is served by now."""
    with _replaceable(f"the look at revision {revision[:16]}"):
        opened = Revision.open(paths, revision)
        files = {key: SourceFile(each.kind, each.mode, opened.read(key)) for key, each in opened.files.items()}
        with open_revision(paths, revision) as published, suppress(strict.SupersededError):
            return strict.render_problems(
                paths, files, published, catalogue(paths), is_wanted=lambda: read_current(paths) == revision
            )
        return None


def boot_script(
    paths: Paths,
    revision: str,
    decision: Boot,
    tokens: ScriptTokens,
    mac: str,
    *,
    url: str,
    language: Language = Language.IPXE,
) -> str:
    """The script that boots a node; `url` is where it reaches us."""
    what = f"the script of {decision.node.name}"
    with _replaceable(what):
        snapshot = _snapshot(paths, revision)
        writer = _writer(paths, revision, url, language)
        with timed(what):
            return writer.boot(decision, snapshot, tokens, mac=MacAddress(mac))


def other_script(
    paths: Paths, revision: str, decision: Other, mac: str, url: str, *, language: Language = Language.IPXE
) -> str:
    """The script of a machine that boots no image."""
    what = f"the script for {mac}"
    with _replaceable(what), timed(what):
        return _writer(paths, revision, url, language).other(decision, MacAddress(mac))


def overlay(paths: Paths, revision: str, node: str, kind: OverlayKind, generation: str) -> RenderedOverlay:
    """The overlay archive of a node over the image generation that it boots."""
    what = f"the {kind} overlay of {node}"
    with _replaceable(what):
        resolved = _snapshot(paths, revision).nodes.get(node)
        if resolved is None:
            raise RenderError(f"revision {revision[:16]} has no node {node}")
        with timed(what):
            around = _surroundings(paths, revision, _identity(paths.keys).stamp)
            context = around.context(resolved, generation)
            library, names = _library(paths, revision), kind.names(resolved)
            tree = library.tree(names, kind.view(context))
            private = [piece for piece in library.pieces(names, context) if piece.is_private]
            secrets = frozenset(name for piece in private for name in piece.secrets)
            return replace(pack(tree), has_secrets=bool(private), secrets=secrets)


def _writer(paths: Paths, revision: str, url: str, language: Language) -> ScriptWriter:
    opened = _revision(paths, revision)
    return ScriptWriter(
        _renderer(), lambda name: opened.read(f"templates/{name}.{language}.j2").decode(), url, language
    )


# A revision never changes, so what was read of it holds for as long as it is asked for.
@lru_cache(maxsize=4)
def _snapshot(paths: Paths, revision: str) -> Snapshot:
    return read_snapshot(paths, revision)


@lru_cache(maxsize=4)
def _revision(paths: Paths, revision: str) -> Revision:
    return Revision.open(paths, revision)


# Host keys that were taken over are no part of one: `keys` is another number when there are others.
@lru_cache(maxsize=4)
def _surroundings(paths: Paths, revision: str, keys: int) -> Surroundings:
    del keys
    includes = Includes(SiteFiles(_revision(paths, revision)), _images(paths))
    secrets = SecretFolder.of(paths.site)
    return Surroundings(_snapshot(paths, revision), _identity(paths.keys), includes=includes, secrets=secrets)


# A generation never changes, so what was read of it holds.
@lru_cache(maxsize=1)
def _images(paths: Paths) -> StoredImages:
    return StoredImages(paths)


@lru_cache(maxsize=4)
def _library(paths: Paths, revision: str) -> Library:
    return Library(_revision(paths, revision), _memo())


@lru_cache(maxsize=1)
def _memo() -> RenderMemo:
    return RenderMemo(_renderer())


# Kept for ever: the host keys of all nodes take half a second to derive, and do not change with a revision.
@lru_cache(maxsize=1)
def _identity(folder: Path) -> Identity:
    return Identity(SiteKey.load_or_create(folder), ImportedKeys(folder))


def prune_revisions(paths: Paths, since: float) -> int:
    """Take the revisions older than `since` (Unix seconds) that nothing names; how many went."""
    return len(prune(paths, since).revisions)


@contextmanager
def _replaceable(what: str) -> Iterator[None]:
    """Tell a lack of memory as ExhaustedError."""
    try:
        yield
    except (MemoryError, SystemError):
        # Where no memory is left, some functions of Python fail without saying why: a SystemError.
        raise ExhaustedError(f"{what} needs more memory than a worker has") from None

"""What is written now, as a published snapshot: compiled when it has to be, from what is published already.

Nothing is compiled while files are unchanged, so nothing here imports what compiles before it is needed.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, Problem
from provisioner.host.files import give_like_folder, make_folder
from provisioner.registry.collect import SourceFile, collect, overlay_names, script_names, site_files
from provisioner.registry.published import Published, boot_id
from provisioner.registry.revision import RevisionManifest, describe
from provisioner.registry.schema import VERSION, snapshot_path

if TYPE_CHECKING:
    from provisioner.model.resolved import ResolvedNode
    from provisioner.model.written import Site

# The daemon keeps the newest ones, and those of boots under way, which commands do not know of: they leave more.
KEPT = 8
KEPT_BY_COMMANDS = 32

_MODE = 0o640
_SITE = "site/"
_TEMPORARY = ".new."
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True)
class Compilation:
    """A compiled revision, in memory.

    `changed` are the nodes that are others than in the `base` (a revision, or None), with their full provenance;
    None for one that is gone.
    """

    revision: str
    base: str | None
    changed: Mapping[str, ResolvedNode | None]
    published: Published

    @property
    def site(self) -> Site | None:
        """What provisioner.yaml says, or None where it cannot be used."""
        return self.published.site()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the files by themselves, sorted; images are looked at elsewhere."""
        return self.published.problems()


def current(paths: Paths) -> Published:
    """What is written now. Raises what `collect` raises; mistakes in what is written are in the result."""
    return obtain(paths, collect(paths))


def obtain(paths: Paths, files: Mapping[str, SourceFile]) -> Published:
    """The snapshot of these files; compiled when there is none, and published if the state may be written."""
    manifest = describe(files)
    try:
        return Published.open(paths, manifest.revision)
    except (NotFoundError, IntegrityError, OSError):
        compilation = _compiled(paths, files, manifest)
    # A user who may only look at the site can have all answers too; they take longer. Where there is no site,
    # looking for one makes no folder.
    with suppress(OSError, sqlite3.Error):
        if paths.site_file.exists():
            publish(paths, compilation)
            prune(paths)
    return compilation.published


def compile_files(paths: Paths, files: Mapping[str, SourceFile], base: Published | None) -> Compilation:
    """Compile collected files, beginning with what a base has of them. Never raises for what is written."""
    return _compile(paths, files, describe(files), base)


def publish(paths: Paths, compilation: Compilation) -> Published:
    """Write a compilation under the name of its revision, whole or not at all.

    The file is not synced: it can be made again, and `Published.open` notices when pages of it are missing after a
    power cut. Raises OSError or sqlite3.Error when the state cannot be written.
    """
    _write(paths, compilation.published)
    return compilation.published


def publish_if_absent(paths: Paths, published: Published) -> None:
    """Write what could not be written when it was compiled. Raises what `publish` raises."""
    if not snapshot_path(paths, published.revision).exists():
        _write(paths, published)


def prune(paths: Paths, keep: Collection[str] = (), *, newest: int = KEPT_BY_COMMANDS) -> None:
    """Remove snapshots but for the `newest` ones, the current one and those of the revisions in `keep`.

    One that is asked for again is compiled again from the kept contents of its revision (`store.open_revision`).
    """
    named = {snapshot_path(paths, revision) for revision in keep}
    with suppress(FileNotFoundError):
        named.add(snapshot_path(paths, paths.current_revision.read_text().strip()))
    for place in _newest(paths)[newest:]:
        if place not in named:
            place.unlink(missing_ok=True)
    for place in paths.snapshots.glob(f"{_TEMPORARY}*"):
        # Whoever writes one takes a moment; an old one belongs to somebody who was killed.
        with suppress(FileNotFoundError):
            if place.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                place.unlink()


def _write(paths: Paths, published: Published) -> None:
    target = snapshot_path(paths, published.revision)
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    try:
        give_like_folder(handle, target.parent)
        os.fchmod(handle, _MODE)
        with closing(sqlite3.connect(name)) as file:
            file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            published.database.backup(file)
        Path(name).replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    finally:
        os.close(handle)


def _compiled(paths: Paths, files: Mapping[str, SourceFile], manifest: RevisionManifest) -> Compilation:
    base = _base(paths)
    try:
        return _compile(paths, files, manifest, base)
    except (IntegrityError, sqlite3.Error):
        # A base that turns out to be damaged.
        return _compile(paths, files, manifest, None)
    finally:
        if base is not None:
            base.close()


def _compile(
    paths: Paths, files: Mapping[str, SourceFile], manifest: RevisionManifest, base: Published | None
) -> Compilation:
    from provisioner.registry.compilation import Before, Inputs, Work  # noqa: PLC0415 - takes longer to import than a snapshot to open
    from provisioner.registry.rows import layout  # noqa: PLC0415 - as above
    from provisioner.registry.sources import Sources  # noqa: PLC0415 - as above
    from provisioner.registry.tables import Tables  # noqa: PLC0415 - as above

    contents = site_files(files)
    digests = {file: manifest.files[f"{_SITE}{file}"].digest for file in contents}
    inputs = Inputs(Sources(contents), digests, overlay_names(files), script_names(files))
    tables = Tables(base.database if base else None)
    work = Work(tables, Before.of(tables), inputs)
    with _without_collector():
        work.run()
    tables.describe({"version": VERSION, "revision": manifest.revision, "boot": boot_id(), **layout()})
    published = Published(tables.database, snapshot_path(paths, manifest.revision))
    return Compilation(manifest.revision, base.revision if base else None, work.changed, published)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Half of the time of a compilation went into looking for garbage among what it makes and keeps."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _base(paths: Paths) -> Published | None:
    """The newest published snapshot that knows nodes, or else the newest one, to begin a compilation with."""
    without_nodes = None
    for place in _newest(paths)[:KEPT]:
        with suppress(NotFoundError, IntegrityError, OSError):
            published = Published.open(paths, place.stem)
            if published.usable:
                return published
            without_nodes = published
    return without_nodes


def _newest(paths: Paths) -> list[Path]:
    times: list[tuple[float, Path]] = []
    # Whoever may not look into the state has no snapshots; one that goes meanwhile is none.
    with suppress(OSError):
        for place in sorted(paths.snapshots.glob("*.sqlite")):
            with suppress(FileNotFoundError):
                times.append((place.stat().st_mtime, place))
    return [place for _, place in sorted(times, reverse=True)]

"""Which revision is served, and its snapshot, which is compiled again from the kept contents when it is gone."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, IntegrityError, NotFoundError
from provisioner.host.files import write_atomically
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.registry.collect import SourceFile
from provisioner.registry.compiler import compile_files, publish
from provisioner.registry.published import Published
from provisioner.registry.revision import Revision

_MODE = 0o640


def open_revision(paths: Paths, revision: str) -> Published:
    """The snapshot of a revision: as published, or compiled again from what was kept of it.

    Raises NotFoundError for a revision that was neither published nor kept, IntegrityError when what was kept is
    damaged.
    """
    try:
        return Published.open(paths, revision)
    except (NotFoundError, IntegrityError) as error:
        try:
            kept = Revision.open(paths, revision)
        except NotFoundError:
            raise error from None
    files = {key: SourceFile(each.kind, each.mode, kept.read(key)) for key, each in kept.files.items()}
    compilation = compile_files(paths, files, None)
    with suppress(OSError, sqlite3.Error):
        publish(paths, compilation)
    return compilation.published


def read_snapshot(paths: Paths, revision: str) -> Snapshot:
    """The whole snapshot of a revision. Raises what `open_revision` raises."""
    with open_revision(paths, revision) as published:
        return published.snapshot()


def follow(paths: Paths, old: Snapshot, revision: str) -> Snapshot:
    """The snapshot of a revision, made of another one by reading only what differs. Raises as `read_snapshot`."""
    try:
        with Published.open(paths, old.revision) as base, Published.open(paths, revision) as published:
            changed = published.changes_since(base)
            site = old.site if published.meta["site"] == base.meta["site"] else published.site()
    except (NotFoundError, IntegrityError):
        return read_snapshot(paths, revision)
    return old.changed(revision, site, changed) if site else read_snapshot(paths, revision)


def read_node(paths: Paths, revision: str, name: str) -> ResolvedNode | None:
    """One node of a revision, reading its row alone; None when the revision has no such node.

    Raises what `open_revision` raises.
    """
    with open_revision(paths, revision) as published:
        return published.node(name)


def read_current(paths: Paths) -> str | None:
    """The full name of the revision that is served, or None before the first one."""
    try:
        return paths.current_revision.read_text().strip() or None
    except FileNotFoundError:
        return None


def set_current(paths: Paths, revision: str) -> None:
    """Make a published revision the one that is served.

    Raises NotFoundError when it is not published, ConfigError when something is wrong with it.
    """
    with Published.open(paths, revision) as published:
        problems = published.problems()
    if problems:
        raise ConfigError(problems)
    if read_current(paths) == revision:
        # The state may be read-only, and what is written stays served all the same.
        return
    write_atomically(paths.current_revision, f"{revision}\n".encode(), mode=_MODE)

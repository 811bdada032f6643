"""Compiled snapshots: one SQLite file a revision, published by rename; readers read the rows that they need."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError
from provisioner.host.files import sync_directory, write_atomically
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Site

_VERSION = "1"
_MODE = 0o640
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE node (name TEXT PRIMARY KEY, json TEXT NOT NULL, provenance TEXT NOT NULL);
CREATE TABLE mac (mac TEXT PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE address (address TEXT PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID;
"""


def publish(paths: Paths, snapshot: Snapshot) -> Path:
    """Write a snapshot under the name of its revision, whole or not at all. One that is there is left alone."""
    target = _path(paths, snapshot.revision)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        _write(temporary, snapshot)
        _sync(temporary)
        temporary.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_directory(target.parent)
    return target


def read_snapshot(paths: Paths, revision: str) -> Snapshot:
    """The whole snapshot of a revision; NotFoundError when it was never published, IntegrityError when damaged."""
    with _opened(paths, revision) as database:
        (site,) = database.execute("SELECT value FROM meta WHERE key = 'site'").fetchone()
        rows = database.execute("SELECT json, provenance FROM node ORDER BY name").fetchall()
    return Snapshot.build(revision, Site.model_validate_json(site), (_node(*row) for row in rows))


def read_node(paths: Paths, revision: str, name: str) -> ResolvedNode | None:
    """One node of a revision, reading its row alone; None when the revision has no such node.

    Raises NotFoundError for a revision that was never published, IntegrityError for a damaged one.
    """
    with _opened(paths, revision) as database:
        row = database.execute("SELECT json, provenance FROM node WHERE name = ?", (name,)).fetchone()
    return _node(*row) if row else None


def read_current(paths: Paths) -> str | None:
    """The full name of the revision that is served, or None before the first one."""
    try:
        return paths.current_revision.read_text().strip() or None
    except FileNotFoundError:
        return None


def set_current(paths: Paths, revision: str) -> None:
    """Make a published revision the one that is served; NotFoundError when it is not published."""
    if not _path(paths, revision).exists():
        raise _unpublished(revision)
    write_atomically(paths.current_revision, f"{revision}\n".encode(), mode=_MODE)


def _path(paths: Paths, revision: str) -> Path:
    # A name from elsewhere must not become a path.
    return paths.snapshots / f"{revision if revision.isalnum() else 'invalid'}.sqlite"


def _write(path: Path, snapshot: Snapshot) -> None:
    meta = {"version": _VERSION, "revision": snapshot.revision, "site": snapshot.site.model_dump_json()}
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_SCHEMA)
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.executemany("INSERT INTO node VALUES (?, ?, ?)", map(_row, snapshot.nodes.values()))
        macs = ((mac, node.name) for mac, node in snapshot.by_mac.items())
        database.executemany("INSERT INTO mac VALUES (?, ?)", macs)
        addresses = ((str(address), node.name) for address, node in snapshot.by_address.items())
        database.executemany("INSERT INTO address VALUES (?, ?)", addresses)
        database.commit()


def _row(node: ResolvedNode) -> tuple[str, str, str]:
    # Provenance is most of the bytes, and few readers want it: it has a column of its own.
    provenance = {
        key: [[source.file, source.line, source.entry, source.column] for source in sources]
        for key, sources in node.provenance.items()
    }
    return node.name, node.model_dump_json(exclude={"provenance"}), json.dumps(provenance)


def _node(text: str, provenance: str) -> ResolvedNode:
    sources = {
        key: [dict(zip(("file", "line", "entry", "column"), each, strict=True)) for each in places]
        for key, places in json.loads(provenance).items()
    }
    return ResolvedNode.model_validate({**json.loads(text), "provenance": sources})


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fchmod(stream.fileno(), _MODE)
        os.fsync(stream.fileno())


@contextmanager
def _opened(paths: Paths, revision: str) -> Iterator[sqlite3.Connection]:
    path = _path(paths, revision)
    try:
        # SQLite does not tell missing rights from a missing file; the system does.
        path.open("rb").close()
    except FileNotFoundError:
        raise _unpublished(revision) from None
    try:
        # Immutable: the file is never written again, so no lock and no journal is looked for.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as database:
            yield database
    except sqlite3.Error as error:
        hint = f"rm {path}; the daemon compiles it again when it starts: prov serve"
        raise IntegrityError(f"the compiled snapshot {path} is damaged: {error}", hint=hint) from None


def _unpublished(revision: str) -> NotFoundError:
    hint = "the daemon publishes what is written when it starts: prov serve"
    return NotFoundError(f"revision {revision} is not published", hint=hint)

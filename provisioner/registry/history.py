"""What was changed, by whom, and the texts before and after: the SQLite file of all changes, read.

Contents lie in the file too, packed and by digest: one transaction records a change with all that undoing it
takes, and no other part of the state has to be kept for it. `record` writes it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, UnavailableError

VERSION = 1
BY_HAND = "(by hand)"

# Seconds to wait for somebody who writes.
_PATIENCE = 10.0
# Whole numbers of SQLite have 63 bits and a sign.
_HIGHEST = (1 << 63) - 1
# What SQLite answers for a file that is whole (sqlite.org/rescode.html): for want of rights, and otherwise.
_RIGHTS = frozenset({sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_TROUBLES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL})


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file below the site root, and the SHA-256 of its content before and after; None for no file."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of the site. `time` is Unix seconds, `before` and `after` are revisions, None where unknown.

    `undoes` is the change that this one takes back, `undone_by` the one that takes this back.
    """

    id: int
    time: float
    who: str
    command: str
    message: str
    before: str | None
    after: str | None
    undoes: int | None
    undone_by: int | None
    files: tuple[ChangedFile, ...]


def changes(paths: Paths, *, limit: int = 100, file: str | None = None, before: int | None = None) -> list[Change]:
    """The newest changes, newest first; of one file only; older than the change `before`.

    A site that was never changed by a program has none. Raises IntegrityError for a damaged file, and
    UnavailableError for one that cannot be opened.
    """
    with _opened(paths.history) as database:
        if database is None:
            return []
        rows = database.execute(
            "SELECT * FROM change WHERE (:before IS NULL OR id < :before) AND (:file IS NULL OR EXISTS"
            " (SELECT 1 FROM change_file WHERE change_file.change = change.id AND path = :file))"
            " ORDER BY id DESC LIMIT :limit",
            {"before": before, "file": file, "limit": limit},
        ).fetchall()
        undone = _undone(database)
        return [_change(database, row, undone) for row in rows]


def change(paths: Paths, number: int) -> Change:
    """The change with this id; NotFoundError when there is none."""
    found = changes(paths, limit=1, before=number + 1) if 0 < number < _HIGHEST else []
    if not found or found[0].id != number:
        raise NotFoundError(f"there is no change {number}", hint="prov history")
    return found[0]


def named(paths: Paths, since: float) -> tuple[set[str], set[str]]:
    """The revisions that changes since a time (Unix seconds) name, and the digests of texts that any change names.

    Raises as `changes`.
    """
    with _opened(paths.history) as database:
        if database is None:
            return set(), set()
        later = database.execute("SELECT before, after FROM change WHERE time >= ?", (since,)).fetchall()
        texts = database.execute("SELECT before, after FROM change_file").fetchall()
    return {each for row in later for each in row if each}, {each for row in texts for each in row if each}


def content(paths: Paths, digest: str) -> bytes:
    """A text that some change knew, by its digest.

    Overlays and templates come from the revisions that a daemon kept; NotFoundError when none did.
    """
    with _opened(paths.history) as database:
        query = "SELECT data FROM content WHERE digest = ?"
        row = None if database is None else database.execute(query, (digest,)).fetchone()
    if row is not None:
        return zlib.decompress(row["data"])
    try:
        return (paths.objects / digest[:2] / digest).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"the content {digest[:16]} is not kept", hint="git log, if the site is in git"
        ) from None


def damaged(path: Path, error: Exception) -> IntegrityError:
    """What to say of a history that SQLite or zlib cannot read."""
    hint = f"mv {path} {path}.damaged; the next change begins a new one"
    return IntegrityError(f"the history {path} cannot be used: {error}", hint=hint)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection | None]:
    if not _is_there(path):
        yield None
        return
    try:
        # Not read-only: after a crash a reader has to roll back what was half written.
        with closing(sqlite3.connect(path, timeout=_PATIENCE)) as database:
            database.row_factory = sqlite3.Row
            # A writer that was killed before its first change leaves an empty one.
            yield database if check_version(path, database) else None
    except sqlite3.OperationalError as error:
        raise _hindered(path, error) from None
    except (sqlite3.Error, zlib.error) as error:
        raise damaged(path, error) from None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError as error:
        raise _closed(path, error.strerror or str(error)) from None


def _hindered(path: Path, error: sqlite3.OperationalError) -> IntegrityError | UnavailableError:
    # The low byte is the code without its details; an error of Python's own has none.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _RIGHTS:
        return _closed(path, str(error))
    if code in _TROUBLES:
        hint = f"try again; df -h {path.parent}"
        return UnavailableError(f"the history {path} cannot be read now: {error}", hint=hint)
    return damaged(path, error)


def _closed(path: Path, reason: str) -> UnavailableError:
    hint = f"run prov as root or as a member of the group that owns {path.parent}; ls -l {path}"
    return UnavailableError(f"the history {path} cannot be opened: {reason}", hint=hint)


def check_version(path: Path, database: sqlite3.Connection) -> bool:
    """Whether the history has its tables; IntegrityError when another version of this program made them."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version not in {0, VERSION}:
        raise damaged(path, ValueError(f"it has version {version}, and this program reads {VERSION}"))
    return version == VERSION


def _undone(database: sqlite3.Connection) -> dict[int, int]:
    """What is taken back, and by which change. An undo that is itself taken back counts no longer."""
    rows = database.execute("SELECT id, undoes FROM change WHERE undoes IS NOT NULL ORDER BY id DESC")
    undone: dict[int, int] = {}
    for row in rows:
        if row["id"] not in undone:
            undone.setdefault(row["undoes"], row["id"])
    return undone


def _change(database: sqlite3.Connection, row: sqlite3.Row, undone: dict[int, int]) -> Change:
    query = "SELECT path, before, after FROM change_file WHERE change = ? ORDER BY path"
    files = tuple(ChangedFile(*each) for each in database.execute(query, (row["id"],)))
    values: dict[str, Any] = {key: row[key] for key in row.keys() if key != "uid"}  # noqa: SIM118 - a Row is no dict
    return Change(**values, undone_by=undone.get(row["id"]), files=files)

"""Recording changes in the history: one transaction of SQLite a change, synced before the journal is closed."""

from __future__ import annotations

import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.host.files import write_synced
from provisioner.host.journal import Journal, Note
from provisioner.registry.history import BY_HAND, VERSION, ChangedFile, check_version, damaged

_SCHEMA = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, time REAL NOT NULL, who TEXT NOT NULL, command TEXT NOT NULL,
    message TEXT NOT NULL, before TEXT, after TEXT, undoes INTEGER
);
CREATE TABLE change_file (
    change INTEGER NOT NULL, path TEXT NOT NULL, before TEXT, after TEXT, PRIMARY KEY (change, path)
) WITHOUT ROWID;
CREATE INDEX change_file_by_path ON change_file (path, change);
CREATE TABLE content (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE present (path TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
"""
_MODE = 0o640
_FAST = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What is recorded of a change besides its files: who made it, what was typed, why, and what it undoes.

    Whoever fills `command` leaves secrets out of it: the history is kept for good.
    """

    who: str
    command: str
    message: str = ""
    undoes: int | None = None

    def note(self, before: str | None, after: str) -> Note:
        """The note in the journal of a change from one revision to another, which can be recorded later, once."""
        return {
            "uid": uuid.uuid4().hex,
            "time": time.time(),
            "who": self.who,
            "command": self.command,
            "message": self.message,
            "before": before,
            "after": after,
            "undoes": self.undoes,
        }


def record(paths: Paths, journal: Journal) -> None:
    """Record the change of a journal, unless it is recorded already.

    Raises UnavailableError when the disk does not take it, and IntegrityError for a damaged history.
    """
    files = [ChangedFile(step.path, step.before, step.after) for step in journal.steps]
    contents = {step.after: step.content for step in journal.steps if step.after and step.content is not None}
    with _transaction(paths.history) as database:
        _insert(database, journal.note, files)
        _keep(database, contents)


def remark(paths: Paths, about: About) -> None:
    """Record what changed no file of a revision, such as a secret. Raises what `record` raises."""
    with _transaction(paths.history) as database:
        revision = _last_revision(database)
        _insert(database, {**about.note(revision, ""), "after": revision}, ())


def catch_up(paths: Paths, present: Mapping[str, str], contents: Mapping[str, bytes], revision: str) -> None:
    """Record what was changed past the programs since the last change, so that the history has no hole.

    `present` has the digest of every file of the revision that is written now, by path below the site root, and
    `contents` the texts of those that a program may change. Without a history one begins here, with no change.
    """
    with _transaction(paths.history) as database:
        known = dict(database.execute("SELECT path, digest FROM present").fetchall())
        if known == present:
            return
        differing = sorted(path for path in {*known, *present} if known.get(path) != present.get(path))
        files = [ChangedFile(path, known.get(path), present.get(path)) for path in differing]
        if known:
            about = About(who=BY_HAND, command="", message="changed outside of prov, noticed now")
            _insert(database, about.note(_last_revision(database), revision), files)
        else:
            _settle(database, files)
        _keep(database, {present[path]: contents[path] for path in differing if path in contents})


def _insert(database: sqlite3.Connection, note: Note, files: Iterable[ChangedFile]) -> None:
    files = tuple(files)
    cursor = database.execute(
        "INSERT INTO change (uid, time, who, command, message, before, after, undoes)"
        " VALUES (:uid, :time, :who, :command, :message, :before, :after, :undoes) ON CONFLICT (uid) DO NOTHING",
        dict(note),
    )
    if cursor.rowcount != 1:
        return
    rows = [(cursor.lastrowid, each.path, each.before, each.after) for each in files]
    database.executemany("INSERT INTO change_file VALUES (?, ?, ?, ?)", rows)
    _settle(database, files)


def _settle(database: sqlite3.Connection, files: Iterable[ChangedFile]) -> None:
    for each in files:
        if each.after is None:
            database.execute("DELETE FROM present WHERE path = ?", (each.path,))
        else:
            database.execute("INSERT OR REPLACE INTO present VALUES (?, ?)", (each.path, each.after))


def _keep(database: sqlite3.Connection, contents: Mapping[str, bytes]) -> None:
    rows = ((digest, zlib.compress(content, _FAST)) for digest, content in contents.items())
    database.executemany("INSERT OR IGNORE INTO content VALUES (?, ?)", rows)


def _last_revision(database: sqlite3.Connection) -> str | None:
    row = database.execute("SELECT after FROM change ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else row[0]


@contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    # No write-ahead log: commands come and go, and closing a log costs more than it saves.
    try:
        # Made before SQLite does, so that it is never open to everybody: it holds all that people wrote.
        if not path.exists():
            write_synced(path, b"", mode=_MODE)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            if not check_version(path, database):
                _create(database)
            yield database
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        hint = f"df -h {path.parent}; ls -l {path}"
        raise UnavailableError(f"nothing was changed: the history {path}: {error}", hint=hint) from None
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from None


def _create(database: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")

"""The rows of a snapshot that is being compiled: replaced in groups, by file or by node."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from provisioner.errors import Problem
from provisioner.registry.schema import SCHEMA

_WIDTHS = {
    "file": 2,
    "node": 3,
    "shared": 3,
    "shared_group": 2,
    "shared_tag": 3,
    "member": 2,
    "claim": 9,
    "reference": 3,
    "image_use": 4,
    "group_entry": 7,
    "problem": 6,
}


class Tables:
    """A database in memory that begins with the rows of another one, or with none."""

    def __init__(self, base: sqlite3.Connection | None) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        if base is None:
            self.database.executescript(SCHEMA)
        else:
            base.backup(self.database)

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.database.execute(query, values).fetchall()

    def column(self, query: str, names: Iterable[str]) -> list[str]:
        """The first column of a query with one value, a list of names: `IN (SELECT value FROM json_each(?))`."""
        return [first for (first,) in self.rows(query, (json.dumps(list(names)),))]

    def insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Add rows."""
        marks = ", ".join("?" * _WIDTHS[table])
        self.database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - a table's name of ours

    def delete(self, table: str, column: str, values: Iterable[object]) -> None:
        """Remove the rows that hold one of some values."""
        statement = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - as above
        self.database.executemany(statement, ((value,) for value in values))

    def clear(self, *tables: str) -> None:
        """Remove all rows of tables."""
        for table in tables:
            self.database.execute(f"DELETE FROM {table}")  # noqa: S608 - as above

    def add_problems(self, origin: str, problems: Iterable[Problem]) -> None:
        """Add problems that one look at the site found."""
        rows = ((origin, each.file, each.line, each.column, each.message, each.hint) for each in problems)
        self.insert("problem", rows)

    def drop_problems(self, origin: str, files: Iterable[str]) -> None:
        """Remove the problems of one origin in some files."""
        statement = "DELETE FROM problem WHERE origin = ? AND file = ?"
        self.database.executemany(statement, ((origin, file) for file in files))

    def meta(self) -> dict[str, str]:
        """What is said of the snapshot as a whole."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def describe(self, said: Mapping[str, str]) -> None:
        """Say something of the snapshot as a whole."""
        self.database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", said.items())

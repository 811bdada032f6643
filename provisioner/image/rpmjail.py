"""The process that reads an image's rpm database: SQLite gets a file that somebody else may have made to harm it.

Run as `python -m provisioner.image.rpmjail FOLDER` by `image.rpm`, as root. It locks itself into a folder that
holds nothing but a copy of the database, becomes nobody, and prints one JSON object for each package, and one with
an `error` where it cannot go on.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.image import bdb, rpmheader

SQLITE = "rpmdb.sqlite"
BERKELEY = "Packages"

_NOBODY = 65534
_MEMORY = 1 << 30
_OUTPUT = 256 << 20
_SECONDS = 300
_MOST_PACKAGES = 100_000


def main(arguments: list[str]) -> int:
    """Print the packages of the database in the folder that is the first argument."""
    _confine(arguments[0])
    try:
        sqlite = Path("/", SQLITE)
        blobs = _sqlite(sqlite) if sqlite.exists() else _berkeley(Path("/", BERKELEY))
        for header in map(rpmheader.parse, islice(blobs, _MOST_PACKAGES)):
            record = {"name": header.name, "version": header.version, "architecture": header.architecture}
            sys.stdout.write(json.dumps({**record, "files": header.files}) + "\n")
    except (sqlite3.Error, IntegrityError, OSError, MemoryError) as error:
        sys.stdout.write("\n" + json.dumps({"error": str(error) or type(error).__name__}) + "\n")
    return 0


def _berkeley(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        # Beside the headers there is one number: how many there have been.
        yield from (value for value in bdb.values(stream) if len(value) > 4)


def _sqlite(file: Path) -> Iterator[bytes]:
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = 'Packages'").fetchone()
        if kind != ("table",):
            raise IntegrityError("the database has no table of packages")
        for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
            if not isinstance(blob, bytes):
                raise IntegrityError("a package in the database is no header")
            yield blob
    finally:
        connection.close()


def _confine(folder: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT, _OUTPUT))
    os.chroot(folder)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

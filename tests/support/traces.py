"""Looking for secrets in everything that a site keeps, whatever they are packed in."""

from __future__ import annotations

import sqlite3
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

_SQLITE = b"SQLite format 3\0"


def traces(secrets: Mapping[str, bytes], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """`PLACE: NAME` for every place with a secret in it: as it is, in hexadecimal, or inside of Base64."""
    forms = {name: tuple(_forms(secret)) for name, secret in secrets.items()}
    return [
        f"{place}: {name}"
        for place, content in places
        for name, known in forms.items()
        if any(each in content for each in known)
    ]


def files_below(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder by its path there, and the rows of those that are databases, unpacked."""
    for path in sorted(root.rglob("*")):
        # What a daemon writes beside its place is not there any more when it has its name.
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink():
                name, content = str(path.relative_to(root)), path.read_bytes()
                yield name, content
                if content.startswith(_SQLITE):
                    yield f"{name} (rows)", b"\n".join(_rows(path))


def _rows(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield value.encode() if isinstance(value, str) else _unpacked(value)


def _unpacked(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    with suppress(zlib.error):
        return zlib.decompress(value)
    return value


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        # What stands before and after the secret decides about the first and the last digits only.
        digits = b64encode(bytes(before) + secret).rstrip(b"=")
        whole = (before + len(secret)) // 3 * 4
        yield digits[(0, 2, 3)[before] : whole]

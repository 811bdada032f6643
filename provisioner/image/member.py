"""One member of a layer's archive: its data, its time and its extended attributes."""

from __future__ import annotations

import base64
import binascii
import os
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from provisioner.errors import IntegrityError

_CHUNK = 1 << 20


def write_file(archive: tarfile.TarFile, place: Path, member: tarfile.TarInfo) -> None:
    """Make a file with a member's data, holes kept. FileExistsError when anything has the name."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as target:
        # A sparse member of a stream cannot be read through extractfile(): its segments lie back to back.
        source = cast(IO[bytes], archive.fileobj)
        source.seek(member.offset_data)
        for offset, size in _segments(member):
            target.seek(offset)
            _copy(source, target, size)
        target.truncate(member.size)


def _segments(member: tarfile.TarInfo) -> list[tuple[int, int]]:
    # tarfile's public interface hides what it knows of the holes.
    sparse = cast("list[tuple[int, int]] | None", getattr(member, "sparse", None))
    return [(0, member.size)] if sparse is None else sparse


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        chunk = source.read(min(size, _CHUNK))
        if not chunk:
            raise IntegrityError("the archive ends in the middle of a file")
        target.write(chunk)
        size -= len(chunk)


def time_of(member: tarfile.TarInfo) -> int:
    """The time of last change in nanoseconds since 1970."""
    return int(member.mtime * 10**9)


def xattrs_of(member: tarfile.TarInfo) -> list[tuple[str, bytes]]:
    """The extended attributes of a member in the notations of GNU tar and of libarchive."""
    found = []
    for key, value in member.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            found.append((key.removeprefix("SCHILY.xattr."), value.encode("utf-8", "surrogateescape")))
        elif key.startswith("LIBARCHIVE.xattr."):
            with suppress(binascii.Error):
                found.append((key.removeprefix("LIBARCHIVE.xattr."), base64.b64decode(value + "==")))
    return found

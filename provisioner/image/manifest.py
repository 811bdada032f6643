"""The list of everything in a tree. Its digest is the tree's name, so equal content has an equal name.

One JSON object a line, sorted by path: type, mode, owner, size, device, link, extended attributes and sha256.
Times are left out: a rebuild of the same packages touches many files and changes nothing that a node would see.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "character-device",
    stat.S_IFBLK: "block-device",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}
_ACL = "system.posix_acl_"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tree amounts to. `size` is the sum of file sizes in bytes; `acls` are paths with POSIX ACLs."""

    tree: str
    entries: int
    size: int
    acls: tuple[str, ...]


def write(root: Path, output: Path) -> Manifest:
    """Read a whole tree and write its list; `sha256sum` of the list gives the tree's name."""
    sha256 = hashlib.sha256()
    entries = size = 0
    acls: list[str] = []
    with output.open("wb") as stream:
        for entry in entries_of(root):
            line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            sha256.update(line)
            stream.write(line)
            entries += 1
            size += entry.get("size", 0)
            if any(name.startswith(_ACL) for name in entry.get("xattrs", ())):
                acls.append(entry["path"])
        stream.flush()
        os.fsync(stream.fileno())
    return Manifest(f"sha256:{sha256.hexdigest()}", entries, size, tuple(acls))


def entries_of(root: Path) -> Iterator[dict[str, Any]]:
    """Every entry below and including a root, sorted, with fields that are zero or empty left out."""
    first_names: dict[tuple[int, int], str] = {}
    for place, path in _walk(root):
        status = place.lstat()
        entry = _describe(place, path, status)
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode) and identity in first_names:
            entry = {"path": path, "type": "hard-link", "target": first_names[identity]}
        elif stat.S_ISREG(status.st_mode):
            entry |= {"size": status.st_size, "sha256": _sha256(place)}
        first_names.setdefault(identity, path)
        yield entry


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    pending = [(root, ".")]
    while pending:
        place, path = pending.pop()
        yield place, path
        if place.is_dir() and not place.is_symlink():
            prefix = "" if path == "." else f"{path}/"
            names = sorted(os.listdir(place), key=os.fsencode, reverse=True)  # noqa: PTH208 - names, not paths
            pending.extend((place / name, prefix + name) for name in names)


def _describe(place: Path, path: str, status: os.stat_result) -> dict[str, Any]:
    kind = stat.S_IFMT(status.st_mode)
    fields = {
        "path": path,
        "type": _KINDS[kind],
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "device": f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" if status.st_rdev else "",
        "target": os.readlink(place) if kind == stat.S_IFLNK else "",  # noqa: PTH115 - exactly as stored
        "xattrs": _xattrs(place),
    }
    return {key: value for key, value in fields.items() if value}


def _xattrs(place: Path) -> dict[str, str]:
    names = os.listxattr(place, follow_symlinks=False)
    return {name: os.getxattr(place, name, follow_symlinks=False).hex() for name in sorted(names)}


def _sha256(place: Path) -> str:
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

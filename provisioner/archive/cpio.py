"""The newc cpio archive, the format that the Linux kernel and every initramfs read.

Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's source tells the layout. The output
depends on nothing but the entries: times are zero, inodes count from 1.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

from provisioner.archive.tree import Entry, Kind

_MAGIC = b"070701"
_LIMIT = 0xFFFFFFFF
_FIELDS = (
    *("ino", "mode", "uid", "gid", "nlink", "mtime", "filesize"),
    *("devmajor", "devminor", "rdevmajor", "rdevminor", "namesize", "check"),
)
_HEADER_SIZE = len(_MAGIC) + 8 * len(_FIELDS)
TRAILER = "TRAILER!!!"
LIMIT = _LIMIT
"""The largest number that a field holds, and so the largest file in bytes."""


def pack(entries: Iterable[Entry]) -> bytes:
    """The archive of entries in their order; parents, where they are entries, must come before what they hold.

    Raises ValueError for what the format cannot hold.
    """
    members = [_member(inode, entry) for inode, entry in enumerate(entries, start=1)]
    return b"".join([*members, trailer()])


def trailer() -> bytes:
    """What ends an archive."""
    return header(TRAILER, nlink=1)


def unpack(archive: bytes) -> list[Entry]:
    """The entries of an archive that `pack` made, in their order. ValueError for another one."""
    found: list[Entry] = []
    view, place = memoryview(archive), 0
    while True:
        fields = _fields(view[place : place + _HEADER_SIZE])
        name_at = place + _HEADER_SIZE
        name = bytes(view[name_at : name_at + fields["namesize"] - 1]).decode("utf-8", "surrogateescape")
        if name == TRAILER:
            return found
        content_at = _aligned(name_at + fields["namesize"])
        content = bytes(view[content_at : content_at + fields["filesize"]])
        kind, mode = Kind(stat.S_IFMT(fields["mode"])), stat.S_IMODE(fields["mode"])
        found.append(Entry(name, kind, content, mode, fields["uid"], fields["gid"]))
        place = _aligned(content_at + fields["filesize"])


def _fields(header: memoryview) -> dict[str, int]:
    text = bytes(header)
    if len(text) < _HEADER_SIZE or not text.startswith(_MAGIC):
        raise ValueError("this is no newc archive, or it ends too early")
    numbers = (text[at : at + 8] for at in range(len(_MAGIC), _HEADER_SIZE, 8))
    return {name: int(number, 16) for name, number in zip(_FIELDS, numbers, strict=True)}


def _aligned(size: int) -> int:
    return size + -size % 4


def _member(inode: int, entry: Entry) -> bytes:
    if entry.path == TRAILER:
        raise ValueError(f"{TRAILER} is the name that ends an archive; no file in it can have it")
    if len(entry.content) > _LIMIT:
        raise ValueError(f"{entry.path} is larger than 4 GiB, which the newc format cannot hold")
    made = header(
        entry.path,
        ino=inode,
        mode=entry.kind.value | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        nlink=2 if entry.kind is Kind.DIRECTORY else 1,
        filesize=len(entry.content),
    )
    return made + entry.content + padding(len(entry.content))


def header(name: str, **values: int) -> bytes:
    """What comes before the content of a member: its name and fields; those that are not given are zero."""
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    values["namesize"] = len(encoded)
    fields = b"".join(b"%08X" % values.get(field, 0) for field in _FIELDS)
    made = _MAGIC + fields + encoded
    return made + padding(len(made))


def padding(size: int) -> bytes:
    """What comes after so many bytes: names and contents begin at multiples of four."""
    return b"\0" * (-size % 4)

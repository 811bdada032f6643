"""The newc cpio archive, the format that the Linux kernel and every initramfs read.

Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's source tells the layout. The output
depends on nothing but the entries: times are zero, inodes count from 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.archive.tree import Entry, Kind

_MAGIC = b"070701"
_LIMIT = 0xFFFFFFFF
_FIELDS = (
    *("ino", "mode", "uid", "gid", "nlink", "mtime", "filesize"),
    *("devmajor", "devminor", "rdevmajor", "rdevminor", "namesize", "check"),
)
TRAILER = "TRAILER!!!"


def pack(entries: Iterable[Entry]) -> bytes:
    """The archive of entries in their order; parents, where they are entries, must come before what they hold.

    Raises ValueError for what the format cannot hold.
    """
    members = [_member(inode, entry) for inode, entry in enumerate(entries, start=1)]
    return b"".join([*members, _header(TRAILER, nlink=1)])


def _member(inode: int, entry: Entry) -> bytes:
    if entry.path == TRAILER:
        raise ValueError(f"{TRAILER} is the name that ends an archive; no file in it can have it")
    if len(entry.content) > _LIMIT:
        raise ValueError(f"{entry.path} is larger than 4 GiB, which the newc format cannot hold")
    header = _header(
        entry.path,
        ino=inode,
        mode=entry.kind.value | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        nlink=2 if entry.kind is Kind.DIRECTORY else 1,
        filesize=len(entry.content),
    )
    return header + entry.content + _padding(len(entry.content))


def _header(name: str, **values: int) -> bytes:
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    values["namesize"] = len(encoded)
    fields = b"".join(b"%08X" % values.get(field, 0) for field in _FIELDS)
    header = _MAGIC + fields + encoded
    return header + _padding(len(header))


def _padding(size: int) -> bytes:
    return b"\0" * (-size % 4)

"""A tree on its way to another store: an archive of its files, in the order of its list, packed with zstd.

The list (`image.manifest`) says everything but times: owners, modes, links, devices, extended attributes, digests.
So the receiver makes the tree from the list, and takes only the contents and times of the archive, which is an
ordinary one for whoever wants to look into it. Nothing in an archive can lead outside: paths are those of the
list, and everything is made in folders that were made just before, never through a link.

Files that the list of another tree has too (by digest) may be left out: they are copied from that tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from provisioner.errors import IntegrityError
from provisioner.host.run import run, spawn

Entry = dict[str, Any]

_CHUNK = 1 << 20
_LEVEL = "-3"
# How Python keeps the bytes of names that are no text.
_BYTES = "surrogateescape"
_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard-link": tarfile.LNKTYPE,
    "character-device": tarfile.CHRTYPE,
    "block-device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    # No archive can hold a socket: it stands there as a pipe, and the list knows better.
    "socket": tarfile.FIFOTYPE,
}
_NODES = {
    "character-device": stat.S_IFCHR,
    "block-device": stat.S_IFBLK,
    "pipe": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


class Known:
    """Where to find contents that are there already: the files of a tree by their digests. Empty without one."""

    def __init__(self, tree: Path | None = None, listing: Path | None = None) -> None:
        self._places: dict[str, Path] = {}
        for entry in entries(listing) if tree and listing else ():
            if tree and entry["type"] == "file":
                self._places.setdefault(entry["sha256"], tree / entry["path"])

    def place(self, entry: Entry) -> Path | None:
        """The file with the content of an entry."""
        return self._places.get(entry.get("sha256", ""))


def entries(listing: Path) -> Iterator[Entry]:
    """The lines of a list; IntegrityError for one that is none."""
    with listing.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                raise IntegrityError(f"{listing} is no list of a tree") from None
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or "type" not in entry:
                raise IntegrityError(f"{listing} is no list of a tree")
            yield entry


def pack(tree: Path, listing: Path, output: Path, known: Known) -> None:
    """Write the archive of a tree; equal trees give equal bytes. Needs room for it unpacked beside `output`."""
    plain = output.with_name(f"{output.name}.tar")
    with tarfile.open(plain, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors=_BYTES) as archive:
        for entry in entries(listing):
            _pack_one(archive, tree / entry["path"], entry, known)
            _forget(archive)
    run(["zstd", "-q", "-f", _LEVEL, "--rm", plain, "-o", output], timeout=4 * 3600)


def unpack(archive: Path, listing: Path, place: Path, known: Known) -> None:
    """Make the tree of a list in a folder that is not there yet. IntegrityError when the archive does not fit."""
    making = _Making(place, known)
    try:
        with _opened(archive) as members:
            for entry in entries(listing):
                member = members.next()
                if member is None or member.name != entry["path"]:
                    raise IntegrityError(f"the archive of the tree has no {entry['path']} where its list has it")
                making.add(entry, members, member)
                _forget(members)
            making.finish()
    except (FileExistsError, LookupError, TypeError, ValueError, OverflowError, tarfile.TarError) as error:
        raise IntegrityError(f"the archive of the tree or its list cannot be used: {error}") from None


def _forget(archive: tarfile.TarFile) -> None:
    # tarfile keeps every member that it ever saw, and its public interface cannot tell it not to.
    vars(archive)["members"].clear()


def _pack_one(archive: tarfile.TarFile, place: Path, entry: Entry, known: Known) -> None:
    member = _member(entry, place.lstat())
    if entry["type"] != "file" or known.place(entry):
        archive.addfile(member)
        return
    member.size = entry.get("size", 0)
    with place.open("rb") as content:
        archive.addfile(member, content)


class _Making:
    """A tree that grows; folders get their modes and times when everything is in them."""

    def __init__(self, root: Path, known: Known) -> None:
        self._root = root
        self._known = known
        self._folders: dict[str, tuple[Entry, float]] = {}
        self._others: set[str] = set()

    def add(self, entry: Entry, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Make one entry."""
        path, kind = entry["path"], entry["type"]
        place = self._place(path)
        if kind == "directory":
            place.mkdir(mode=0o700)
            self._folders[path] = entry, member.mtime
            return
        self._others.add(path)
        if kind == "hard-link":
            self._link(entry, place)
            return
        if kind == "file":
            self._write(entry, place, archive, member)
        elif kind == "link":
            place.symlink_to(entry["target"])
        elif kind in _NODES:
            os.mknod(place, _NODES[kind] | 0o600, _device(entry))
        else:
            raise IntegrityError(f"{kind!r} is no kind of file that a tree can have")
        _dress(place, entry, member.mtime)

    def finish(self) -> None:
        """Give folders what making things in them would have changed, the innermost first."""
        for path, (entry, mtime) in reversed(self._folders.items()):
            _dress(self._root / path, entry, mtime)

    def _place(self, path: str) -> Path:
        if path == "." and not self._folders:
            return self._root
        # Every folder above was made here, so no link and no `..` is on the way.
        above, _, name = f"./{path}".rpartition("/")
        known = (above.removeprefix("./") or ".") in self._folders
        taken = path in self._folders or path in self._others
        if not known or taken or path.startswith("/") or name in {"", ".", ".."}:
            raise IntegrityError(f"{path!r} has no place in a tree")
        return self._root / path

    def _link(self, entry: Entry, place: Path) -> None:
        if entry["target"] not in self._others:
            raise IntegrityError(f"{entry['path']!r} is a link to what the tree does not have")
        os.link(self._root / entry["target"], place, follow_symlinks=False)

    def _write(self, entry: Entry, place: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        here = self._known.place(entry)
        if here is None and member.size != entry.get("size", 0):
            raise IntegrityError(f"{entry['path']} in the archive of the tree has another size than its list says")
        source = here.open("rb") if here else archive.extractfile(member)
        if source is None:
            raise IntegrityError(f"the archive of the tree has no content of {entry['path']}")
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with source, os.fdopen(handle, "wb") as target:
            if _copied(source, target) != entry.get("sha256"):
                raise IntegrityError(f"{entry['path']} in the archive of the tree is not what its list says")


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    sha256 = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        sha256.update(chunk)
        target.write(chunk)
    return sha256.hexdigest()


def _dress(place: Path, entry: Entry, mtime: float) -> None:
    # Owners first: a change of owner takes set-id bits and capabilities away.
    os.lchown(place, entry.get("uid", 0), entry.get("gid", 0))
    if entry["type"] != "link":
        place.chmod(int(entry.get("mode", "0"), 8))
    for name, value in entry.get("xattrs", {}).items():
        os.setxattr(place, name, bytes.fromhex(value), follow_symlinks=False)
    os.utime(place, (mtime, mtime), follow_symlinks=False)


def _member(entry: Entry, status: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry["path"])
    member.type = _TYPES[entry["type"]]
    member.mode, member.mtime = int(entry.get("mode", "0"), 8), int(status.st_mtime)
    member.uid, member.gid = entry.get("uid", 0), entry.get("gid", 0)
    member.linkname = entry.get("target", "")
    device = _device(entry)
    member.devmajor, member.devminor = os.major(device), os.minor(device)
    return member


def _device(entry: Entry) -> int:
    major, _, minor = entry.get("device", "0:0").partition(":")
    return os.makedev(int(major), int(minor))


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The members of a packed archive, one after the other."""
    receive, send = os.pipe()
    try:
        with Path(os.devnull).open("wb") as null:
            process = spawn(["zstd", "-dcq", "--", archive], stdout=send, stderr=null)
    finally:
        os.close(send)
    with os.fdopen(receive, "rb") as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors=_BYTES) as members:
                yield members
        finally:
            process.kill()
            process.wait()

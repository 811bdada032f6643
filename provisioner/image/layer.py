"""Apply one layer of an OCI image (OCI image specification, layer.md), or a plain archive, to a tree.

Everything here uses absolute paths and follows links, so it is only safe after chroot() into the tree
(`image.sandbox`): there a link to / or any number of `..` leads to the tree's own root.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.image.member import time_of, write_file, xattrs_of

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."
_NANO = 10**9
_ROOT = Path("/")
_MOST_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one image may unpack to: bytes of data, entries, folders within each other, length of a path."""

    size: int = 64 << 30
    entries: int = 5_000_000
    depth: int = 200
    path: int = 3500


def normal(name: str, limits: Limits) -> str:
    """A member's name as a path relative to the root, "" for the root itself; IntegrityError for a hostile one."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise IntegrityError(f"the archive names {name!r}, which is no path inside an image")
    if len(parts) > limits.depth or len(os.fsencode(name)) > limits.path:
        raise IntegrityError(f"the archive has a path of {len(parts)} parts, more than is sane: {name[:80]!r}...")
    return "/".join(parts)


class Applier:
    """Puts the members of one layer into the tree at /, one after the other, then the times of the folders.

    `created` (Unix seconds) is the time of folders that the layer implies without naming them. `keep_selinux`
    keeps the labels of the machine that built the image, which seldom fit the node's policy. Without `whiteouts`
    it is a plain archive, in which a name that starts with `.wh.` is a name like others.
    """

    def __init__(
        self, *, limits: Limits, created: int, keep_selinux: bool = False, whiteouts: bool = True
    ) -> None:
        self.entries = 0
        self.size = 0
        self.newest = 0
        self.warnings: list[str] = []
        self._limits = limits
        self._created = created * _NANO
        self._keep_selinux = keep_selinux
        self._whiteouts = whiteouts
        self._seen: set[Path] = {_ROOT}
        self._folders: dict[str, Path] = {"": _ROOT}
        self._times: dict[Path, int] = {}

    def apply(self, archive: tarfile.TarFile) -> None:
        """Apply a whole layer from a stream. IntegrityError for what no honest layer holds."""
        for member in archive:
            # The archive would keep every member that it ever saw.
            archive.members = []  # type: ignore[attr-defined]
            self._count(member)
            name = normal(member.name, self._limits)
            folder, _, base = name.rpartition("/")
            if not name:
                self._apply_root(member)
            elif self._whiteouts and base.startswith(WHITEOUT):
                self._apply_whiteout(_ROOT / folder, base)
            else:
                self._apply_member(archive, member, self._folder(folder) / base)
        self._restore_times()

    def _count(self, member: tarfile.TarInfo) -> None:
        self.entries += 1
        # Archives can say less than nothing.
        self.size += max(0, member.size)
        self.newest = max(self.newest, int(member.mtime))
        if self.entries > self._limits.entries:
            raise IntegrityError(f"the image has more than {self._limits.entries} entries")
        if self.size > self._limits.size:
            raise IntegrityError(f"the image unpacks to more than {self._limits.size} bytes")

    def _apply_root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise IntegrityError("the archive makes the root of the image something else than a directory")
        self._set_attributes(_ROOT, member)
        self._times[_ROOT] = time_of(member)

    def _apply_whiteout(self, folder: Path, base: str) -> None:
        target = base.removeprefix(WHITEOUT)
        if base == OPAQUE:
            self._apply_opaque(folder)
        elif target in ("", ".", ".."):
            raise IntegrityError(f"the archive has the whiteout {base!r}, which removes nothing that has a name")
        elif not base.startswith(_RESERVED):
            self._hide(Path(os.path.realpath(folder), target))

    def _apply_opaque(self, folder: Path) -> None:
        # The marker may come after members of its own layer, and hides only what lower layers made.
        if _is_folder(folder):
            self._hide_content(Path(os.path.realpath(folder)))

    def _hide(self, place: Path) -> None:
        """Remove what lower layers made at a place; what this layer put there stays."""
        if place not in self._seen and _exists(place):
            self._touch(place.parent)
            self._remove(place)
        elif _is_folder(place):
            self._hide_content(place)

    def _hide_content(self, folder: Path) -> None:
        for place in sorted(folder.iterdir()):
            self._hide(place)

    def _apply_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
        self._touch(place.parent)
        if not (member.isdir() and _is_folder(place)):
            self._remove(place)
        self._mark(place)
        if member.islnk():
            self._link(place, member)
        elif not self._make(archive, place, member):
            self._warn(f"{place}: entries of type {member.type!r} are left out")
        else:
            self._set_attributes(place, member)
            if member.isdir():
                self._times[place] = time_of(member)
            else:
                os.utime(place, ns=(time_of(member),) * 2, follow_symlinks=False)

    def _make(self, archive: tarfile.TarFile, place: Path, member: tarfile.TarInfo) -> bool:
        if member.isdir():
            place.mkdir(0o700, exist_ok=True)
        elif member.isreg():
            write_file(archive, place, member)
        elif member.issym():
            place.symlink_to(member.linkname)
        elif member.ischr() or member.isblk():
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            os.mknod(place, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        elif member.isfifo():
            os.mkfifo(place, 0o600)
        else:
            return False
        return True

    def _link(self, place: Path, member: tarfile.TarInfo) -> None:
        folder, _, base = normal(member.linkname, self._limits).rpartition("/")
        target = Path(os.path.realpath(_ROOT / folder), base)
        try:
            os.link(target, place, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise IntegrityError(f"the archive links {place} to {member.linkname!r}, which is no file") from None

    def _set_attributes(self, place: Path, member: tarfile.TarInfo) -> None:
        # In this order: a change of owner clears set-id bits and capabilities.
        os.chown(place, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            place.chmod(member.mode & 0o7777)
        for name in os.listxattr(place, follow_symlinks=False):
            os.removexattr(place, name, follow_symlinks=False)
        for name, value in xattrs_of(member):
            if name == "security.selinux" and not self._keep_selinux:
                continue
            try:
                os.setxattr(place, name, value, follow_symlinks=False)
            except OSError as error:
                self._warn(f"{place}: attribute {name} cannot be set: {error.strerror}")

    def _folder(self, path: str) -> Path:
        """The real folder of a path, its links followed; made where missing or where no folder is."""
        known = self._folders.get(path)
        if known is not None:
            return known
        above, _, base = path.rpartition("/")
        place = self._folder(above) / base
        if not place.is_dir():
            self._touch(place.parent)
            self._remove(place)
            place.mkdir(0o755)
            self._times[place] = self._created
        self._mark(place)
        real = Path(os.path.realpath(place))
        if len(real.parts) > self._limits.depth or len(os.fsencode(real)) > self._limits.path:
            raise IntegrityError(f"the archive nests folders too deep at {path[:80]!r}...")
        self._mark(real)
        self._folders[path] = real
        return real

    def _mark(self, place: Path) -> None:
        while place not in self._seen:
            self._seen.add(place)
            place = place.parent

    def _remove(self, place: Path) -> None:
        if _is_folder(place):
            shutil.rmtree(place)
            self._times = {path: each for path, each in self._times.items() if not path.is_relative_to(place)}
            self._folders = {"": _ROOT}
        elif place.is_symlink():
            place.unlink()
            self._folders = {"": _ROOT}
        else:
            place.unlink(missing_ok=True)

    def _touch(self, folder: Path) -> None:
        """Remember the time of a folder before its content changes."""
        if folder not in self._times:
            self._times[folder] = folder.stat().st_mtime_ns

    def _restore_times(self) -> None:
        for folder, each in self._times.items():
            with suppress(FileNotFoundError, NotADirectoryError):
                os.utime(folder, ns=(each, each), follow_symlinks=False)

    def _warn(self, text: str) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(text)


def _exists(place: Path) -> bool:
    return place.is_symlink() or place.exists()


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()

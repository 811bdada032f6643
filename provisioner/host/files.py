"""Atomic writes, owners that stay, locks and digests.

What root makes in a folder that belongs to somebody else belongs to that one too: root's commands work on the
state of a daemon that is not root, which has to go on with whatever they left.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioner.errors import ConflictError

_CHUNK = 1 << 20
_ACCESS_LIST = "system.posix_acl_access"


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644, own: bool = False) -> None:
    """Replace a file so that a crash at any moment leaves the old content or the new, never a part.

    The content is on the disk before the name changes, and the name before this returns. With `own` it stays with
    who writes it, whoever has the folder.
    """
    make_folder(path.parent)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if not own:
                give_like_folder(handle, path.parent)
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    sync_directory(path.parent)


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing; nothing happens where it is there.

    `mode` is what the umask takes away from, as with mkdir(2). FileExistsError where a file has the name.
    """
    if path.is_dir():
        return
    missing = [path, *(folder for folder in path.parents if not os.path.lexists(folder))]
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            give_like_folder(handle, folder.parent)
        finally:
            os.close(handle)


def give_like_folder(handle: int, folder: Path) -> None:
    """Give an open file or folder to whom the folder belongs that it is in; only root has something to give."""
    if os.geteuid() == 0:
        status = folder.stat()
        _give(handle, status.st_uid, status.st_gid)


def write_synced(path: Path, content: bytes, *, mode: int, like: Path | None = None) -> None:
    """Write a new file in place of whatever has this name, and sync it.

    It gets the owner, group, mode and access list of the file `like`; where there is none, `mode`, the group of
    its folder and, from root, its owner too. Who may not give files away becomes the owner, as with every editor
    that replaces a file; PermissionError when the group of `like` cannot stay.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    # Closed to others until it has the rights that it is to have.
    with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
        if like is not None and like.exists():
            _take_after(stream.fileno(), like)
        else:
            folder = path.parent.stat()
            with suppress(PermissionError):
                _give(stream.fileno(), os.geteuid() or folder.st_uid, folder.st_gid)
            os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _take_after(handle: int, like: Path) -> None:
    wanted = like.stat()
    try:
        _give(handle, wanted.st_uid, wanted.st_gid)
    except PermissionError:
        _give(handle, os.geteuid(), wanted.st_gid)
    os.fchmod(handle, stat.S_IMODE(wanted.st_mode))
    with suppress(OSError):
        os.setxattr(handle, _ACCESS_LIST, os.getxattr(like, _ACCESS_LIST))


def _give(handle: int, owner: int, group: int) -> None:
    status = os.fstat(handle)
    if (status.st_uid, status.st_gid) != (owner, group):
        os.fchown(handle, owner, group)


def sync_directory(path: Path) -> None:
    """Make renames inside a directory last through a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made when missing. ConflictError without `wait` when taken."""
    make_folder(path.parent)
    handle = _opened_lock(path)
    try:
        # A second name may lead to it from where it is somebody's treasure.
        if os.fstat(handle).st_nlink == 1 and not _is_read_only(path.parent):
            give_like_folder(handle, path.parent)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ConflictError(f"{path} is locked by another process") from None
        yield
    finally:
        os.close(handle)


def _opened_lock(path: Path) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    if not _is_read_only(path.parent):
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    # What is read-only can still be looked at, by several at a time too. Where there is no lock file, its folder
    # takes its place.
    return os.open(path if path.exists() else path.parent, os.O_RDONLY | flags)


def _is_read_only(folder: Path) -> bool:
    return os.statvfs(folder).f_flag & os.ST_RDONLY != 0


def digest_of(path: Path) -> str:
    """`sha256:` and the hexadecimal digest of a file's content."""
    sha256 = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
    return f"sha256:{sha256.hexdigest()}"

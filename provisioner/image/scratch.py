"""Where an image is put together, and the locks of the store.

| lock below `locks/` | held | by |
|---|---|---|
| `NAME` | alone, for a whole build, nobody waits for it | who builds, renames or deletes an image |
| `.users` | shared, for as long | who puts things into the store or copies out of it |
| `.users` | alone, for a sweep, nobody waits for it | who collects garbage |
| `.pointers` | alone, for an instant | who changes tags, pins and current generations |
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.host.files import locked

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


@contextmanager
def workspace(paths: Paths, image: str) -> Iterator[Path]:
    """An empty folder, gone afterwards, and nobody else builds the image or collects garbage meanwhile.

    What an interrupted build left is removed first. ConflictError when another process builds the image, or
    when something is still mounted below what is left.
    """
    with only_one(paths, image), using(paths):
        folder = paths.images / "tmp" / image
        remove(folder)
        folder.mkdir(parents=True)
        folder.parent.chmod(0o700)
        try:
            # A name of its own: a tool that outlives a killed build must not write into the next one.
            yield Path(tempfile.mkdtemp(prefix="build-", dir=folder))
        finally:
            remove(folder)


@contextmanager
def only_one(paths: Paths, image: str) -> Iterator[None]:
    """Nobody else builds, renames or deletes the image meanwhile; ConflictError when somebody does."""
    lock = paths.images / "locks" / image
    try:
        with locked(lock, wait=False):
            yield
    except ConflictError as error:
        if str(lock) not in error.message:
            raise
        raise ConflictError(f"{image} is being built already", hint="wait until that build is done") from None


@contextmanager
def using(paths: Paths) -> Iterator[None]:
    """Nothing is collected meanwhile: for who copies a tree or an artifact out of the store, or puts some in."""
    with _users(paths, fcntl.LOCK_SH):
        yield


@contextmanager
def collecting(paths: Paths) -> Iterator[None]:
    """Nobody uses the store meanwhile; ConflictError when somebody does."""
    try:
        with _users(paths, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        hint = "try again when no build, import, shell or export of an image runs"
        raise ConflictError("an image is being built or copied, so nothing is collected", hint=hint) from None


@contextmanager
def pointing(paths: Paths) -> Iterator[None]:
    """Nobody else changes tags, pins or current generations meanwhile; waits its turn, which is short."""
    with locked(paths.images / "locks" / ".pointers"):
        yield


def remove(folder: Path) -> None:
    """Delete a tree, unless something is mounted below it: that would delete the machine's own files."""
    mounts = mounts_below(folder)
    if mounts:
        hint = f"umount {' '.join(map(str, reversed(mounts)))}"
        raise ConflictError(f"{folder} cannot be removed: {mounts[0]} is a mount point", hint=hint)
    if folder.exists():
        shutil.rmtree(folder)


def mounts_below(folder: Path) -> list[Path]:
    """The mount points in a folder, and the folder itself when it is one."""
    # The kernel names them without links, and the store may lie behind one.
    place = folder.parent.resolve() / folder.name
    return [mount for mount in _mount_points() if mount == place or place in mount.parents]


@contextmanager
def _users(paths: Paths, operation: int) -> Iterator[None]:
    lock = paths.images / "locks" / ".users"
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, operation)
        yield
    finally:
        os.close(handle)


def _mount_points() -> list[Path]:
    lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    # proc(5): blanks, ends of lines and backslashes are written as octal numbers.
    return [Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4])) for line in lines]

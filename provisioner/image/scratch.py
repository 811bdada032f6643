"""Where an image is put together: a private folder in the store, one build of an image at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.host.files import locked

_MOUNTS = Path("/proc/self/mountinfo")


@contextmanager
def workspace(paths: Paths, image: str) -> Iterator[Path]:
    """An empty folder, gone afterwards, and nobody else builds the image meanwhile.

    What an interrupted build left is removed first. ConflictError when another process builds the image, or
    when something is still mounted below what is left.
    """
    with _only_one(paths, image):
        folder = paths.images / "tmp" / image
        remove(folder)
        folder.mkdir(parents=True)
        folder.parent.chmod(0o700)
        try:
            # A name of its own: a tool that outlives a killed build must not write into the next one.
            yield Path(tempfile.mkdtemp(prefix="build-", dir=folder))
        finally:
            remove(folder)


def remove(folder: Path) -> None:
    """Delete a tree, unless something is mounted below it: that would delete the machine's own files."""
    mounts = [mount for mount in _mount_points() if mount == folder or folder in mount.parents]
    if mounts:
        hint = f"umount {' '.join(map(str, reversed(mounts)))}"
        raise ConflictError(f"{folder} cannot be removed: {mounts[0]} is a mount point", hint=hint)
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _only_one(paths: Paths, image: str) -> Iterator[None]:
    lock = paths.images / "locks" / image
    try:
        with locked(lock, wait=False):
            yield
    except ConflictError as error:
        if str(lock) not in error.message:
            raise
        raise ConflictError(f"{image} is being built already", hint="wait until that build is done") from None


def _mount_points() -> list[Path]:
    lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    return [Path(line.split(" ")[4].replace("\\040", " ")) for line in lines]

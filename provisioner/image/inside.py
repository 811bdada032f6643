"""Paths of an image, followed as the image itself would follow them: an absolute link starts at the image's root.

The machine's own files stay out of reach whatever the links say. Nothing may change the tree meanwhile.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from provisioner.errors import IntegrityError
from provisioner.model.linkpath import MOST_LINKS, followed


def resolve(root: Path, path: str) -> Path:
    """Where a path of the image leads, on this machine; what is missing stays as written.

    Raises IntegrityError for links that lead in a circle.
    """
    steps = followed(path, lambda found: _link_target(root.joinpath(*found)))
    if steps is None:
        raise IntegrityError(f"{path} in the image leads through more than {MOST_LINKS} links")
    return root.joinpath(*steps)


def locate(root: Path, path: str) -> Path:
    """The place of an entry on this machine: links in its parents are followed, the entry itself is not."""
    pure = PurePosixPath(path)
    return resolve(root, str(pure.parent)) / pure.name


def follow(root: Path, path: str) -> Path | None:
    """As `resolve`, but None for links that lead in a circle."""
    try:
        return resolve(root, path)
    except IntegrityError:
        return None


def children(root: Path, path: str) -> list[Path]:
    """The entries of a directory of the image, sorted; none when there is no such directory."""
    folder = follow(root, path)
    return sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []


def read(root: Path, path: str, *, limit: int = 1 << 20) -> bytes | None:
    """The first `limit` bytes of a regular file of the image, or None when there is no such file."""
    return read_regular(resolve(root, path), limit=limit)


def read_regular(place: Path, *, limit: int) -> bytes | None:
    """The first `limit` bytes of a file that is not a link, pipe or device; None when it is, or is missing."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return stream.read(limit)


def is_regular(place: Path) -> bool:
    """Whether a regular file, not a link to one, is at this place."""
    try:
        return stat.S_ISREG(place.lstat().st_mode)
    except OSError:
        return False


def _link_target(place: Path) -> str | None:
    try:
        return os.readlink(place)  # noqa: PTH115 - a Path would drop the target's slashes and dots
    except OSError:
        return None

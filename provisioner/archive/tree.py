"""A tree of files as a value: sorted entries that can be compared in a test and packed into an archive."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

# Stage 1 reads the names of an archive line by line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Kind(Enum):
    """What an entry is; the value is its file type bits."""

    FILE = stat.S_IFREG
    DIRECTORY = stat.S_IFDIR
    SYMLINK = stat.S_IFLNK


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or symlink. `path` is relative and normal; `content` is the data or the target.

    Raises ValueError for another path or mode.
    """

    path: str
    kind: Kind
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def __post_init__(self) -> None:
        pure = PurePosixPath(self.path)
        if pure.is_absolute() or ".." in pure.parts or str(pure) != self.path:
            raise ValueError(f"{self.path!r} is not a relative path inside the tree")
        if _CONTROL.search(self.path):
            raise ValueError(f"{self.path!r} holds a line break or control character")
        if self.path == "." and self.kind is not Kind.DIRECTORY:
            raise ValueError("the root of the tree is a directory")
        if not 0 <= self.mode <= 0o7777:
            raise ValueError(f"{self.path}: {self.mode:#o} is not a file mode")


def with_parents(entries: list[Entry]) -> list[Entry]:
    """The entries sorted by path, the later of two equal paths only, and missing parents added as directories."""
    chosen = {entry.path: entry for entry in entries}
    for entry in list(chosen.values()):
        for parent in PurePosixPath(entry.path).parents:
            if str(parent) != ".":
                chosen.setdefault(str(parent), Entry(str(parent), Kind.DIRECTORY, mode=0o755))
    return [chosen[path] for path in sorted(chosen)]

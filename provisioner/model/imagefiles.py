"""The files of an image by their paths, and where its links lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from provisioner.model.linkpath import followed


class Kind(StrEnum):
    """What an entry of a tree is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    PIPE = "pipe"
    SOCKET = "socket"


class ImageFile(NamedTuple):
    """One entry. `size` in bytes, `target` of a link, `package` that brought it; empty when there is none."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int = 0
    target: str = ""
    package: str = ""


class ImageFiles(Mapping[str, ImageFile]):
    """Every entry of an image by its absolute path. A look-up follows no link; `resolve` does."""

    def __init__(self, entries: Mapping[str, ImageFile]) -> None:
        self._entries = entries

    def __getitem__(self, path: str) -> ImageFile:
        return self._entries[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def resolve(self, path: str) -> str | None:
        """The path that a path leads to when the links in it are followed; what is missing stays as written.

        None for links that lead in a circle.
        """
        steps = followed(path, self._target)
        return None if steps is None else "/" + "/".join(steps)

    def _target(self, steps: Sequence[str]) -> str | None:
        entry = self._entries.get("/" + "/".join(steps))
        return entry.target if entry is not None and entry.kind is Kind.LINK else None

    def place(self, path: str) -> str | None:
        """Where an entry with a path lies: links in its parents are followed, the entry itself is not."""
        parent, _, name = path.rstrip("/").rpartition("/")
        folder = self.resolve(parent)
        return None if folder is None else f"{folder.rstrip('/')}/{name}"

    def find(self, path: str) -> ImageFile | None:
        """The entry that a path leads to, its links followed; None when there is none."""
        place = self.resolve(path)
        return None if place is None else self._entries.get(place)

"""The folders of tmpfiles.conf: who shall own them with which mode, and which are not so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folder:
    """Owner, group and mode of a folder."""

    owner: str
    group: str
    mode: int

    def __str__(self) -> str:
        """As a person would read it: `root:provisioner 2750`."""
        return f"{self.owner}:{self.group} {self.mode:04o}"


def read_folders(text: str) -> dict[Path, Folder]:
    """The lines of type `d` of a file of tmpfiles.d(5)."""
    rows = (line.split() for line in text.splitlines() if line.startswith("d "))
    return {Path(path): Folder(owner, group, int(mode, 8)) for _, path, mode, owner, group, *_ in rows}


def unlike(wanted: Mapping[Path, Folder], found: Mapping[Path, Folder | None]) -> list[str]:
    """What is missing or different, each in words."""
    return [
        f"{path} ({folder})" if found.get(path) is None else f"{path} ({found[path]}, not {folder})"
        for path, folder in wanted.items()
        if found.get(path) != folder
    ]

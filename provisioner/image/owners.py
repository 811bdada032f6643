"""The packages of an image, and which of them brought a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from provisioner.image import dpkg, inside, rpm
from provisioner.model.inventory import Package

# About ten times what the largest distribution image has; what is beyond belongs to nobody.
_MOST_PATHS = 5_000_000
# As deep as an import may be.
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Owners:
    """The packages of a tree, sorted; the index of the one that brought each path (without its first slash)."""

    manager: Literal["dpkg", "rpm"] | None = None
    packages: tuple[Package, ...] = ()
    by_path: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def find(root: Path, scratch: Path) -> Owners:
    """The packages of a tree; `scratch` is a new folder to work in."""
    debian = dpkg.read(root)
    # Either tool may be installed on a system of the other, where it has no packages.
    found = None if debian else rpm.read(root, scratch)
    if found is not None:
        listed = ((index, files) for index, (_, files) in enumerate(found.packages))
        return Owners("rpm", tuple(package for package, _ in found.packages), _places(root, listed), found.note)
    return Owners() if debian is None else _debian(root, debian)


def _debian(root: Path, found: tuple[Package, ...]) -> Owners:
    packages = tuple(sorted(found, key=lambda each: (each.name, each.version, each.architecture)))
    diverted = dpkg.diversions(root)
    names = (
        (index, [_undiverted(path, package, diverted) for path in dpkg.files(root, package)])
        for index, package in enumerate(packages)
    )
    return Owners("dpkg", packages, _places(root, names))


def _undiverted(path: str, package: Package, diverted: Mapping[str, tuple[str, str]]) -> str:
    place, taker = diverted.get(path, (path, package.name))
    return path if taker == package.name else place


def _places(root: Path, listed: Iterable[tuple[int, Iterable[str]]]) -> dict[str, int]:
    """Where the files of packages lie: packages say /bin/sh and mean /usr/bin/sh. The first package has a path."""
    folders: dict[str, str | None] = {}
    found: dict[str, int] = {}
    for index, paths in listed:
        for path in paths:
            if len(found) >= _MOST_PATHS:
                return found
            if path.count("/") > _DEEPEST or "\0" in path:
                continue
            parent, _, name = path.rpartition("/")
            if parent not in folders:
                folders[parent] = _folder(root, parent)
            folder = folders[parent]
            if folder is not None and name:
                found.setdefault(f"{folder}/{name}" if folder else name, index)
    return found


def _folder(root: Path, parent: str) -> str | None:
    place = inside.follow(root, parent)
    if place is None:
        return None
    relative = str(PurePosixPath(place.relative_to(root)))
    return "" if relative == "." else relative

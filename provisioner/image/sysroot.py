"""The programs of an image for a processor that is not this machine's, laid out for dracut to collect from.

dracut and what it calls follow links as this machine does. So they work on a copy, in which every link leads to
something inside of it, and which holds no file that stage 1 has no use for, such as keys and password hashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from provisioner.image import inside

_FOLDERS = ("usr", "bin", "sbin", "lib", "lib64")
_PASSED_BY = frozenset(
    {"usr/share/doc", "usr/share/locale", "usr/share/man", "usr/lib/modules", "usr/lib/firmware"}
    | {"lib/modules", "lib/firmware", "usr/lib/dracut", "lib/dracut"}
)
# Not os-release: dracut runs that of a root as a shell script.
_OF_ETC = ("ld.so.conf", "ld.so.conf.d", "mke2fs.conf", "udev")


def copy(root: Path, target: Path) -> Path:
    """Make the folder `target`, on the file system of the tree `root`, with its programs as hard links."""
    target.mkdir()
    for name in (*_FOLDERS, *(f"etc/{each}" for each in _OF_ETC)):
        _copy(root, target, name)
    (target / "usr/lib").mkdir(parents=True, exist_ok=True)
    return target


def _copy(root: Path, target: Path, path: str) -> None:
    place = root / path
    if place.parent.is_symlink():
        return
    if place.is_symlink():
        _link(root, target, path)
    elif place.is_dir():
        for each in _below(root, path):
            _copy_entry(root, target, each)
    elif inside.is_regular(place):
        _copy_entry(root, target, path)


def _copy_entry(root: Path, target: Path, path: str) -> None:
    place = root / path
    if place.is_symlink():
        _link(root, target, path)
    elif inside.is_regular(place):
        _prepared(target / path).hardlink_to(place)


def _below(root: Path, path: str) -> Iterator[str]:
    """The files and links below a directory, as paths of the image."""
    for folder, folders, names in os.walk(root / path):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if str(here / name) not in _PASSED_BY]
        yield from (str(here / name) for name in names)
        yield from (str(here / name) for name in folders if Path(folder, name).is_symlink())


def _link(root: Path, target: Path, path: str) -> None:
    """The same link, led to where it ends in the image and written so that it leads there from anywhere."""
    end = inside.follow(root, f"/{path}")
    if end is not None:
        place = _prepared(target / path)
        place.symlink_to(os.path.relpath(target / end.relative_to(root), place.parent))


def _prepared(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    return place

"""The files that a node gets on top of its image, as a layer that overlayfs lays over the tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from provisioner.archive.tree import Entry, Kind
from provisioner.image import inside


def write(folder: Path, tree: Path, entries: Iterable[Entry], removed: Iterable[str]) -> None:
    """Make the layer in a new folder: files where the tree's links lead, in folders like the tree's around them.

    `removed` are relative paths that the node takes away first, as overlays declare them.
    """
    folder.mkdir(mode=0o700)
    _like(folder, tree)
    for path in removed:
        place = inside.locate(tree, path)
        if os.path.lexists(place):
            _parents(folder, tree, place)
            # How overlayfs hides what lies below.
            os.mknod(_moved(folder, tree, place), stat.S_IFCHR, os.makedev(0, 0))
    for entry in sorted(entries, key=lambda each: each.path):
        _write(folder, tree, entry)


def _write(folder: Path, tree: Path, entry: Entry) -> None:
    place = inside.locate(tree, entry.path)
    if entry.kind is Kind.DIRECTORY and inside.resolve(tree, entry.path).is_dir():
        place = inside.resolve(tree, entry.path)
    _parents(folder, tree, place)
    target = _moved(folder, tree, place)
    if entry.kind is Kind.DIRECTORY:
        _folder(target, place)
    else:
        # A whiteout, or an earlier one whose path leads here too.
        target.unlink(missing_ok=True)
        if entry.kind is Kind.SYMLINK:
            target.symlink_to(os.fsdecode(entry.content))
        else:
            target.write_bytes(entry.content)
    os.lchown(target, entry.uid, entry.gid)
    if entry.kind is not Kind.SYMLINK:
        target.chmod(entry.mode)


def _parents(folder: Path, tree: Path, place: Path) -> None:
    """Make the folders around a place."""
    for parent in reversed(place.relative_to(tree).parents):
        _folder(folder / parent, tree / parent)


def _folder(made: Path, original: Path) -> None:
    """Make a folder as the tree has it: in overlayfs the one on top counts."""
    if made.is_char_device():
        # It was removed and comes back: new, without what the tree has there.
        made.unlink()
        made.mkdir(mode=0o755)
        os.setxattr(made, "trusted.overlay.opaque", b"y")
    elif not made.is_dir():
        made.mkdir(mode=0o755)
        _like(made, original)


def _like(made: Path, original: Path) -> None:
    if original.is_dir():
        status = original.stat()
        os.chown(made, status.st_uid, status.st_gid)
        made.chmod(stat.S_IMODE(status.st_mode))


def _moved(folder: Path, tree: Path, place: Path) -> Path:
    return folder / place.relative_to(tree)

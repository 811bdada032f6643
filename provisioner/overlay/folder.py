"""A rendered tree written into a folder, for people to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from provisioner.archive.tree import Entry, Kind
from provisioner.errors import ConflictError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def write_tree(entries: Iterable[Entry], folder: Path) -> None:
    """Write entries into a new or empty folder. Owners are not set, so that nobody needs to be root to look.

    No link below the folder is ever followed, whoever made it: ConflictError for what stands in the way.
    """
    with suppress(FileNotFoundError):
        if any(folder.iterdir()):
            raise ConflictError(f"{folder} is not empty", hint="name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(entries, key=lambda entry: entry.path)
    with _opened(folder) as root:
        for entry in ordered:
            _write(root, entry)
        # Modes come last and from the inside out: a directory may be closed to the one who writes into it.
        for entry in reversed(ordered):
            if entry.kind is Kind.DIRECTORY:
                with _inside(root, entry.path) as directory:
                    os.fchmod(directory, entry.mode)


def _write(root: int, entry: Entry) -> None:
    if entry.kind is Kind.DIRECTORY:
        with _inside(root, entry.path):
            return
    place = PurePosixPath(entry.path)
    with _inside(root, str(place.parent)) as parent:
        try:
            _make(parent, place.name, entry)
        except FileExistsError:
            raise _in_the_way(entry.path) from None


def _make(parent: int, name: str, entry: Entry) -> None:
    if entry.kind is Kind.SYMLINK:
        os.symlink(entry.content, name, dir_fd=parent)
        return
    # Closed until it is whole: it may hold a key.
    with os.fdopen(os.open(name, _NEW_FILE, 0o600, dir_fd=parent), "wb") as stream:
        stream.write(entry.content)
        os.fchmod(stream.fileno(), entry.mode)


@contextmanager
def _inside(root: int, path: str) -> Iterator[int]:
    """A directory below root, made when missing, opened step by step and through no link."""
    handle = os.dup(root)
    try:
        for part in PurePosixPath(path).parts:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=handle)
            try:
                child = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            except NotADirectoryError:
                raise _in_the_way(path) from None
            os.close(handle)
            handle = child
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _in_the_way(path: str) -> ConflictError:
    return ConflictError(f"{path} cannot be written: something else is on its way", hint="name a new folder")

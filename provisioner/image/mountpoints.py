"""Places to mount on that a tree lacks: made for a while, and gone again as if they had never been."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def make(place: Path, *, folder: bool) -> list[Path]:
    """Make a place to mount on, and say what was made, outermost first; nothing where it is there already."""
    if place.exists():
        return []
    made = [*make(place.parent, folder=True), place]
    if folder:
        place.mkdir(mode=0o755)
    else:
        place.touch(mode=0o644)
    return made


@contextmanager
def lent(wanted: Sequence[tuple[Path, bool]], *, hidden: Sequence[Path]) -> Iterator[None]:
    """Make places (true: a folder) that are missing, and take them away afterwards, the traces in times included.

    Places below a `hidden` folder are left out: something else is mounted there first. A place that got content
    meanwhile stays, and so does what a link put into its path meanwhile leads to.
    """
    made: list[Path] = []
    times: dict[Path, tuple[int, int]] = {}
    meant: dict[Path, str] = {}
    try:
        for place, folder in wanted:
            if not any(each in place.parents for each in hidden):
                _note_times(place, times)
                made += make(place, folder=folder)
        meant |= {place: os.path.realpath(place) for place in (*made, *times)}
        yield
    finally:
        for place in reversed(made):
            if _is_meant(place, meant):
                _take_away(place)
        for place, stamps in times.items():
            if place.is_dir() and _is_meant(place, meant):
                os.utime(place, ns=stamps)


def _is_meant(place: Path, meant: Mapping[Path, str]) -> bool:
    """Whether a path leads where it led: the program may have put a link to this machine's files into it."""
    return os.path.realpath(place) == meant.get(place, os.path.realpath(place))


def _note_times(place: Path, times: dict[Path, tuple[int, int]]) -> None:
    """Keep the times of the folder that a missing place, or its outermost missing parent, will be made in."""
    if place.exists():
        return
    folder = place.parent
    while not folder.exists():
        folder = folder.parent
    found = folder.stat()
    times.setdefault(folder, (found.st_atime_ns, found.st_mtime_ns))


def _take_away(place: Path) -> None:
    found = place.lstat() if os.path.lexists(place) else None
    if found is None:
        return
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        place.unlink()
    elif stat.S_ISDIR(found.st_mode) and not any(place.iterdir()):
        place.rmdir()

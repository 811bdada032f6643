"""Files as whole commits left them, for readers that take no lock.

A commit of several files takes a moment, and after a crash it waits for the next writer to finish it. A reader
that comes in between gets the new state from the journal; one that a commit overtook reads again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.host import journal
from provisioner.host.journal import Journal, Place, Step, digest

# A reader that writers overtake this often in a row meets more commits than edits can make.
_ATTEMPTS = 50
_SITE = "site/"
_SITE_FILE = "provisioner.yaml"
_FOLDERS = ("groups.d", "nodes.d")


class Read(Protocol):
    """A file as it was read."""

    @property
    def content(self) -> bytes:
        """All bytes of it."""


F = TypeVar("F", bound=Read)
C = TypeVar("C")


def place_of(paths: Paths) -> Place:
    """Where the transactions of a site work."""
    return Place(paths.site, paths.state)


def is_configuration(path: str) -> bool:
    """Whether a path below the site root is a file that is read as configuration."""
    parts = PurePosixPath(path).parts
    if parts == (_SITE_FILE,):
        return True
    named = PurePosixPath(path)
    shown = named.suffix in {".yaml", ".yml"} and not named.name.startswith(".")
    return shown and len(parts) == 2 and parts[0] in _FOLDERS


def settled(paths: Paths, read: Callable[[], Mapping[str, F]], made: Callable[[bytes], F]) -> Mapping[str, F]:
    """What `read` returns, by key of the revision, with all of a commit that is under way, or nothing of it.

    `made` makes a configuration file of its content. Raises UnavailableError when commits never cease, and
    IntegrityError when the journal is damaged.
    """
    place = place_of(paths)
    for _ in range(_ATTEMPTS):
        before = journal.mark(place)
        found = read()
        waiting = journal.read(place.journal)
        if journal.mark(place) == before:
            return found if waiting is None else _overlaid(paths.site, found, waiting, made)
    raise UnavailableError(f"the files below {paths.site} keep changing while they are read", hint="try again")


def with_other_names(paths: Paths, contents: Mapping[str, C | None]) -> dict[str, C | None]:
    """The new contents of configuration files, also under every other name that a symlink gives one of them.

    Removing a file removes that name alone. Raises OSError where the folders cannot be read.
    """
    written = {os.path.realpath(paths.site / path): new for path, new in contents.items() if new is not None}
    others = {path: written[real] for path, real in _names(paths) if real in written}
    return {**others, **contents}


def _names(paths: Paths) -> Iterator[tuple[str, str]]:
    """Every configuration file by its name, and the file that this name leads to."""
    yield _SITE_FILE, os.path.realpath(paths.site_file)
    for folder in _FOLDERS:
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(os.path.realpath(paths.site / folder)) as entries,
        ):
            for entry in entries:
                if is_configuration(path := f"{folder}/{entry.name}"):
                    yield path, os.path.realpath(entry.path) if entry.is_symlink() else entry.path


def _overlaid(site: Path, found: Mapping[str, F], waiting: Journal, made: Callable[[bytes], F]) -> Mapping[str, F]:
    result = dict(found)
    for key, each in found.items():
        step = _step_of(site, key, waiting)
        # What somebody changed since is left as it is, as `recover` will leave it.
        if step is None or digest(each.content) != step.before:
            continue
        if step.content is None:
            del result[key]
        else:
            result[key] = made(step.content)
    for step in waiting.steps:
        if step.before is None and step.content is not None and is_configuration(step.path):
            result.setdefault(_SITE + step.path, made(step.content))
    return dict(sorted(result.items()))


def _step_of(site: Path, key: str, waiting: Journal) -> Step | None:
    """What happens to a file: by its own name where it goes away, else by the file that its name leads to."""
    if not key.startswith(_SITE):
        return None
    path = site / key.removeprefix(_SITE)
    target = str(path.resolve().relative_to(site.resolve()))
    for step in waiting.steps:
        if (key == _SITE + step.path) if step.content is None else (target == step.target):
            return step
    return None

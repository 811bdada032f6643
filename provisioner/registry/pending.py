"""Files as whole commits left them, for readers that take no lock.

A commit of several files takes a moment, and after a crash it waits for the next writer to finish it. A reader
that comes in between gets the new state from the journal; one that a commit overtook reads again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.host import journal
from provisioner.host.journal import Journal, Place, Step, digest

# A reader that writers overtake this often in a row meets more commits than edits can make.
_ATTEMPTS = 50
_SITE = "site/"
_OVERLAYS = "overlays/"
_SITE_FILE = "provisioner.yaml"
_FOLDERS = ("groups.d", "nodes.d", "switches.d")


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


@dataclass(frozen=True, slots=True)
class Making(Generic[F]):
    """How files are made that a reader cannot read yet.

    `written` is one of the site with a new content, in place of another one of it or of none. `shipped` is what
    ships under a key of the revision, which a file of the site covers.
    """

    written: Callable[[bytes, F | None], F]
    shipped: Callable[[str], F | None]


def settled(paths: Paths, read: Callable[[], Mapping[str, F]], making: Making[F]) -> Mapping[str, F]:
    """What `read` returns, by key of the revision, with all of a commit that is under way, or nothing of it.

    Raises UnavailableError when commits never cease, and IntegrityError when the journal is damaged.
    """
    place = place_of(paths)
    for _ in range(_ATTEMPTS):
        before = journal.mark(place)
        found = read()
        waiting = journal.read(place.journal)
        if journal.mark(place) == before:
            return found if waiting is None else _overlaid(paths.site, found, waiting, making)
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


def _overlaid(site: Path, found: Mapping[str, F], waiting: Journal, making: Making[F]) -> Mapping[str, F]:
    result = dict(found)
    for key, each in found.items():
        step = _step_of(site, key, waiting)
        # What somebody changed since is left as it is, as `recover` will leave it.
        if step is None or digest(each.content) != step.before:
            continue
        if step.content is None:
            del result[key]
        else:
            result[key] = making.written(step.content, each)
    for step in waiting.steps:
        if step.before is None and step.content is not None and is_configuration(step.path):
            result.setdefault(_SITE + step.path, making.written(step.content, None))
        elif step.path.startswith(_OVERLAYS):
            _overlay(result, step, making)
    return dict(sorted(result.items()))


def _overlay(result: dict[str, F], step: Step, making: Making[F]) -> None:
    """Do a step to a file of an overlay, unless it is done already or somebody changed the file since."""
    now, shipped = result.get(step.path), making.shipped(step.path)
    before = step.before or (digest(shipped.content) if shipped else None)
    if (digest(now.content) if now else None) != before:
        return
    if step.content is not None:
        result[step.path] = making.written(step.content, now if step.before else None)
    elif shipped is not None:
        result[step.path] = shipped
    else:
        result.pop(step.path, None)


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

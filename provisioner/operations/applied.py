"""The end of every change of the site: written under the lock, recorded, committed to git, and served."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Self

from provisioner.config.paths import Paths
from provisioner.errors import Problem, ProvisionerError
from provisioner.host.files import locked
from provisioner.host.git import commit_to_git
from provisioner.host.who import who
from provisioner.operations import live
from provisioner.registry.amend import finish_interrupted
from provisioner.registry.history import changes
from provisioner.registry.record import About


class Drafted(Protocol):
    """A change that is worked out and not written."""

    @property
    def paths(self) -> Paths:
        """The site that it is of."""

    def renewed(self) -> Self:
        """The same change of what is written now, once the lock is held.

        Raises ConflictError when it no longer comes to the same.
        """

    def write(self, about: About) -> tuple[str, ...]:
        """Write and record it; the files that changed, by path below the site root."""

    def keep(self) -> None:
        """Keep what later looks and plans need."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The files that a change wrote, below the site root, and its number in the history.

    `unserved` says why no daemon serves them yet; it is empty when one does, or none runs. `left` are files that
    an earlier, interrupted change wanted to write too, and that somebody edited since. `commit` is the commit in
    git, and `uncommitted` the reason when one was asked for and could not be made.
    """

    files: tuple[str, ...]
    number: int
    unserved: str = ""
    left: tuple[Problem, ...] = ()
    commit: str = ""
    uncommitted: ProvisionerError | None = None


def commit(
    draft: Drafted, *, command: str, message: str = "", undoes: int | None = None, git: bool = False
) -> Applied:
    """Write a draft, record it in the history and have the daemon serve it; what is written stays, served or not.

    `command` is what was typed, without secrets; with `git` the files are committed there too. Raises
    ConflictError when the site was changed since and the change no longer comes to the same, and UnavailableError
    when it cannot be written; all is as it was then.
    """
    paths = draft.paths
    about = About(who=who(), command=command, message=message, undoes=undoes)
    with locked(paths.write_lock):
        left = finish_interrupted(paths)
        current = draft.renewed()
        written = current.write(about)
        number = changes(paths, limit=1)[0].id if written else 0
        revision, uncommitted = _committed(paths, written, about) if git and written else ("", None)
    # A user who may write site files only has made the change all the same.
    with suppress(OSError, sqlite3.Error):
        current.keep()
    return Applied(written, number, live.serve_changes(paths) if written else "", left, revision, uncommitted)


def _committed(paths: Paths, files: Sequence[str], about: About) -> tuple[str, ProvisionerError | None]:
    """The commit in git, or why there is none; the files are written in any case."""
    try:
        return commit_to_git(paths.site, files, about.message or about.command, about.who), None
    except ProvisionerError as error:
        return "", error

"""Committing the files of a change to the git checkout that they are in."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from provisioner.errors import CommandError, ConflictError
from provisioner.host.run import run


def commit_to_git(site: Path, files: Sequence[str], message: str, who: str) -> str:
    """Commit these files, by their paths below the site, and nothing else; returns the new commit's short name.

    What others staged stays staged. Returns an empty text when git has these files as they are. Raises
    ConflictError when the site is in no checkout, CommandError with what git says when it refuses. The files
    themselves stay as they are in every case.
    """
    if not _is_checkout(site):
        raise ConflictError(f"{site} is in no git checkout, so nothing is committed", hint=f"git -C {site} init")
    gone = {file for file in files if not (site / file).exists() and not (site / file).is_symlink()}
    known = _git(site, "ls-files", "-z", "--", *gone).split("\0") if gone else []
    named = [file for file in files if file not in gone or file in known]
    if not named or not _git(site, "status", "--porcelain", "--", *named):
        return ""
    # `commit --only` knows what git knows: new files have to be added first.
    _git(site, "add", "--all", "--", *named)
    _git(
        site, "commit", "--quiet", "--only", "--message", message, "--author", _author(who), "--", *named, who=who
    )
    return _git(site, "rev-parse", "--short", "HEAD").strip()


def _is_checkout(site: Path) -> bool:
    try:
        return _git(site, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except CommandError as error:
        # Anything else, such as a checkout that belongs to another user, git explains better.
        if "not a git repository" in error.output:
            return False
        raise


def _git(site: Path, *arguments: str, who: str = "") -> str:
    environment = {}
    if who and not _knows_committer(site):
        environment = {"GIT_COMMITTER_NAME": who, "GIT_COMMITTER_EMAIL": _mail(who)}
    return run(["git", "--literal-pathspecs", "-C", site, *arguments], timeout=120, environment=environment)


def _knows_committer(site: Path) -> bool:
    try:
        return bool(run(["git", "-C", site, "config", "user.email"], timeout=120).strip())
    except CommandError:
        return False


def _author(who: str) -> str:
    return f"{who} <{_mail(who)}>"


def _mail(who: str) -> str:
    return f"{who.replace(' ', '-')}@{socket.gethostname()}"

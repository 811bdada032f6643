"""Edits of site files by a program: one writer at a time, the whole site checked, then written atomically."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem
from provisioner.host.files import locked, write_atomically
from provisioner.model.catalogue import Catalogue
from provisioner.registry.collect import SourceFile, collect, overlay_names, script_names, site_files
from provisioner.registry.load import Examined, examine

_MODE = 0o640
_PLACE = re.compile(r":\d+\b")

Plan = Callable[[Mapping[str, str], Examined], Mapping[str, str]]


def examine_site(paths: Paths, catalogue: Catalogue) -> Examined:
    """Everything that is written now, and what is wrong with it."""
    files = collect(paths)
    return _examine(files, site_files(files), catalogue)


def edit(paths: Paths, catalogue: Catalogue, plan: Plan) -> tuple[str, ...]:
    """Apply a plan to the site and return the paths of the files that changed, below the site root.

    The plan gets the texts of all files and what they mean, and returns the new texts. Raises what the plan
    raises, and ConfigError with every problem that was not there before; nothing is written then. Problems
    elsewhere do not hinder an edit, which may be the repair.
    """
    with locked(paths.write_lock):
        files = collect(paths)
        contents = site_files(files)
        before = _examine(files, contents, catalogue)
        texts = {path: content.decode(errors="surrogateescape") for path, content in contents.items()}
        edited = {path: text for path, text in plan(texts, before).items() if texts.get(path) != text}
        new = {path: text.encode(errors="surrogateescape") for path, text in edited.items()}
        after = _examine(files, {**contents, **new}, catalogue)
        added = _added(before.problems, after.problems)
        if added:
            raise ConfigError(added)
        for path, content in sorted(new.items()):
            _write(paths.site / path, content)
    return tuple(sorted(new))


def _examine(files: Mapping[str, SourceFile], contents: Mapping[str, bytes], catalogue: Catalogue) -> Examined:
    return examine(contents, catalogue=catalogue, overlays=overlay_names(files), scripts=script_names(files))


def _added(before: tuple[Problem, ...], after: tuple[Problem, ...]) -> list[Problem]:
    # An edit moves lines, so a problem is known by its file and its words.
    known = Counter(_words(problem) for problem in before)
    added = []
    for problem in after:
        known[_words(problem)] -= 1
        if known[_words(problem)] < 0:
            added.append(problem)
    return added


def _words(problem: Problem) -> tuple[str, str]:
    return problem.file, _PLACE.sub("", problem.message)


def _write(path: Path, content: bytes) -> None:
    # A link inside the site stays a link; owner and mode stay what somebody made them.
    target = path.resolve()
    try:
        status = target.stat()
    except FileNotFoundError:
        write_atomically(target, content, mode=_MODE)
        return
    write_atomically(target, content, mode=stat.S_IMODE(status.st_mode))
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(target, status.st_uid, status.st_gid)

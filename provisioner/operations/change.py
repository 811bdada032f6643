"""The one door for every change of the site's files: planned on what is written, checked, shown, then written.

A draft is worked out without a lock, because a person looks at it for as long as it takes. What is written is what
was shown: when the site has become another one meanwhile, the change is planned again, and refused unless it comes
to the same.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, Problem, ProvisionerError
from provisioner.host.files import locked
from provisioner.host.git import commit_to_git
from provisioner.host.who import who
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.operations import live
from provisioner.operations.difference import (
    Difference,
    group_differences,
    node_differences,
    site_differences,
)
from provisioner.registry.amend import finish_interrupted, write
from provisioner.registry.collect import FileKind, SourceFile, collect
from provisioner.registry.compiler import Compilation, compile_files, obtain, prune, publish
from provisioner.registry.history import changes
from provisioner.registry.images import image_problems
from provisioner.registry.pending import with_other_names
from provisioner.registry.published import Published
from provisioner.registry.record import About
from provisioner.registry.revision import describe, keep
from provisioner.registry.sources import GROUP_FILES, SITE_FILE
from provisioner.registry.view import SiteView

Texts = Mapping[str, str | None]
Plan = Callable[[SiteView], Texts]

_MODE = 0o640
_PLACE = re.compile(r":\d+\b")


@dataclass(frozen=True)
class Draft:
    """A change that is worked out and not written.

    `plan` gives the new texts of files by path below the site root, None to remove one; `files` are those that
    become others. `renamed` maps new names of nodes to old ones.
    """

    paths: Paths
    catalogue: Catalogue
    plan: Plan
    view: SiteView
    files: Texts
    after: Compilation
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def before(self) -> Published:
        """What is written now."""
        return self.view.published

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What the change does to the site, its groups and its nodes."""
        new = SiteView(_collected(self.view, self.files), self.after.published)
        return (
            *(site_differences(self.before.site(), self.after.site) if SITE_FILE in self.files else ()),
            *(group_differences(self.view.groups, new.groups) if _touches_groups(self.files) else ()),
            *node_differences(self.before, self.after.published, self.after.changed, self.renamed),
        )

    def changed_nodes(self) -> Mapping[str, tuple[ResolvedNode | None, ResolvedNode | None]]:
        """The nodes that become others, by name, before and after; None where there is none."""
        old = self.before.nodes(self.after.changed)
        return {name: (old.get(name), node) for name, node in self.after.changed.items()}


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


def draft(paths: Paths, catalogue: Catalogue, plan: Plan, renamed: Mapping[str, str] | None = None) -> Draft:
    """Work out a change and write nothing.

    Raises what the plan raises, and ConfigError with every problem that was not there before, or where there is no
    site at all. Problems elsewhere do not hinder a change, which may be the repair.
    """
    return _drafted(paths, catalogue, plan, renamed or {}, collect(paths))


def commit(
    draft: Draft, *, command: str, message: str = "", undoes: int | None = None, git: bool = False
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
        current = _renewed(draft)
        written = write(paths, current.view.collected, _contents(current.files), about)
        number = changes(paths, limit=1)[0].id if written else 0
        revision, uncommitted = _committed(paths, written, about) if git and written else ("", None)
    # These are for later looks and plans: a user who may write site files only has made the change all the same.
    with suppress(OSError, sqlite3.Error):
        # Before the first change of a site nobody has kept anything, and plans look back to there too.
        keep(paths, current.view.collected)
        keep(paths, _collected(current.view, current.files))
        publish(paths, current.after)
        prune(paths)
    return Applied(written, number, live.serve_changes(paths) if written else "", left, revision, uncommitted)


def _committed(paths: Paths, files: Sequence[str], about: About) -> tuple[str, ProvisionerError | None]:
    """The commit in git, or why there is none; the files are written in any case."""
    try:
        return commit_to_git(paths.site, files, about.message or about.command, about.who), None
    except ProvisionerError as error:
        return "", error


def _drafted(
    paths: Paths, catalogue: Catalogue, plan: Plan, renamed: Mapping[str, str], files: Mapping[str, SourceFile]
) -> Draft:
    view = SiteView(files, obtain(paths, files))
    planned = {path: text for path, text in plan(view).items() if view.text(path) != text}
    changed = with_other_names(paths, planned)
    if SITE_FILE not in {*view.files, *changed}:
        # A wrong --root, most likely: nobody wants nodes there.
        raise ConfigError(view.published.problems())
    after = compile_files(paths, _collected(view, changed), view.published)
    added = _added(_problems(view.published, catalogue), _problems(after.published, catalogue))
    if added:
        raise ConfigError(added)
    return Draft(paths, catalogue, plan, view, changed, after, renamed)


def _renewed(draft: Draft) -> Draft:
    """The draft, or the same change of what is written now. The caller holds the lock."""
    files = collect(draft.paths)
    if describe(files).revision == draft.before.revision:
        return draft
    again = _drafted(draft.paths, draft.catalogue, draft.plan, draft.renamed, files)
    if again.differences != draft.differences:
        message = "the site was changed meanwhile, and this change would no longer do what was shown"
        raise ConflictError(f"{message}; nothing is written", hint="run it again and look at what it does now")
    return again


def _collected(view: SiteView, texts: Texts) -> Mapping[str, SourceFile]:
    """What `collect` will find once these texts are written."""
    kept = {key: each for key, each in view.collected.items() if key.removeprefix("site/") not in texts}
    new = {
        f"site/{path}": SourceFile(FileKind.FILE, _MODE, content)
        for path, content in _contents(texts).items()
        if content is not None
    }
    return dict(sorted({**kept, **new}.items()))


def _contents(texts: Texts) -> dict[str, bytes | None]:
    return {path: None if text is None else text.encode(errors="surrogateescape") for path, text in texts.items()}


def _touches_groups(texts: Texts) -> bool:
    return any(path.startswith(GROUP_FILES) for path in texts)


def _problems(published: Published, catalogue: Catalogue) -> tuple[Problem, ...]:
    return (*published.problems(), *image_problems(published, catalogue))


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

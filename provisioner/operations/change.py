"""The one door for every change of the site's files: planned on what is written, checked, shown, then written.

A draft is worked out without a lock, because a person looks at it for as long as it takes. What is written is what
was shown: when the site has become another one meanwhile, the change is planned again, and refused unless it comes
to the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, Problem
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.applied import Applied, commit
from provisioner.operations.difference import (
    Difference,
    group_differences,
    node_differences,
    site_differences,
)
from provisioner.registry.amend import write
from provisioner.registry.collect import FileKind, SourceFile, collect
from provisioner.registry.compiler import Compilation, compile_files, obtain, prune, publish
from provisioner.registry.images import image_problems
from provisioner.registry.pending import with_other_names
from provisioner.registry.published import Published
from provisioner.registry.record import About
from provisioner.registry.revision import describe, keep
from provisioner.registry.sources import GROUP_FILES, SITE_FILE
from provisioner.registry.view import SiteView

__all__ = ["Applied", "Draft", "Plan", "Texts", "commit", "draft"]

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

    def renewed(self) -> Draft:
        """The draft, or the same change of what is written now. The caller holds the lock.

        Raises ConflictError when it no longer comes to the same.
        """
        files = collect(self.paths)
        if describe(files).revision == self.before.revision:
            return self
        again = _drafted(self.paths, self.catalogue, self.plan, self.renamed, files)
        if again.differences != self.differences:
            message = "the site was changed meanwhile, and this change would no longer do what was shown"
            raise ConflictError(f"{message}; nothing is written", hint="run it again and look at what it does now")
        return again

    def write(self, about: About) -> tuple[str, ...]:
        """Write and record it. Returns the files that changed; raises what `registry.amend.write` raises."""
        return write(self.paths, self.view.collected, _contents(self.files), about)

    def keep(self) -> None:
        """Keep what later looks and plans need."""
        # Before the first change of a site nobody has kept anything, and plans look back to there too.
        keep(self.paths, self.view.collected)
        keep(self.paths, _collected(self.view, self.files))
        publish(self.paths, self.after)
        prune(self.paths)


def draft(paths: Paths, catalogue: Catalogue, plan: Plan, renamed: Mapping[str, str] | None = None) -> Draft:
    """Work out a change and write nothing.

    Raises what the plan raises, and ConfigError with every problem that was not there before, or where there is no
    site at all. Overlays that a changed node cannot render any more are such problems (operations.breakage).
    Problems elsewhere do not hinder a change, which may be the repair. Main thread only.
    """
    return _drafted(paths, catalogue, plan, renamed or {}, collect(paths))


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
    added: Sequence[Problem] = _added(_problems(view.published, catalogue), _problems(after.published, catalogue))
    drafted = Draft(paths, catalogue, plan, view, changed, after, renamed)
    added = added or _unfit(drafted) or _unrenderable(drafted)
    if added:
        raise ConfigError(added)
    return drafted


def _unfit(drafted: Draft) -> Sequence[Problem]:
    from provisioner.operations.room import misfits_by  # noqa: PLC0415 - only a change of nodes needs it

    return misfits_by(drafted.paths, drafted.catalogue, drafted.changed_nodes())


def _unrenderable(drafted: Draft) -> Sequence[Problem]:
    if not drafted.files:
        return ()
    # The template language takes a while to import.
    from provisioner.operations.breakage import Images, Side, broken_by  # noqa: PLC0415 - as said above

    before = Side(drafted.before, drafted.view.collected)
    after = Side(drafted.after.published, _collected(drafted.view, drafted.files))
    return broken_by(
        Images(drafted.paths, drafted.catalogue), before, after, drafted.after.changed, drafted.renamed
    )


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

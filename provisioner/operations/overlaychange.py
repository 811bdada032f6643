"""The door for changes of overlays: planned on what is written, tried on the nodes that it concerns, then written.

As for configuration (`operations.change`), a draft is worked out without a lock, and made again when the site has
become another one meanwhile.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, Problem, ProvisionerError
from provisioner.host import transaction
from provisioner.host.journal import Journal, digest
from provisioner.host.transaction import FileChange
from provisioner.model.catalogue import Catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.operations.applied import commit
from provisioner.operations.bootplan import BootPlan, compare
from provisioner.operations.overlayedits import Contents, OverlayPlan
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.operations.storedimages import StoredImages
from provisioner.operations.trial import trial_of
from provisioner.overlay.lint import mistakes
from provisioner.overlay.source import Overlay, WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile, collect
from provisioner.registry.compiler import compile_files, obtain
from provisioner.registry.pending import place_of
from provisioner.registry.published import Published
from provisioner.registry.record import About, catch_up, record
from provisioner.registry.revision import describe, keep
from provisioner.render.environment import Renderer

_MODE = 0o640

__all__ = ["OverlayDraft", "commit", "draft"]

Collected = Mapping[str, SourceFile]


@dataclass(frozen=True)
class OverlayDraft:
    """A change of overlays that is worked out and not written. `contents` are those that become others, by key."""

    paths: Paths
    catalogue: Catalogue
    plan: OverlayPlan
    view: OverlayFiles
    published: Published
    contents: Contents

    @cached_property
    def after(self) -> Collected:
        """What `collect` will find."""
        kept = {key: each for key, each in self.view.files.items() if key not in self.contents}
        new = {key: _future(self.view, key, content) for key, content in self.contents.items()}
        return dict(sorted({**kept, **{key: each for key, each in new.items() if each}}.items()))

    @cached_property
    def touched(self) -> frozenset[str]:
        """The names of the overlays that become others."""
        return frozenset(key.split("/")[1] for key in self.contents)

    def differences(self) -> Iterator[str]:
        """The lines of a unified difference of all files, as `diff -u` prints it."""
        for key in sorted(self.contents):
            yield from _difference(key, self.view.files.get(key), self.after.get(key))

    def boot_plan(self) -> BootPlan:
        """What boots would do differently. IntegrityError when provisioner.yaml cannot be used as it is now."""
        before = self.published.snapshot()
        after = replace(before, revision=describe(self.after).revision)
        files = WrittenFiles(self.view.files), WrittenFiles(self.after)
        images = StoredImages(self.paths, self.catalogue)
        return compare(before, after, files, images, self.catalogue)

    def renewed(self) -> OverlayDraft:
        """The draft, or the same change of what is written now. The caller holds the lock.

        Raises ConflictError when it no longer comes to the same.
        """
        files = collect(self.paths)
        if describe(files).revision == describe(self.view.files).revision:
            return self
        again = _drafted(self.paths, self.catalogue, self.plan, files)
        if list(again.differences()) != list(self.differences()):
            message = "the overlays were changed meanwhile, and this change would no longer do what was shown"
            raise ConflictError(f"{message}; nothing is written", hint="run it again and look at what it does now")
        return again

    def write(self, about: About) -> tuple[str, ...]:
        """Write and record it. Returns the files that changed; raises what `transaction.commit` raises."""
        return _write(self, about)

    def keep(self) -> None:
        """Keep what later looks and plans need."""
        keep(self.paths, self.after)


def draft(paths: Paths, catalogue: Catalogue, plan: OverlayPlan) -> OverlayDraft:
    """Work out a change and write nothing.

    Raises what the plan raises, and ConfigError with every mistake that was not there before: in the syntax, in
    names that nothing has any more, and in what templates do for a node.
    """
    return _drafted(paths, catalogue, plan, collect(paths))


def _drafted(paths: Paths, catalogue: Catalogue, plan: OverlayPlan, files: Collected) -> OverlayDraft:
    view = OverlayFiles(paths, files)
    contents = {
        key: content
        for key, content in plan(view).items()
        if not view.is_own(key) or content is None or files[key].content != content
    }
    drafted = OverlayDraft(paths, catalogue, plan, view, obtain(paths, files), contents)
    _refuse_mistakes(drafted)
    return drafted


def _refuse_mistakes(drafted: OverlayDraft) -> None:
    before, after = drafted.view.files, drafted.after
    found = _added(_syntax(before, drafted.touched), _syntax(after, drafted.touched))
    if not found:
        found = _added(_references(drafted, before), _references(drafted, after))
    if not found and drafted.published.usable:
        found = _failures(drafted)
    if found:
        raise ConfigError(found)


def _syntax(files: Collected, overlays: frozenset[str]) -> tuple[Problem, ...]:
    touched = {
        key: each for key, each in files.items() if key.startswith(tuple(f"overlays/{o}/" for o in overlays))
    }
    return mistakes(WrittenFiles(touched), Renderer(), _names(files))


def _references(drafted: OverlayDraft, files: Collected) -> tuple[Problem, ...]:
    """What names overlays that are not there; looked at only where one comes or goes."""
    if _names(drafted.view.files) == _names(drafted.after):
        return ()
    return compile_files(drafted.paths, files, drafted.published).problems


def _failures(drafted: OverlayDraft) -> tuple[Problem, ...]:
    """What the nodes with these overlays cannot render any more."""
    snapshot = drafted.published.snapshot()
    users = set(_using(drafted.after, drafted.touched)) | set(_using(drafted.view.files, drafted.touched))
    after = _tried(drafted, drafted.after, snapshot, users)
    return _added(_tried(drafted, drafted.view.files, snapshot, users), after) if after else ()


def _tried(drafted: OverlayDraft, files: Collected, snapshot: Snapshot, overlays: set[str]) -> tuple[Problem, ...]:
    trial = trial_of(drafted.paths, files, snapshot, drafted.catalogue)
    for node in snapshot.nodes.values():
        if not overlays.isdisjoint((*node.system_overlays, *node.runtime_overlays)):
            trial.render(node)
    return trial.problems


def _using(files: Collected, names: Iterable[str]) -> Iterator[str]:
    """Overlays with some others in them, and these themselves."""
    found = set(names)
    uses: dict[str, tuple[str, ...]] = {}
    for name in _names(files):
        with suppress(ProvisionerError):
            uses[name] = Overlay(WrittenFiles(files), name).declared.brings
    while more := {name for name, used in uses.items() if not found.isdisjoint(used)} - found:
        found |= more
    yield from found


def _names(files: Collected) -> frozenset[str]:
    return frozenset(key.split("/")[1] for key in files if key.startswith("overlays/"))


def _added(before: Iterable[Problem], after: Iterable[Problem]) -> tuple[Problem, ...]:
    known = {(each.file, each.message) for each in before}
    return tuple(each for each in after if (each.file, each.message) not in known)


def _write(drafted: OverlayDraft, about: About) -> tuple[str, ...]:
    paths, files = drafted.paths, drafted.view.files
    wanted = {
        key: FileChange(digest(files[key].content) if drafted.view.is_own(key) else None, content)
        for key, content in drafted.contents.items()
    }
    if not wanted:
        return ()
    # The history tells what was there from these contents.
    with suppress(OSError):
        keep(paths, files)
    before, after = describe(files), describe(drafted.after)
    present = {key.removeprefix("site/"): entry.digest for key, entry in before.files.items()}
    texts = {key.removeprefix("site/"): each.content for key, each in files.items() if key.startswith("site/")}
    catch_up(paths, present, texts, before.revision)
    note = about.note(before.revision, after.revision)
    transaction.commit(place_of(paths), wanted, note, lambda journal: record(paths, _as_seen(journal, drafted)))
    _remove_empty_folders(paths, (key for key, content in drafted.contents.items() if content is None))
    return tuple(sorted(wanted))


def _as_seen(journal: Journal, drafted: OverlayDraft) -> Journal:
    """The journal as nodes see it: a file of the site takes the place of a shipped one, and gives it back."""
    before, after = drafted.view.files, drafted.after
    steps = (
        replace(
            step,
            before=digest(before[step.path].content) if step.path in before else None,
            content=after[step.path].content if step.path in after else None,
        )
        for step in journal.steps
    )
    return replace(journal, steps=tuple(steps))


def _remove_empty_folders(paths: Paths, keys: Iterable[str]) -> None:
    for key in keys:
        for folder in (paths.site / key).parents:
            if folder == paths.site / "overlays":
                break
            # One that still holds something stays.
            with suppress(OSError):
                folder.rmdir()


def _future(view: OverlayFiles, key: str, content: bytes | None) -> SourceFile | None:
    """A file once its content is written; of one that goes the shipped one, if there is one."""
    if content is not None:
        return SourceFile(FileKind.FILE, view.files[key].mode if view.is_own(key) else _MODE, content)
    if not view.is_shipped(key):
        return None
    shipped = view.paths.data / key
    return SourceFile(FileKind.FILE, shipped.stat().st_mode & 0o7777, shipped.read_bytes())


def _difference(key: str, old: SourceFile | None, new: SourceFile | None) -> Iterator[str]:
    try:
        before, after = (each.content.decode().splitlines() if each else [] for each in (old, new))
    except UnicodeDecodeError:
        sizes = " -> ".join(f"{len(each.content)} bytes" if each else "nothing" for each in (old, new))
        yield f"{key}: {sizes}"
        return
    names = (f"a/{key}" if old else "/dev/null", f"b/{key}" if new else "/dev/null")
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    # A copy of what ships says the same, and a new file may be empty.
    yield from lines or [f"{key}: the same text, as a file of the site" if old else f"{key}: a new file, empty"]

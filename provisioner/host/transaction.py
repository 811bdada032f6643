"""Changing many files as one: all of them or none, through errors, `kill -9` and power cuts.

1. The draft of a journal is written: every new content, and which files and folders there will be.
2. The new contents are written beside their files, with owner and mode, and synced: a full disk shows here.
3. The draft is renamed to the journal. This is the commit: before it the old state is the truth, after it the new.
4. The contents are renamed into place, and removed files aside. The caller records the change. A file that
   somebody changed by hand until then stays as it is, and the change is taken back.
5. What is aside is unlinked, and the journal is renamed away.

`recover` undoes a draft and finishes a journal. Writers hold the caller's lock. Readers take none: what a journal
holds they find with `journal.read`, and whether a commit went by while they read with `journal.mark`.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ConflictError, IntegrityError, UnavailableError
from provisioner.host import placement
from provisioner.host.files import sync_directory, write_synced
from provisioner.host.journal import Journal, Note, Place, Step, digest, encode, read

logger = logging.getLogger(__name__)

_MODE = 0o640

Recorder = Callable[[Journal], None]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a file will hold; None removes it. `before` is the SHA-256 of what the change was made from."""

    before: str | None
    content: bytes | None


def commit(place: Place, changes: Mapping[str, FileChange], note: Note, record: Recorder) -> bool:
    """Make all changes of files, named by their paths below the root, or none; False when nothing changes.

    `recover` has to come first. `record` runs when the files are in place; what it raises takes the change back.
    Raises ConflictError when a file is not what its change was made from, and UnavailableError when something
    cannot be written.
    """
    try:
        journal, old = _plan(place, changes, note)
    except OSError as error:
        raise _unwritable(place, error) from error
    if not journal.steps:
        return False
    try:
        write_synced(place.draft, encode(journal), mode=_MODE)
        placement.prepare(place, journal)
        placement.demand_unchanged(place, journal)
        place.draft.rename(place.journal)
        sync_directory(place.state)
        placement.put_in_place(place, journal)
        record(journal)
    except BaseException as error:
        _take_back(place, journal, old)
        if isinstance(error, OSError):
            raise _unwritable(place, error) from error
        raise
    _close(place, journal)
    return True


def recover(place: Place, record: Recorder) -> tuple[str, ...]:
    """Finish what a crash interrupted; returns the files that somebody changed since, which are left as they are.

    `record` has to bear a change that is recorded already. Raises UnavailableError when a file cannot be written.
    """
    try:
        _discard_draft(place)
    except OSError as error:
        raise _unwritable(place, error) from error
    journal = read(place.journal)
    if journal is None:
        return ()
    try:
        left = placement.finish(place, journal)
        record(journal)
        place.journal.rename(place.closed)
    except OSError as error:
        raise _unfinished(place, error) from error
    return left


def _plan(place: Place, changes: Mapping[str, FileChange], note: Note) -> tuple[Journal, dict[str, bytes | None]]:
    """The journal of the changes that change something, and what the files hold now."""
    if place.journal.exists():
        # Renaming over it would lose what it says.
        raise UnavailableError(f"{place.journal} holds a change that is not finished", hint="try again")
    steps: list[Step] = []
    old: dict[str, bytes | None] = {}
    by_target: dict[str, Step] = {}
    for path, change in sorted(changes.items()):
        target = _target(place, path, removed=change.content is None)
        current = placement.content_of(place.root / target)
        if digest(current) != change.before:
            raise placement.changed_meanwhile(path)
        if current != change.content:
            steps.append(Step(path, target, change.before, change.content))
            _demand_one_content(place, steps[-1], by_target.setdefault(target, steps[-1]))
            old[path] = current
    return Journal(tuple(steps), _missing_folders(place, steps), note), old


def _demand_one_content(place: Place, step: Step, first: Step) -> None:
    """A file that several names lead to gets one content; ConflictError for two."""
    if step.content != first.content:
        message = f"{first.path} and {step.path} lead to one file, {place.root / step.target}"
        raise ConflictError(
            f"{message}, and would get two contents", hint="replace the links by files of their own"
        )


def _target(place: Place, path: str, *, removed: bool) -> str:
    # Removing a link removes the link; writing one writes the file that it leads to.
    root, named = place.root.resolve(), place.root / path
    target = named.parent.resolve() / named.name if removed else named.resolve()
    if not target.is_relative_to(root) or target == root:
        raise ConflictError(f"{path} leads out of {place.root}, to {target}", hint="replace the link by a file")
    return str(target.relative_to(root))


def _missing_folders(place: Place, steps: Iterable[Step]) -> tuple[str, ...]:
    parents = {parent for step in steps for parent in Path(step.target).parents}
    return tuple(str(each) for each in sorted(parents) if not (place.root / each).exists())


def _take_back(place: Place, journal: Journal, old: dict[str, bytes | None]) -> None:
    """Return to the old state after an error. Until the journal is away the new state holds, whatever happens."""
    committed = place.journal.exists()
    try:
        if committed:
            placement.reverse(place, journal, old)
            place.journal.rename(place.closed)
        else:
            placement.discard(place, journal)
            place.draft.unlink(missing_ok=True)
    except OSError as error:
        if committed:
            raise _unfinished(place, error) from error
        # What the draft names is removed by the next writer.
        logger.warning("cannot remove what an interrupted change left: %s", error)


def _discard_draft(place: Place) -> None:
    """Remove what a writer left that was killed before its commit."""
    try:
        draft = read(place.draft)
    except IntegrityError:
        # It was not whole yet, so nothing that it names had been made.
        draft = Journal((), (), {})
    if draft is not None:
        placement.discard(place, draft)
        place.draft.unlink(missing_ok=True)


def _close(place: Place, journal: Journal) -> None:
    try:
        placement.give_up_removed(place, journal)
        place.journal.rename(place.closed)
    except OSError as error:
        # All is done; the next writer finds nothing left to do but this.
        logger.warning("cannot close the journal %s: %s", place.journal, error)


def _unwritable(place: Place, error: OSError) -> UnavailableError:
    return UnavailableError(f"nothing was changed: {_reason(error)}", hint=_remedy(place, error))


def _unfinished(place: Place, error: OSError) -> UnavailableError:
    message = f"a change is committed, but not all of its files are in place yet: {_reason(error)}"
    return UnavailableError(message, hint=f"{_remedy(place, error)}; the next command that writes finishes it")


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{reason}: {os.fsdecode(error.filename)}"


def _remedy(place: Place, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"make room: df -h {place.root} {place.state}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "run prov as root or as a member of the group that owns the files"
    if error.errno == errno.EROFS:
        return f"mount it writable: findmnt -T {place.root}"
    return "look at the disk: dmesg | tail"

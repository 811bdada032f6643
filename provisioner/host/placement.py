"""What a journal does to the files themselves; `transaction` decides when.

New contents, and removed files until they are given up, lie beside their file under a name of their own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from provisioner.errors import ConflictError
from provisioner.host.files import make_folder, sync_directory, write_synced
from provisioner.host.journal import Journal, Place, Step, digest

_TEMPORARY = ".prov-new."
_NEW_MODE = 0o640


def content_of(path: Path) -> bytes | None:
    """What a file holds, None where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def prepare(place: Place, journal: Journal) -> None:
    """Make the folders, and write the new contents beside their files: a full disk shows here."""
    for folder in journal.folders:
        make_folder(place.root / folder)
        sync_directory((place.root / folder).parent)
    for number, step in enumerate(journal.steps):
        if step.content is not None:
            _write_beside(place, number, step, step.content)


def demand_unchanged(place: Place, journal: Journal) -> None:
    """Raise ConflictError when a file is no longer what its change was made from."""
    for step in journal.steps:
        if digest(content_of(place.root / step.target)) != step.before:
            raise changed_meanwhile(step.path)


def put_in_place(place: Place, journal: Journal) -> None:
    """Rename what `prepare` wrote to where it belongs, and removed files aside.

    Each file is looked at once more: ConflictError when somebody changed one, which stays as it is then.
    """
    for number, step in enumerate(journal.steps):
        _put(place.root / step.target, _beside(place, number, step), step)
    _sync_folders(place, journal)


def changed_meanwhile(path: str) -> ConflictError:
    """What to say of a file that somebody changed while a change of it was worked out."""
    return ConflictError(f"{path} was changed while it was edited", hint="try again")


def finish(place: Place, journal: Journal) -> tuple[str, ...]:
    """Bring every file to its new state, however far it is; returns those in neither state, left alone."""
    left = [step.path for number, step in enumerate(journal.steps) if not _finish(place, number, step)]
    _sync_folders(place, journal)
    return tuple(left)


def reverse(place: Place, journal: Journal, old: dict[str, bytes | None]) -> None:
    """Bring every file back to its old content, however far it is."""
    for number, step in enumerate(journal.steps):
        beside = _beside(place, number, step)
        if step.content is None:
            _bring_back(beside, place.root / step.target)
        else:
            _finish(place, number, Step(step.path, step.target, step.after, old[step.path]))
    _sync_folders(place, journal)
    _remove_folders(place, journal)


def give_up_removed(place: Place, journal: Journal) -> None:
    """Unlink the removed files that `put_in_place` set aside."""
    for number, step in enumerate(journal.steps):
        if step.content is None:
            _remove(_beside(place, number, step))


def discard(place: Place, journal: Journal) -> None:
    """Remove what `prepare` made."""
    for number, step in enumerate(journal.steps):
        _remove(_beside(place, number, step))
    _remove_folders(place, journal)


def _put(target: Path, beside: Path, step: Step) -> None:
    if digest(content_of(target)) == step.after:
        # Another name of the same file came first, or somebody wanted the same.
        _remove(beside)
    elif not _is_as_before(target, step):
        raise changed_meanwhile(step.path)
    elif step.content is not None:
        beside.rename(target)
    else:
        target.rename(beside)


def _is_as_before(target: Path, step: Step) -> bool:
    # What a link that goes away leads to may have been written by another step.
    return (step.content is None and target.is_symlink()) or digest(content_of(target)) == step.before


def _bring_back(beside: Path, target: Path) -> None:
    """Give a removed file its name again, unless somebody made a new one."""
    if os.path.lexists(target):
        _remove(beside)
    elif os.path.lexists(beside):
        beside.rename(target)


def _beside(place: Place, number: int, step: Step) -> Path:
    # Without the name of the file, which may be as long as names can be.
    return (place.root / step.target).with_name(f"{_TEMPORARY}{number}")


def _write_beside(place: Place, number: int, step: Step, content: bytes) -> None:
    write_synced(_beside(place, number, step), content, like=place.root / step.target, mode=_NEW_MODE)


def _finish(place: Place, number: int, step: Step) -> bool:
    target, beside = place.root / step.target, _beside(place, number, step)
    _remove(beside)
    if digest(content_of(target)) == step.after:
        return True
    if not _is_as_before(target, step):
        return False
    if step.content is None:
        target.unlink()
    else:
        make_folder(target.parent)
        _write_beside(place, number, step, step.content)
        beside.rename(target)
    return True


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def _sync_folders(place: Place, journal: Journal) -> None:
    for folder in sorted({(place.root / step.target).parent for step in journal.steps}):
        if folder.exists():
            sync_directory(folder)


def _remove_folders(place: Place, journal: Journal) -> None:
    for folder in reversed(journal.folders):
        # Somebody else may have put a file there.
        with suppress(OSError):
            (place.root / folder).rmdir()

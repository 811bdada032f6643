"""The writing half of an edit: what a crash left is finished, hand edits are recorded, all files change as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from provisioner.config.paths import Paths
from provisioner.errors import Problem
from provisioner.host import transaction
from provisioner.host.files import locked
from provisioner.host.transaction import FileChange
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.registry.pending import is_configuration, place_of, with_other_names
from provisioner.registry.record import About, catch_up, record
from provisioner.registry.revision import RevisionManifest, describe

_SITE = "site/"
_MODE = 0o640


def finish_interrupted(paths: Paths) -> tuple[Problem, ...]:
    """Finish the commit that a crash interrupted. The caller holds `write_lock`; every edit begins with this.

    Returns a problem for each file that somebody changed since: it stays as it is. Raises UnavailableError when
    a file cannot be written; the new state stays in the journal then, from where every reader takes it.
    """
    left = transaction.recover(place_of(paths), lambda journal: record(paths, journal))
    message = "changed by hand before an interrupted edit of it was finished; what was written by hand stays"
    return tuple(Problem(path, 0, 0, message, "prov history show names what the edit wanted") for path in left)


def recover(paths: Paths) -> tuple[Problem, ...]:
    """`finish_interrupted` under the lock, for a daemon that starts. Waits for a writer at work."""
    with locked(paths.write_lock):
        return finish_interrupted(paths)


def write(
    paths: Paths, files: Mapping[str, SourceFile], contents: Mapping[str, bytes | None], about: About
) -> tuple[str, ...]:
    """Change configuration files as one, and record who did it; returns the files that changed, sorted.

    `files` is what the edit was made from, as `collect` gave it, `contents` the new content of files by path
    below the site root, None to remove one. What several names lead to changes under all of them. The caller holds
    `write_lock`. Raises ConflictError when somebody
    changed one of these files meanwhile, UnavailableError when something cannot be written; all is as it was then.
    """
    every = with_other_names(paths, contents)
    changes = {path: FileChange(_digest(files, path), content) for path, content in every.items()}
    changes = {path: change for path, change in changes.items() if _differs(change)}
    strange = [path for path in changes if not is_configuration(path)]
    if strange:
        # No reader would find it, so neither history nor recovery could tell what it is.
        raise ValueError(f"{strange[0]} is no configuration file")
    if not changes:
        return ()
    before = describe(files)
    after = describe({**_others(files, changes), **_new(changes)})
    catch_up(paths, _present(before), _texts(files), before.revision)
    note = about.note(before.revision, after.revision)
    transaction.commit(place_of(paths), changes, note, lambda journal: record(paths, journal))
    return tuple(sorted(changes))


def _digest(files: Mapping[str, SourceFile], path: str) -> str | None:
    found = files.get(_SITE + path)
    return None if found is None else hashlib.sha256(found.content).hexdigest()


def _differs(change: FileChange) -> bool:
    after = None if change.content is None else hashlib.sha256(change.content).hexdigest()
    return after != change.before


def _others(files: Mapping[str, SourceFile], changes: Mapping[str, FileChange]) -> dict[str, SourceFile]:
    return {key: each for key, each in files.items() if key.removeprefix(_SITE) not in changes}


def _new(changes: Mapping[str, FileChange]) -> dict[str, SourceFile]:
    return {
        _SITE + path: SourceFile(FileKind.FILE, _MODE, change.content)
        for path, change in changes.items()
        if change.content is not None
    }


def _present(manifest: RevisionManifest) -> dict[str, str]:
    return {key.removeprefix(_SITE): entry.digest for key, entry in manifest.files.items()}


def _texts(files: Mapping[str, SourceFile]) -> dict[str, bytes]:
    return {key.removeprefix(_SITE): each.content for key, each in files.items() if key.startswith(_SITE)}

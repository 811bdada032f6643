"""Taking a change back, under whatever was changed after it."""

from __future__ import annotations

from itertools import takewhile

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.host.journal import digest
from provisioner.operations.change import Plan, Texts
from provisioner.operations.history import KeptTexts, newest_first
from provisioner.registry import history
from provisioner.registry.history import BY_HAND, Change, ChangedFile
from provisioner.registry.merge import merge
from provisioner.registry.pending import is_configuration
from provisioner.registry.view import SiteView


def to_undo(paths: Paths, number: int | None) -> Change:
    """The change with this id; without one the newest by a program that holds and is no undo itself.

    Raises NotFoundError when there is none, and ConflictError when it is undone already.
    """
    if number is None:
        return _last(paths)
    change = history.change(paths, number)
    if change.undone_by is not None:
        hint = f"prov undo {change.undone_by} brings it back"
        raise ConflictError(f"change {number} is undone already, by change {change.undone_by}", hint=hint)
    return change


def undo(paths: Paths, change: Change) -> Plan:
    """The site without a change; later changes of other lines stay. Undoing an undo brings the change back.

    The plan raises ConflictError when a later change of the same lines stands in the way, or when the change is
    of files that prov does not write, and NotFoundError when a text is not kept.
    """

    def plan(view: SiteView) -> Texts:
        texts = KeptTexts(paths)
        return {each.path: _without(paths, texts, change, each, view.text(each.path)) for each in change.files}

    return plan


def _last(paths: Paths) -> Change:
    for change in newest_first(paths):
        if change.undone_by is None and change.undoes is None and change.who != BY_HAND:
            return change
    raise NotFoundError("there is nothing to undo", hint="prov history")


def _without(paths: Paths, texts: KeptTexts, change: Change, file: ChangedFile, current: str | None) -> str | None:
    """The text of a file without a change of it."""
    if not is_configuration(file.path):
        hint = f"prov history show {change.id}; undo takes back provisioner.yaml, groups.d/ and nodes.d/ only"
        raise ConflictError(f"change {change.id} changed {file.path}, which prov does not write", hint=hint)
    now = digest(None if current is None else current.encode(errors="surrogateescape"))
    if now in {file.after, file.before}:
        return texts.both(file)[0]
    merged = _merged(texts, file, current)
    if merged is None:
        raise _in_the_way(paths, change, file)
    return merged


def _in_the_way(paths: Paths, change: Change, file: ChangedFile) -> ConflictError:
    message = f"change {change.id} cannot be undone: {file.path} was changed since in the same place"
    culprit = _culprit(paths, change, file)
    if culprit is None:
        return ConflictError(f"{message}, by hand", hint=f"prov history show {change.id}, and edit {file.path}")
    hint = f"prov undo {culprit.id} first, or prov history show {change.id} and edit {file.path}"
    return ConflictError(f"{message}, by change {culprit.id}: {culprit.command or culprit.who}", hint=hint)


def _culprit(paths: Paths, change: Change, file: ChangedFile) -> Change | None:
    """The first later change that left a text from which this one could no longer be taken back."""
    texts = KeptTexts(paths)
    later = takewhile(lambda each: each.id > change.id, newest_first(paths, file.path))
    for each in reversed(list(later)):
        left = next(one for one in each.files if one.path == file.path)
        if _merged(texts, file, texts.both(left)[1]) is None:
            return each
    return None


def _merged(texts: KeptTexts, file: ChangedFile, current: str | None) -> str | None:
    before, after = texts.both(file)
    return None if current is None or before is None or after is None else merge(after, current, before)

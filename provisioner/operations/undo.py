"""Taking a change back, under whatever was changed after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.host.journal import digest
from provisioner.operations.change import Plan, Texts
from provisioner.operations.history import KeptTexts, newest_first
from provisioner.operations.overlayedits import Contents, OverlayPlan
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.registry import history
from provisioner.registry.collect import FileKind
from provisioner.registry.history import BY_HAND, Change, ChangedFile
from provisioner.registry.merge import merge
from provisioner.registry.pending import is_configuration
from provisioner.registry.revision import Revision
from provisioner.registry.view import SiteView

_OVERLAYS = "overlays/"


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
    if not change.files:
        message = f"change {number} is of a secret, of which nothing is kept"
        raise ConflictError(message, hint="set it again from a backup: prov secret set NAME --from-file FILE")
    return change


def is_of_overlays(change: Change) -> bool:
    """Whether a change is of overlays, so that `undo_overlays` takes it back."""
    return all(each.path.startswith(_OVERLAYS) for each in change.files)


def undo(paths: Paths, change: Change) -> Plan:
    """The site without a change; later changes of other lines stay. Undoing an undo brings the change back.

    The plan raises ConflictError when a later change of the same lines stands in the way, or when the change is
    of files that prov does not write, and NotFoundError when a text is not kept.
    """

    def plan(view: SiteView) -> Texts:
        _refuse_others(change, is_configuration)
        texts = KeptTexts(paths)
        return {each.path: _without(paths, texts, change, each, view.text(each.path)) for each in change.files}

    return plan


def undo_overlays(paths: Paths, change: Change) -> OverlayPlan:
    """As `undo` for a change of overlays. Where a file was as it ships, the shipped one shows again."""

    def plan(view: OverlayFiles) -> Contents:
        _refuse_others(change, lambda path: path.startswith(_OVERLAYS))
        _refuse_links(paths, change)
        texts = KeptTexts(paths)
        return {
            key: content
            for key, content in (_back(paths, texts, change, each, view) for each in change.files)
            if content is not None or view.is_own(key)
        }

    return plan


def _last(paths: Paths) -> Change:
    for change in newest_first(paths):
        is_left = change.undone_by is None and change.undoes is None
        if change.files and is_left and change.who != BY_HAND:
            return change
    raise NotFoundError("there is nothing to undo", hint="prov history")


def _refuse_others(change: Change, is_ours: Callable[[str], bool]) -> None:
    """Refuse a change of anything else: hand edits may be of everything at once."""
    strange = next((each.path for each in change.files if not is_ours(each.path)), None)
    if strange is None:
        return
    hint = f"prov history show {change.id} prints what patch -R -p1 takes back, below the site's folder"
    if is_configuration(strange) or strange.startswith(_OVERLAYS):
        message = f"change {change.id} is of configuration and of overlays; undo takes back one of them"
        raise ConflictError(message, hint=hint)
    raise ConflictError(f"change {change.id} changed {strange}, which prov does not write", hint=hint)


def _refuse_links(paths: Paths, change: Change) -> None:
    """Refuse to make a file of what was a symlink; the history knows contents only."""
    if change.before is None:
        return
    with suppress(NotFoundError):
        known = Revision.open(paths, change.before).files
        for each in change.files:
            if each.before and known[each.path].kind is FileKind.SYMLINK:
                message = (
                    f"change {change.id} cannot be undone: {each.path} was a symlink, which prov does not make"
                )
                raise ConflictError(message, hint="make it with ln -s, or declare it in overlay.yaml, under links")


def _back(
    paths: Paths, texts: KeptTexts, change: Change, file: ChangedFile, view: OverlayFiles
) -> tuple[str, bytes | None]:
    """The key of a file of an overlay, and its content without a change; None where the site needs no own one."""
    key = file.path
    text = _without(paths, texts, change, file, view.text(key) if key in view.files else None)
    content = None if text is None else text.encode(errors="surrogateescape")
    return key, None if content == view.shipped(key) else content


def _without(paths: Paths, texts: KeptTexts, change: Change, file: ChangedFile, current: str | None) -> str | None:
    """The text of a file without a change of it."""
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

"""What was changed, when and by whom, and what it did to the texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.operations.disguise import Disguise, stars
from provisioner.registry import history
from provisioner.registry.history import Change, ChangedFile
from provisioner.registry.mention import entries_of
from provisioner.registry.merge import counts, unified
from provisioner.registry.pending import is_configuration

_PAGE = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """A change, and how many lines it added and removed; None where a content is not kept."""

    change: Change
    lines: tuple[int, int] | None

    def record(self) -> dict[str, Writable]:
        """The change as plain data: its time in local time, its files by name."""
        change = self.change
        return {
            "id": change.id,
            "time": datetime.fromtimestamp(change.time, UTC).astimezone().isoformat(timespec="seconds"),
            "who": change.who,
            "command": change.command,
            "message": change.message,
            "before": change.before,
            "after": change.after,
            "undoes": change.undoes,
            "undone_by": change.undone_by,
            "files": [each.path for each in change.files],
            "added": self.lines[0] if self.lines else None,
            "removed": self.lines[1] if self.lines else None,
        }


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The change of one file as `diff -u` prints it; empty where a content is no text or is not kept.

    Configuration has stars in place of secrets: a line in which only a secret changed is there before and after.
    """

    path: str
    diff: str


def changes(paths: Paths, *, limit: int = 20, file: str | None = None, node: str | None = None) -> list[Summary]:
    """The newest changes, newest first; only those of a file, or of an entry that names a node.

    What a node inherits is not looked at: a change of its group is a change of the group.
    """
    found: list[Summary] = []
    texts = KeptTexts(paths)
    for change in newest_first(paths, file):
        if len(found) == limit:
            break
        if node is None or any(_touches(texts, each, node) for each in change.files):
            found.append(Summary(change, _count(texts, change)))
    return found


def show(paths: Paths, number: int) -> tuple[Summary, tuple[FileDiff, ...]]:
    """One change and what it did to each file. Raises NotFoundError when there is none with this id."""
    change = history.change(paths, number)
    texts = KeptTexts(paths)
    diffs = tuple(FileDiff(each.path, _diff(texts, each)) for each in change.files)
    return Summary(change, _count(texts, change)), diffs


class KeptTexts:
    """Contents of the history as texts, the last ones kept: what one change leaves is where the next begins."""

    def __init__(self, paths: Paths) -> None:
        self.read = lru_cache(maxsize=64)(lambda known: _text(paths, known))

    def both(self, file: ChangedFile) -> tuple[str | None, str | None]:
        """The text before and after; NotFoundError where one is not kept."""
        return self.read(file.before), self.read(file.after)


def _text(paths: Paths, known: str | None) -> str | None:
    return None if known is None else history.content(paths, known).decode(errors="surrogateescape")


def newest_first(paths: Paths, file: str | None = None) -> Iterator[Change]:
    """All changes, or those of a file, read as they are asked for."""
    page = history.changes(paths, limit=_PAGE, file=file)
    while page:
        yield from page
        page = history.changes(paths, limit=_PAGE, file=file, before=page[-1].id)


def _touches(texts: KeptTexts, file: ChangedFile, node: str) -> bool:
    with suppress(NotFoundError):
        before, after = texts.both(file)
        return entries_of(before or "", node) != entries_of(after or "", node)
    return False


def _count(texts: KeptTexts, change: Change) -> tuple[int, int] | None:
    try:
        pairs = [texts.both(each) for each in change.files]
    except NotFoundError:
        return None
    counted = [counts(before or "", after or "") for before, after in pairs]
    return sum(added for added, _ in counted), sum(removed for _, removed in counted)


def _diff(texts: KeptTexts, file: ChangedFile) -> str:
    with suppress(NotFoundError):
        before, after = texts.both(file)
        if "\0" not in (before or "") + (after or ""):
            # What is not UTF-8 in a file could not be printed.
            return _unified(file.path, before, after).encode(errors="backslashreplace").decode()
    return ""


def _unified(path: str, before: str | None, after: str | None) -> str:
    if not is_configuration(path):
        return unified(path, before, after)
    disguise = Disguise()
    hidden = (None if text is None else disguise.put_on(text) for text in (before, after))
    return stars(unified(path, *hidden))

"""What became of an image: its generations, what each changed, and who moved what its name means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError
from provisioner.image import store
from provisioner.image.folder import ImageFolder
from provisioner.image.inventory import inventory
from provisioner.image.journal import Entry
from provisioner.image.tested import last
from provisioner.model.image import Generation


@dataclass(frozen=True, slots=True)
class Changes:
    """What a generation changed against `since` (NAME@NUMBER), None for a first one.

    Packages by name; `changed` with both versions. `kernel` is `OLD -> NEW`, empty when it is the same.
    """

    since: str | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, str]] | None = None
    kernel: str = ""

    @property
    def words(self) -> str:
        """In words: `2 packages new, 1 gone, kernel 5.14 -> 6.1`."""
        counts = (len(self.added), "new"), (len(self.removed), "gone"), (len(self.changed or ()), "changed")
        found = [f"{count} {word}" for count, word in counts if count]
        packages = ["packages: " + ", ".join(found)] if found else []
        return "; ".join([*packages, *([f"kernel {self.kernel}"] if self.kernel else [])])


@dataclass(frozen=True, slots=True)
class Past:
    """One generation of a history; `marks` are current, pinned and its tags, `tested` what its last test said."""

    generation: Generation
    marks: tuple[str, ...]
    changes: Changes
    tested: str = ""

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        each = self.generation
        kept = ("number", "created", "made_by", "parent", "note", "kernel_release", "tree")
        told = {"name": each.name, **each.model_dump(mode="json", include={*kept, "origin"})}
        return {**told, "marks": list(self.marks), "changes": asdict(self.changes), "tested": self.tested}


@dataclass(frozen=True, slots=True)
class ImageHistory:
    """All of an image, oldest first: its generations, and what was done to it."""

    generations: tuple[Past, ...]
    entries: tuple[Entry, ...]

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        done = [each.model_dump(mode="json") for each in self.entries]
        return {"generations": [each.record() for each in self.generations], "journal": done}


def history(paths: Paths, name: str) -> ImageHistory:
    """What became of an image; NotFoundError when there never was one with the name."""
    folder = ImageFolder.of(paths, store.check_name(name))
    generations, entries = folder.generations(), folder.history()
    if not generations and not entries:
        raise NotFoundError(f"there is no image {name}", hint="prov image list")
    marks = {number: marks_of(folder, number) for number in generations}
    found = tuple(
        Past(each, marks[each.number], changes, result.words if (result := last(paths, each)) else "")
        for each, changes in _changed(paths, generations.values())
    )
    return ImageHistory(found, entries)


def marks_of(folder: ImageFolder, number: int) -> tuple[str, ...]:
    """`current`, the tags of a generation, `pinned`, as they are."""
    marks = folder.marks()
    is_current = ("current",) if folder.current() == number else ()
    return (*is_current, *marks.tags_of(number), *(("pinned",) if number in marks.pins else ()))


def _changed(paths: Paths, generations: Iterable[Generation]) -> Iterator[tuple[Generation, Changes]]:
    packages: dict[str, Mapping[str, str] | None] = {}
    known: dict[str, Generation] = {}
    last: Generation | None = None
    for each in generations:
        since = known.get(each.parent or "", last)
        packages[each.name] = _packages(paths, each)
        yield each, _difference(since, each, packages) if since else Changes(None)
        known[each.name] = last = each


def _difference(old: Generation, new: Generation, packages: Mapping[str, Mapping[str, str] | None]) -> Changes:
    before, after = packages[old.name], packages[new.name]
    kernel = "" if old.kernel_release == new.kernel_release else f"{old.kernel_release} -> {new.kernel_release}"
    if before is None or after is None:
        return Changes(old.name, kernel=kernel)
    changed = {
        name: (before[name], after[name])
        for name in sorted(before)
        if after.get(name, before[name]) != before[name]
    }
    added, removed = sorted(after.keys() - before), sorted(before.keys() - after)
    return Changes(old.name, tuple(added), tuple(removed), changed, kernel)


def _packages(paths: Paths, generation: Generation) -> Mapping[str, str] | None:
    """Versions by name; None where there is no inventory, or a damaged one: `prov image verify` tells of that."""
    try:
        found = inventory(paths, generation)
    except IntegrityError:
        return None
    return None if found is None else {each.name: each.version for each in found.packages}

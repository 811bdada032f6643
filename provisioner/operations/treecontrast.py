"""Files that differ between two generations of images, where no other version of a package explains it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.image.contrast import Finding, Weight
from provisioner.model.image import Generation
from provisioner.model.imagefiles import ImageFile, ImageFiles, Kind
from provisioner.model.inventory import Package

_SECTION = "files"
# A folder with more of them is told as one.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a generation, the digests of their contents by path, and the version of each package."""

    files: ImageFiles
    digests: Mapping[str, str]
    versions: Mapping[str, str]


def contents(paths: Paths, generation: Generation, files: ImageFiles, packages: Iterable[Package]) -> Contents:
    """What a generation holds; without digests where its list of files did not come along (a bundle's may not)."""
    versions = {each.name: each.version for each in packages}
    digests: dict[str, str] = {}
    with suppress(FileNotFoundError), store.manifest_path(paths, generation.tree).open("rb") as lines:
        for line in lines:
            entry = json.loads(line)
            # A hard link comes after the name that it shares its content with (image.manifest).
            digest = entry.get("sha256") or digests.get(f"/{entry.get('target', '')}")
            if digest:
                digests[f"/{entry['path']}"] = digest
    return Contents(files, digests, versions)


def file_changes(old: Contents, new: Contents) -> Iterator[Finding]:
    """What became of files, folder by folder. Pure."""
    found = [(path, change) for path in sorted({*old.files, *new.files}) if (change := _change(path, old, new))]
    for folder, group in groupby(found, key=lambda each: str(PurePosixPath(each[0]).parent)):
        changes = list(group)
        if len(changes) <= _MOST:
            yield from (Finding(_SECTION, Weight.NOTE, path, change) for path, change in changes)
        else:
            counted = Counter(change if change in _WHOLE else "changed" for _, change in changes)
            message = ", ".join(f"{count} {what.removeprefix('is ')}" for what, count in sorted(counted.items()))
            yield Finding(_SECTION, Weight.NOTE, f"{folder.rstrip('/')}/", message)


_NEW, _GONE = _WHOLE = ("is new", "is gone")


def _change(path: str, old: Contents, new: Contents) -> str:
    before, after = old.files.get(path), new.files.get(path)
    there = [each for each in (before, after) if each is not None]
    if any(old.versions.get(each.package) != new.versions.get(each.package) for each in there):
        return ""
    if before is None or after is None:
        # A folder that comes or goes does so with what lies in it, or does not matter.
        return "" if there[0].kind is Kind.DIRECTORY else _NEW if before is None else _GONE
    return ", ".join(_differences(before, after, old.digests.get(path), new.digests.get(path)))


def _differences(before: ImageFile, after: ImageFile, old: str | None, new: str | None) -> Iterator[str]:
    if before.kind is not after.kind:
        yield f"{before.kind} -> {after.kind}"
    elif before.target != after.target:
        yield f"leads to {after.target} instead of {before.target}"
    elif old != new or before.size != after.size:
        yield f"other content ({before.size} -> {after.size} bytes)"
    if before.mode != after.mode:
        yield f"mode {before.mode:04o} -> {after.mode:04o}"
    if (before.uid, before.gid) != (after.uid, after.gid):
        yield f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}"

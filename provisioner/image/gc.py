"""Garbage: generations that nothing keeps, and what no generation refers to. Marked first, then swept.

Two things keep a sweep from taking what somebody is about to use. It runs alone (`scratch.collecting`): no build,
import or copy out of the store is under way. And what came less than an hour ago stays: a script that was just
rendered, or a daemon that has not looked yet, may name it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.image import scratch
from provisioner.image.folder import ImageFolder
from provisioner.model.image import Artifact, Generation

GRACE = 3600.0
"""Seconds for which everything new stays."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept besides what is in use: the `newest` of every image, and all `since` a time in Unix seconds."""

    newest: int
    since: float


@dataclass(frozen=True, slots=True)
class Rubbish:
    """A file or folder of the store that nothing refers to, and its size on the disk in bytes."""

    kind: str
    path: Path
    size: int


def reasons(folders: Iterable[ImageFolder], used: Mapping[str, str], policy: Policy) -> dict[str, str]:
    """Every generation (NAME@NUMBER) and why it is kept; without a reason, empty, it may go.

    `used` has the generations that nodes use, and how.
    """
    found: dict[str, str] = {}
    for folder in folders:
        generations = folder.generations()
        shielded = dict(_shielded(folder, policy))
        newest = sorted(generations)[-policy.newest :] if policy.newest else []
        for number, each in generations.items():
            recent = "new" if each.created >= policy.since else ""
            place = f"one of the newest {policy.newest}" if number in newest else ""
            found[each.name] = shielded.get(number) or used.get(each.name) or place or recent
    return found


def _shielded(folder: ImageFolder, policy: Policy) -> Iterator[tuple[int, str]]:
    """The numbers that the image itself keeps. Later reasons are the better ones."""
    for entry in folder.history():
        if entry.before is not None and entry.time >= policy.since:
            yield entry.before, "was current until lately"
        # A sweep that was cut short has said of some what it did not do.
        if entry.number is not None and entry.what != "collected" and entry.time >= time.time() - GRACE:
            yield entry.number, "new"
    marks = folder.marks()
    yield from ((number, "pinned") for number in marks.pins)
    yield from ((number, f"tag {tag}") for tag, number in marks.tags.items())
    current = folder.current()
    if current is not None:
        yield current, "current"


def rubbish(paths: Paths, gone: Collection[str], since: float) -> tuple[Rubbish, ...]:
    """What nothing in the store would refer to once some generations (NAME@NUMBER) are gone, but for what is new.

    Layers of imports are kept for the next one; those from before `since` (Unix seconds) are rubbish.
    """
    kept = [
        each
        for folder in ImageFolder.all(paths)
        for each in folder.generations().values()
        if each.name not in gone
    ]
    layers = [("layer", each) for each in _entries(paths.images / "blobs" / "sha256") if _is_old(each, since)]
    return tuple(_measured(kind, path) for kind, path in (*_unnamed(paths, kept), *layers))


def _unnamed(paths: Paths, kept: Collection[Generation]) -> Iterator[tuple[str, Path]]:
    files = {artifact.digest for each in kept for artifact in artifacts_of(each)}
    trees = {each.tree for each in kept}
    manifests = paths.images / "manifests"
    for path in _entries(paths.images / "artifacts" / "sha256"):
        if f"sha256:{path.name}" not in files and _is_old(path):
            yield "artifact", path
    for path in _entries(paths.images / "trees"):
        # A tree keeps the times that its image gave it; its list is written anew with every build.
        if f"sha256:{path.name}" not in trees and _is_old(manifests / path.name):
            yield "tree", path
    for path in _entries(manifests):
        if f"sha256:{path.name}" not in trees and _is_old(path):
            yield "manifest", path
    yield from (("leftover", path) for path in _entries(paths.images / "tmp"))
    for folder in ImageFolder.all(paths):
        hidden = (*folder.path.glob(".*"), *folder.path.glob("generations/.*"))
        yield from (("leftover", path) for path in hidden if _is_old(path))


def artifacts_of(generation: Generation) -> list[Artifact]:
    """The files of the store that a generation refers to."""
    return list(generation.artifacts.values())


def collect(paths: Paths, gone: Collection[Generation], since: float) -> tuple[Rubbish, ...]:
    """Forget generations, then sweep what nothing refers to; returns what went.

    The caller holds `scratch.collecting` and has made sure that the generations may go. A crash at any moment
    leaves a whole store and some rubbish, which the next sweep takes.
    """
    for each in gone:
        folder = ImageFolder.of(paths, each.image)
        # First the line: a number that it names is never given again.
        folder.note("collected", each.number)
        folder.forget(each.number)
    found = tuple(each for each in rubbish(paths, (), since) if not scratch.mounts_below(each.path))
    if found:
        _sweep(paths, found)
    return found


def _sweep(paths: Paths, found: Iterable[Rubbish]) -> None:
    # Out of the way in an instant, so that nobody finds half a tree under its name.
    bin_ = Path(tempfile.mkdtemp(prefix=".rubbish-", dir=paths.images / "tmp"))
    for number, each in enumerate(found):
        each.path.rename(bin_ / str(number))
    shutil.rmtree(bin_)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_old(path: Path, since: float | None = None) -> bool:
    try:
        return path.lstat().st_mtime < (time.time() - GRACE if since is None else since)
    except FileNotFoundError:
        return True


def _measured(kind: str, path: Path) -> Rubbish:
    seen: dict[tuple[int, int], int] = {}
    for folder, folders, files in (("", [], [str(path)]), *(() if path.is_symlink() else os.walk(path))):
        for name in (*folders, *files):
            # What a build that runs is working on comes and goes meanwhile.
            with suppress(FileNotFoundError):
                status = Path(folder, name).lstat()
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return Rubbish(kind, path, sum(seen.values()))

"""Kept revisions that nothing names any more, and contents that no kept revision and no change names.

Two steps keep a sweep from taking what somebody just begins to name. Contents are first set aside; only a later
sweep deletes them, after everything that names one by then has been given it back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.registry import history
from provisioner.registry.store import read_current

NEWEST = 32
"""So many of the newest revisions stay whatever their age."""

GRACE = 3600.0
"""Seconds for which contents that were set aside can still come back."""

_ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Revisions and contents that may go, and the bytes of both."""

    revisions: tuple[str, ...]
    contents: tuple[str, ...]
    size: int


def find(paths: Paths, used: Collection[str], since: float) -> Leftovers:
    """What may go: revisions older than `since` (Unix seconds) that are not `used`, and contents of only these.

    The revision that is served stays, as do the newest ones and those of changes later than `since`; so do the
    contents that any change of the history names, and everything of the last hour. Raises IntegrityError when a
    kept revision or the history cannot be read: then nothing is known to be unused.
    """
    manifests = {place.stem: place for place in _folder(paths).glob("*.json")}
    age = {name: place.stat().st_mtime for name, place in manifests.items()}
    newest = sorted(age, key=lambda name: age[name])[-NEWEST:]
    after, known = history.named(paths, since)
    kept = {read_current(paths), *used, *newest, *after, *(name for name in age if age[name] >= since)}
    gone = sorted(name for name in manifests if name not in kept)
    named = known.union(*(_contents(place) for name, place in manifests.items() if name in kept))
    contents = {place.name: place for place in _objects(paths) if place.name not in named and _is_old(place)}
    size = sum(place.stat().st_size for place in (*(manifests[name] for name in gone), *contents.values()))
    return Leftovers(tuple(gone), tuple(sorted(contents)), size)


def remove(paths: Paths, found: Leftovers) -> None:
    """Remove revisions, and set their contents aside; what was set aside before goes, or comes back if named."""
    _settle(paths)
    for name in found.revisions:
        (_folder(paths) / f"{name}.json").unlink(missing_ok=True)
    aside = paths.objects / _ASIDE
    aside.mkdir(parents=True, exist_ok=True)
    for digest in found.contents:
        with suppress(FileNotFoundError):
            os.replace(paths.objects / digest[:2] / digest, aside / digest)  # noqa: PTH105 - one call, not two
            # From now on the hour counts in which it can come back.
            os.utime(aside / digest)
    _give_back(paths)


def _settle(paths: Paths) -> None:
    """Delete what was set aside more than an hour ago and is named by nothing."""
    _give_back(paths)
    for place in (paths.objects / _ASIDE).glob("*"):
        if _is_old(place):
            place.unlink(missing_ok=True)


def _give_back(paths: Paths) -> None:
    aside = {place.name: place for place in (paths.objects / _ASIDE).glob("*")}
    if not aside:
        return
    _, named = history.named(paths, time.time())
    for manifest in _folder(paths).glob("*.json"):
        with suppress(FileNotFoundError):
            named |= _contents(manifest)
    for digest in named & aside.keys():
        with suppress(FileNotFoundError):
            aside[digest].replace(paths.objects / digest[:2] / digest)


def _folder(paths: Paths) -> Path:
    return paths.objects.parent / "revisions"


def _objects(paths: Paths) -> Iterator[Path]:
    return (place for place in paths.objects.glob("??/*") if not place.name.startswith("."))


def _contents(manifest: Path) -> set[str]:
    try:
        return {each["digest"] for each in json.loads(manifest.read_bytes())["files"].values()}
    except (ValueError, KeyError, TypeError):
        hint = f"rm {manifest}; the daemon keeps the revision again if the site still is that one"
        raise IntegrityError(f"the kept revision {manifest} is damaged", hint=hint) from None


def _is_old(place: Path) -> bool:
    try:
        return time.time() - place.stat().st_mtime > GRACE
    except FileNotFoundError:
        return False

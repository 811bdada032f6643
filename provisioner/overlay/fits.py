"""Whether what overlays make fits an image: what would be clobbered, what would not be found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from provisioner.archive.tree import Entry, Kind
from provisioner.model.imagefiles import ImageFile, ImageFiles
from provisioner.model.imagefiles import Kind as ImageKind
from provisioner.model.inventory import Inventory

LARGEST = 16 << 20
"""Bytes of all files of one overlay that are nothing to wonder about; nodes keep them in memory."""

_ENABLED = re.compile(r"(etc|usr/lib|lib)/systemd/system/[^/]+\.(wants|requires|upholds)/(?P<unit>[^/]+)")
_UNIT_FOLDERS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system")
_SYSUSERS = re.compile(r"(etc|usr/lib|run)/sysusers\.d/[^/]+\.conf")
_RUNS_AS = re.compile(r"^\s*(?P<field>User|Group)\s*=\s*(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\s*$", re.MULTILINE)
_SYSUSER = re.compile(r'^\s*(?P<kind>[ug])!?\s+"?(?P<name>[^\s"]+)"?\s+"?(?P<number>[^\s"]+)"?', re.MULTILINE)
_DYNAMIC = re.compile(r"^\s*DynamicUser\s*=\s*(yes|true|1|on)\s*$", re.MULTILINE | re.IGNORECASE)


class Level(StrEnum):
    """A `problem` will not work, a `warning` may not be meant, a `note` is what overlays are for."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """Something that an overlay makes and the image does not suit. `path` is that in the node."""

    overlay: str
    path: str
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Account:
    """The users and groups that a node will know, by name and by number."""

    users: frozenset[str]
    groups: frozenset[str]
    uids: frozenset[int]
    gids: frozenset[int]


Makers = Mapping[str, tuple[str, Entry]]


def misfits(made: Makers, facts: Inventory, files: ImageFiles) -> tuple[Misfit, ...]:
    """What does not fit, sorted. `made` is all that a node gets, by path, and the overlay that makes it."""
    accounts = _accounts([entry for _, entry in made.values()], facts)
    found = {
        Misfit(overlay, path, *each)
        for path, (overlay, entry) in made.items()
        for each in (*_in_the_way(entry, files), *_units(entry, made, facts), *_owners(entry, accounts))
    }
    return tuple(sorted(found | set(_twice(made, files)) | set(_large(made))))


def _in_the_way(entry: Entry, files: ImageFiles) -> Iterator[tuple[Level, str]]:
    """What of the image stands where the entry goes."""
    path = f"/{entry.path}"
    parent = path.rpartition("/")[0]
    above = files.find(parent) if parent else None
    if above is not None and above.kind is not ImageKind.DIRECTORY:
        yield Level.PROBLEM, f"{parent} is a {above.kind} in the image, so nothing can lie below it"
        return
    place = files.place(path)
    there = None if place is None else files.get(place)
    if there is None:
        return
    if entry.kind is Kind.DIRECTORY:
        yield from _over(there, path, files)
    elif there.kind is ImageKind.DIRECTORY:
        yield Level.PROBLEM, f"{path} is a directory in the image, and cannot become a {_word(entry)}"
    elif there.package:
        level = Level.NOTE if entry.path.startswith("etc/") else Level.WARNING
        yield level, f"replaces {there.path} of the package {there.package}"


def _over(there: ImageFile, path: str, files: ImageFiles) -> Iterator[tuple[Level, str]]:
    if there.kind is ImageKind.LINK:
        where = files.resolve(path)
        hint = f"write {where.strip('/')} instead" if where else "it leads nowhere"
        yield (
            Level.PROBLEM,
            f"declares the directory {path}, which is a symlink to {there.target} in the image: {hint}",
        )
    elif there.kind is not ImageKind.DIRECTORY:
        yield Level.PROBLEM, f"declares the directory {path}, which is a {there.kind} in the image"


def _units(entry: Entry, made: Makers, facts: Inventory) -> Iterator[tuple[Level, str]]:
    enabled = _ENABLED.fullmatch(entry.path)
    if enabled and entry.kind is Kind.SYMLINK and not _has_unit(enabled["unit"], made, facts):
        yield Level.PROBLEM, f"enables {enabled['unit']}, which neither the image nor an overlay of the node has"


def _has_unit(name: str, made: Makers, facts: Inventory) -> bool:
    template = re.sub(r"@.*(?=\.[a-z]+$)", "@", name)
    paths = (f"{folder}/{unit}" for folder in _UNIT_FOLDERS for unit in (name, template))
    return facts.unit(name) is not None or any(path in made for path in paths)


def _owners(entry: Entry, accounts: Account) -> Iterator[tuple[Level, str]]:
    if entry.uid and entry.uid not in accounts.uids:
        yield Level.PROBLEM, f"belongs to user {entry.uid}, which the image does not have"
    if entry.gid and entry.gid not in accounts.gids:
        yield Level.PROBLEM, f"belongs to group {entry.gid}, which the image does not have"
    text = _unit_text(entry)
    if text is None or _DYNAMIC.search(text):
        return
    for match in _RUNS_AS.finditer(text):
        known = accounts.users if match["field"] == "User" else accounts.groups
        if match["name"] not in known:
            yield Level.PROBLEM, f"runs as {match['field'].lower()} {match['name']}, which the image does not have"


def _unit_text(entry: Entry) -> str | None:
    is_unit = entry.kind is Kind.FILE and "/systemd/system/" in f"/{entry.path}"
    return entry.content.decode(errors="replace") if is_unit else None


def _accounts(entries: Iterable[Entry], facts: Inventory) -> Account:
    """Those of the image, and those that systemd-sysusers makes of what overlays bring."""
    texts = (each.content.decode(errors="replace") for each in entries if _SYSUSERS.fullmatch(each.path))
    added = [match for text in texts for match in _SYSUSER.finditer(text)]
    users = [match for match in added if match["kind"] == "u"]
    uids = {int(part) for match in users for part in match["number"].split(":")[:1] if part.isdigit()}
    gids = {int(part) for match in added for part in match["number"].split(":")[-1:] if part.isdigit()}
    return Account(
        users=frozenset({*facts.user_by_name, *(match["name"] for match in users), "root"}),
        # A user gets a group of its own name.
        groups=frozenset({*facts.group_by_name, *(match["name"] for match in added), "root"}),
        uids=frozenset({each.uid for each in facts.users} | uids),
        gids=frozenset({each.gid for each in facts.groups} | gids),
    )


def _twice(made: Makers, files: ImageFiles) -> Iterator[Misfit]:
    """Two paths that are one place: `bin/x` and `usr/bin/x`, where /bin is a symlink."""
    places: dict[str, str] = {}
    for path, (overlay, entry) in sorted(made.items()):
        place = files.place(f"/{path}")
        if place is None or entry.kind is Kind.DIRECTORY:
            continue
        if place in places:
            message = f"is the same place in the image as {places[place]}: one of the two is lost"
            yield Misfit(overlay, path, Level.PROBLEM, message)
        places.setdefault(place, path)


def _large(made: Makers) -> Iterator[Misfit]:
    sizes: dict[str, int] = {}
    for overlay, entry in made.values():
        sizes[overlay] = sizes.get(overlay, 0) + len(entry.content)
    for overlay, size in sizes.items():
        if size > LARGEST:
            message = f"{size >> 20} MiB in all: they are packed for each node, and it keeps them in memory"
            yield Misfit(overlay, "", Level.WARNING, message)


def _word(entry: Entry) -> str:
    return entry.kind.name.lower()

"""Packages of an image that rpm made, read by a process that can reach nothing but the database."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.image import inside
from provisioner.image.chamber import look_inside
from provisioner.image.rpmjail import BERKELEY, SQLITE
from provisioner.model.inventory import Package

# Fedora moved it; the old place is a link there, or the other way round.
_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
# What was written last may still be in the write-ahead log of SQLite.
_FILES = ((SQLITE, f"{SQLITE}-wal"), (BERKELEY,))
_UNREAD = "Packages.db"
_QUERY = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n[%{FILENAMES}\\n]"
_SECONDS = 300
_LARGEST = 1 << 30
_NOBODY = 65534
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~^:%-]{0,255}")
# Keys for signatures are kept as if they were packages.
_KEYS = "gpg-pubkey"


@dataclass(frozen=True, slots=True)
class Installed:
    """The packages of an image, the paths that each brought, and why the list may be short, if it may."""

    packages: tuple[tuple[Package, tuple[str, ...]], ...]
    note: str = ""


def read(root: Path, scratch: Path) -> Installed | None:
    """The packages in the rpm database of a tree; None when it has none.

    `scratch` is a new folder that holds a copy of the database meanwhile. Needs root's rights.
    """
    for folder in _FOLDERS:
        if any(_copy(root, folder, names, scratch) for names in _FILES):
            return _ask(scratch)
        if _file(root, f"{folder}/{_UNREAD}") is not None:
            return _ask_the_image(root, scratch)
    return None


def _ask_the_image(root: Path, scratch: Path) -> Installed:
    """What the image's own rpm says, in a chamber: its database is in ndb form, which nobody else reads."""
    scratch.mkdir()
    answer = scratch.with_name(f"{scratch.name}.json")
    try:
        status = look_inside(root, ["rpm", "-qa", "--qf", _QUERY], mount=scratch, log=answer, seconds=_SECONDS)
    except CommandError:
        status = -1
    if status != 0:
        return Installed((), "the rpm database is in ndb form, and the image's own rpm does not read it")
    note = "the packages are what the image's own rpm says: its database in ndb form was not read"
    return Installed(tuple(sorted(_told(answer), key=lambda pair: _order(pair[0]))), note)


def _told(answer: Path) -> Iterator[tuple[Package, tuple[str, ...]]]:
    """The packages in what rpm printed: a line for each, then one for each file, which starts with a slash."""
    package: Package | None = None
    files: list[str] = []
    with answer.open(encoding="utf-8", errors="surrogateescape") as stream:
        for line in chain(stream, ["end\n"]):
            text = line.removesuffix("\n")
            if text.startswith("/"):
                files.append(text)
                continue
            if package is not None:
                yield package, tuple(files)
            words, files = text.split("\t"), []
            known = (
                len(words) == len(Package.model_fields) and all(map(_WORD.fullmatch, words)) and words[0] != _KEYS
            )
            package = Package(name=words[0], version=words[1], architecture=words[2]) if known else None


def _copy(root: Path, folder: str, names: tuple[str, ...], scratch: Path) -> bool:
    """Copy the files of a database, for nobody to read and write; false when the first is not there."""
    places = {name: place for name in names if (place := _file(root, f"{folder}/{name}")) is not None}
    if names[0] not in places:
        return False
    scratch.mkdir()
    for name, place in places.items():
        source = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(source, "rb") as stream, (scratch / name).open("xb") as target:
            shutil.copyfileobj(stream, target)
    for made in (scratch, *scratch.iterdir()):
        os.chown(made, _NOBODY, _NOBODY)
    return True


def _file(root: Path, path: str) -> Path | None:
    place = inside.follow(root, path)
    fits = place is not None and inside.is_regular(place) and place.lstat().st_size <= _LARGEST
    return place if fits else None


def _ask(scratch: Path) -> Installed:
    package = Path(__file__).resolve().parents[2]
    answer = scratch.with_name(f"{scratch.name}.json")
    command = [sys.executable, "-P", "-m", "provisioner.image.rpmjail", str(scratch)]
    note = ""
    with answer.open("wb") as stream:
        try:
            run(command, timeout=600, environment={"PYTHONPATH": str(package)}, stdout=stream)
        except CommandError:
            note = "the rpm database cannot be read: its reader was stopped"
    found: list[tuple[Package, tuple[str, ...]]] = []
    for record in _records(answer):
        if "error" in record:
            note = f"the rpm database is damaged: {_printable(record['error'])}"
        elif record["name"] != _KEYS and all(_WORD.fullmatch(record[key]) for key in Package.model_fields):
            found.append((Package(**{key: record[key] for key in Package.model_fields}), tuple(record["files"])))
    return Installed(tuple(sorted(found, key=lambda pair: _order(pair[0]))), note)


def _records(answer: Path) -> Iterator[dict[str, Any]]:
    with answer.open(encoding="ascii") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _order(package: Package) -> tuple[str, str, str]:
    return package.name, package.version, package.architecture


def _printable(text: object) -> str:
    return "".join(character for character in str(text) if character.isprintable())[:200]

"""The inventory of a generation: made once when its tree is at hand, kept in the store beside its artifacts.

One file of two gzip members. The first is one line, the facts (`model.inventory`). The second has a line for each
entry of the tree, in the order of its manifest: an array of path, kind, mode, owner, group, size, link target and
the number of its package in the facts, counted from 1. `zcat` shows both; a reader of the facts stops after the
first.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.image import owners, store
from provisioner.image.survey import survey
from provisioner.model.image import Artifact, Generation
from provisioner.model.imagefiles import ImageFile, ImageFiles, Kind
from provisioner.model.inventory import FORMAT, Inventory

_HARD_LINK = "hard-link"
_LEVEL = 6
_HINT = "build or import the image again: that makes a new one"
# A whole distribution's facts are below 2 MB, and its list below 100 MB.
_MOST_FACTS = 64 << 20
_MOST_FILES = 2 << 30


def write(tree: Path, listing: Path, output: Path) -> Inventory:
    """Write the inventory of a tree whose manifest is `listing`; equal trees give equal bytes.

    Makes files beside `output` and leaves them there. Needs root's rights where the tree has an rpm database.
    """
    owned = owners.find(tree, output.with_name(f"{output.name}-rpm"))
    notes = (owned.note,) if owned.note else ()
    facts = survey(tree).model_copy(
        update={"package_manager": owned.manager, "packages": owned.packages, "notes": notes}
    )
    with output.open("wb") as stream:
        stream.write(gzip.compress(facts.model_dump_json().encode() + b"\n", _LEVEL, mtime=0))
        with gzip.GzipFile("", "wb", _LEVEL, stream, mtime=0) as packed, listing.open("rb") as lines:
            for row in _rows(lines, owned.by_path):
                packed.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    return facts


def inventory(paths: Paths, generation: Generation) -> Inventory | None:
    """The facts of a generation; None for one that was made before there were inventories, or by a later version.

    Raises IntegrityError when the file is missing or damaged.
    """
    artifact = generation.inventory
    return (
        None if artifact is None else _facts(_verified(store.artifact_path(paths, artifact.digest), artifact))[0]
    )


def files(paths: Paths, generation: Generation) -> ImageFiles | None:
    """Every file of a generation; None where there is no inventory. Raises IntegrityError as `inventory` does."""
    artifact = generation.inventory
    if artifact is None:
        return None
    place = store.artifact_path(paths, artifact.digest)
    facts, rest = _facts(_verified(place, artifact))
    if facts is None:
        return None
    names = ("", *(package.name for package in facts.packages))
    try:
        rows = map(json.loads, _unpacked(rest, _MOST_FILES)[0].splitlines())
        return ImageFiles({entry.path: entry for entry in _entries(rows, names)})
    except (ValueError, LookupError, TypeError, zlib.error) as error:
        raise IntegrityError(f"{place} has no list of files: {error}", hint=_HINT) from None


def _verified(place: Path, artifact: Artifact) -> bytes:
    try:
        content = place.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{place} cannot be read: {error.strerror}", hint=_HINT) from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != artifact.digest:
        raise IntegrityError(f"{place} is damaged: its content has another digest", hint=_HINT)
    return content


def _facts(content: bytes) -> tuple[Inventory | None, bytes]:
    """The facts in the first member, None when they have another format; and what comes after."""
    try:
        first, rest = _unpacked(content, _MOST_FACTS)
        record = json.loads(first)
        return (Inventory.model_validate(record) if record["format"] == FORMAT else None), rest
    except (ValueError, LookupError, TypeError, zlib.error) as error:
        raise IntegrityError(f"the inventory of an image cannot be read: {error}", hint=_HINT) from None


def _rows(lines: IO[bytes], by_path: Mapping[str, int]) -> Iterator[list[Any]]:
    for line in lines:
        entry: dict[str, Any] = json.loads(line)
        path, kind = entry["path"], entry["type"]
        numbers = (int(entry.get("mode", "0"), 8), entry.get("uid", 0), entry.get("gid", 0), entry.get("size", 0))
        # Many packages share a folder; it belongs to none of them.
        package = 0 if kind == Kind.DIRECTORY else by_path.get(path, -1) + 1
        yield [path, kind, *numbers, entry.get("target", ""), package]


def _entries(rows: Iterable[list[Any]], names: Sequence[str]) -> Iterator[ImageFile]:
    first: dict[str, ImageFile] = {}
    for name, kind, mode, uid, gid, size, target, package in rows:
        path = "/" if name == "." else f"/{name}"
        if kind == _HARD_LINK:
            yield first[f"/{target}"]._replace(path=path, package=names[package])
            continue
        first[path] = ImageFile(path, Kind(kind), mode, uid, gid, size, target, names[package])
        yield first[path]


def _unpacked(content: bytes, limit: int) -> tuple[bytes, bytes]:
    """The first gzip member, and what comes after it."""
    reader = zlib.decompressobj(wbits=31)
    unpacked = reader.decompress(content, limit)
    if not reader.eof:
        raise ValueError("it is cut short or too long")
    return unpacked, reader.unused_data

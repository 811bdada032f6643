"""Revisions: the hash of everything that people wrote, and its inputs kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError
from provisioner.host.files import write_atomically
from provisioner.registry.collect import FileKind, SourceFile, collect

_MODE = 0o640
_VERSION = 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a revision: the SHA-256 of its content in hexadecimal, its permission bits and its kind."""

    digest: str
    mode: int
    kind: FileKind


@dataclass(frozen=True)
class RevisionManifest:
    """The files of a revision by key, and the revision's own name: a SHA-256 in hexadecimal."""

    revision: str
    files: Mapping[str, FileEntry]


@dataclass(frozen=True)
class Revision:
    """A kept revision, to be read from."""

    objects: Path
    revision: str
    files: Mapping[str, FileEntry]

    @classmethod
    def open(cls, paths: Paths, revision: str) -> Revision:
        """The revision with this full name; NotFoundError when it was never kept."""
        try:
            stored = json.loads(_manifest_path(paths, revision).read_bytes())
        except FileNotFoundError:
            hint = "prov status names the revision that is served"
            raise NotFoundError(f"there is no revision {short(revision)}", hint=hint) from None
        files = {
            key: FileEntry(each["digest"], each["mode"], FileKind(each["kind"]))
            for key, each in stored["files"].items()
        }
        return cls(paths.objects, revision, files)

    def read(self, key: str) -> bytes:
        """The content of one file (of a symlink its target); NotFoundError, or IntegrityError when it changed."""
        entry = self.files.get(key)
        if entry is None:
            raise NotFoundError(f"revision {short(self.revision)} has no file {key!r}")
        path = _object_path(self.objects, entry.digest)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.digest:
            hint = f"rm {path}; the daemon keeps it again when it starts, if the site still holds it: prov serve"
            raise IntegrityError(f"{path} is not what revision {short(self.revision)} kept", hint=hint)
        return content


def short(revision: str) -> str:
    """The form of a revision's name that people see."""
    return revision[:16]


def describe(files: Mapping[str, SourceFile]) -> RevisionManifest:
    """The manifest of collected files. Equal files have equal names, wherever and whenever they are read."""
    entries = {
        key: FileEntry(hashlib.sha256(each.content).hexdigest(), each.mode, each.kind)
        for key, each in sorted(files.items())
    }
    total = hashlib.sha256()
    for key, entry in entries.items():
        # NUL cannot be in a path, so no two different lists give the same bytes.
        total.update(os.fsencode(f"{entry.kind}\0{key}\0{entry.mode:o}\0{entry.digest}\n"))
    return RevisionManifest(total.hexdigest(), entries)


def keep(paths: Paths, files: Mapping[str, SourceFile]) -> RevisionManifest:
    """Keep the contents of collected files, then the manifest that names them."""
    manifest = describe(files)
    objects = str(paths.objects)
    for key, entry in manifest.files.items():
        # Almost all are there: a Path for each would take longer than to ask for the file.
        if not os.path.exists(f"{objects}/{entry.digest[:2]}/{entry.digest}"):  # noqa: PTH110 - as said above
            write_atomically(_object_path(paths.objects, entry.digest), files[key].content, mode=_MODE)
    path = _manifest_path(paths, manifest.revision)
    if not path.exists():
        write_atomically(path, _manifest_text(manifest), mode=_MODE)
    return manifest


def capture(paths: Paths) -> RevisionManifest:
    """Read everything that people wrote, once, and keep it. Raises what `collect` raises."""
    return keep(paths, collect(paths))


def _manifest_text(manifest: RevisionManifest) -> bytes:
    files = {
        key: {"kind": each.kind, "mode": each.mode, "digest": each.digest} for key, each in manifest.files.items()
    }
    return json.dumps({"version": _VERSION, "files": files}).encode()


def _manifest_path(paths: Paths, revision: str) -> Path:
    # A name from elsewhere must not become a path.
    safe = revision if revision.isalnum() else "invalid"
    return paths.objects.parent / "revisions" / f"{safe}.json"


def _object_path(objects: Path, digest: str) -> Path:
    return objects / digest[:2] / digest

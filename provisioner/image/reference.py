"""Where an image comes from, as people type it: `docker://HOST/PATH:TAG`, `tar:FILE`, or just a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image import magic
from provisioner.model.image import is_digest


class Kind(StrEnum):
    """The kinds of sources, by the words that a generation's origin has for them."""

    REGISTRY = "registry"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    TAR = "tar"
    DIRECTORY = "directory"
    SIF = "sif"
    SSH = "ssh"


_PREFIXES = {
    "docker://": Kind.REGISTRY,
    "oci:": Kind.OCI,
    "oci-archive:": Kind.OCI_ARCHIVE,
    "docker-archive:": Kind.DOCKER_ARCHIVE,
    "tar:": Kind.TAR,
    "dir:": Kind.DIRECTORY,
    "sif:": Kind.SIF,
    "ssh://": Kind.SSH,
}
WORDS = {
    Kind.REGISTRY: "an image of a registry",
    Kind.OCI: "an OCI layout",
    Kind.OCI_ARCHIVE: "an archive of an image",
    Kind.DOCKER_ARCHIVE: "an archive of docker save",
    Kind.TAR: "an archive of a root file system",
    Kind.DIRECTORY: "a root file system",
    Kind.SIF: "a SIF file",
    Kind.SSH: "the root of a running machine",
}
_TAGGED = {Kind.OCI, Kind.OCI_ARCHIVE, Kind.DOCKER_ARCHIVE}
_HINT = (
    "sources: docker://HOST/PATH:TAG, oci:DIR, oci-archive:FILE, docker-archive:FILE, "
    "tar:FILE, dir:DIR, sif:FILE, ssh://HOST"
)
# The grammar of https://github.com/distribution/reference, without its limits of length.
_PATH = re.compile(r"(?:(?:[\w.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?/)?[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")
_TAG = re.compile(r"[\w][\w.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One source. `text` is as typed, `place` its folder, file, HOST/PATH or USER@HOST/PATH.

    `tag` chooses between several images (NAME:TAG in what docker saves), `digest` is that of a pinned manifest;
    `guessed` says that a bare path was given, and its kind found by looking.
    """

    kind: Kind
    text: str
    place: str
    tag: str | None = None
    digest: str | None = None
    guessed: bool = False

    @property
    def path(self) -> Path:
        """The folder or file of a source on this machine."""
        return Path(self.place)


def parse(text: str) -> Reference:
    """The source in a text. ProvisionerError for what is none, NotFoundError for a path where nothing is."""
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return _of_kind(kind, text, text.removeprefix(prefix))
    path = Path(text)
    if not text or not path.exists():
        hint = f"docker://{text} is an image of a registry; {_HINT}" if text else _HINT
        raise NotFoundError(f"{text!r} is neither a path nor any other source of images", hint=hint)
    return Reference(_look(path), text, text, guessed=True)


def _of_kind(kind: Kind, text: str, place: str) -> Reference:
    if not place:
        raise ProvisionerError(f"{text!r} does not say where the image is", hint=_HINT)
    if kind is Kind.REGISTRY:
        return _of_registry(text, place)
    found, tag = _cut(place) if kind in _TAGGED else (place, None)
    return Reference(kind, text, found, tag)


def _of_registry(text: str, place: str) -> Reference:
    rest, at, digest = place.partition("@")
    folder, slash, last = rest.rpartition("/")
    base, colon, tag = last.partition(":")
    name = f"{folder}{slash}{base}"
    sound = _PATH.fullmatch(name) and (not colon or _TAG.fullmatch(tag)) and (not at or is_digest(digest))
    if not sound:
        hint = "docker://HOST/PATH:TAG or docker://HOST/PATH@sha256:DIGEST; names are lower case"
        raise ProvisionerError(f"{text!r} names no image of a registry", hint=hint)
    # What is pinned by its digest is that, whatever the tag means meanwhile.
    return Reference(Kind.REGISTRY, text, name, None if at else tag or "latest", digest or None)


def _cut(place: str) -> tuple[str, str | None]:
    """A path and the tag behind it; names of files may hold colons, so the longest one that exists wins."""
    cuts = [len(place), *(at for at in reversed(range(len(place))) if place[at] == ":")]
    for at in cuts:
        if Path(place[:at]).exists():
            return place[:at], place[at + 1 :] or None
    folder, slash, name = place.rpartition("/")
    name, _, tag = name.partition(":")
    return f"{folder}{slash}{name}", tag or None


def _look(path: Path) -> Kind:
    if path.is_dir():
        return Kind.OCI if (path / "oci-layout").is_file() else Kind.DIRECTORY
    if not path.is_file():
        raise ProvisionerError(f"{path} is neither a folder nor a regular file", hint=_HINT)
    if magic.is_sif(path):
        return Kind.SIF
    if not magic.is_archive(path):
        raise ProvisionerError(f"{path} is no archive, no SIF file and no folder", hint=_HINT)
    return Kind.OCI_ARCHIVE if magic.holds_image(path) else Kind.TAR

"""The blobs of an OCI image layout: untrusted files, each verified by size and digest before it is used."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from provisioner.errors import IntegrityError
from provisioner.model.image import is_digest

Json = dict[str, Any]

_DOCUMENT_LIMIT = 4 << 20
_CHUNK = 1 << 20


class Blobs:
    """The documents of a layout and its blobs (`store`/sha256/HEX); IntegrityError for what is not in order."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder = folder
        self._store = store

    def index(self) -> Json:
        """The document that everything starts from."""
        return self._parse(self._read(self.folder / "index.json"), "index.json")

    def document(self, descriptor: Json) -> Json:
        """The JSON object that a descriptor names."""
        if size_of(descriptor) > _DOCUMENT_LIMIT:
            raise IntegrityError(f"{descriptor.get('digest')} is too large for a document of an image")
        path = self.verified(descriptor)
        return self._parse(self._read(path), str(descriptor["digest"]))

    def verified(self, descriptor: Json) -> Path:
        """The file of the blob that a descriptor names."""
        digest = str(descriptor.get("digest"))
        if not is_digest(digest):
            raise IntegrityError(f"{digest[:100]!r} in {self.folder} is no sha256 digest")
        path = self._store / "sha256" / digest.removeprefix("sha256:")
        sha256 = hashlib.sha256()
        with os.fdopen(_open_regular(path), "rb") as stream:
            if os.fstat(stream.fileno()).st_size != size_of(descriptor):
                raise IntegrityError(f"{path} has not the {size_of(descriptor)} bytes that the image says")
            while chunk := stream.read(_CHUNK):
                sha256.update(chunk)
        if sha256.hexdigest() != path.name:
            raise IntegrityError(f"{path} is damaged: its content is sha256:{sha256.hexdigest()}")
        return path

    def _read(self, path: Path) -> bytes:
        with os.fdopen(_open_regular(path), "rb") as stream:
            return stream.read(_DOCUMENT_LIMIT + 1)

    def _parse(self, content: bytes, name: str) -> Json:
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise IntegrityError(f"{name} in {self.folder} is no JSON") from None
        if not isinstance(document, dict):
            raise IntegrityError(f"{name} in {self.folder} is no JSON object")
        return document


def _open_regular(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IntegrityError(f"{path} is no regular file")
    return handle


def size_of(descriptor: Json) -> int:
    """The size in a descriptor, in bytes."""
    size = descriptor.get("size")
    if not isinstance(size, int) or size < 0:
        raise IntegrityError(f"{size!r} is no size of a blob")
    return size


def list_at(document: Json, key: str) -> list[Json]:
    """The list of objects below a key."""
    value = document.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise IntegrityError(f"the OCI layout has no list of objects at {key}")
    return value


def object_at(document: Json, key: str) -> Json:
    """The object below a key."""
    value = document.get(key)
    if not isinstance(value, dict):
        raise IntegrityError(f"the OCI layout has no object at {key}")
    return value

"""What a file is by its first bytes: how it is compressed, whether it is an archive or a SIF file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from pathlib import Path

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}
_BLOCK = 512
# What the first entry of an archive of an image is called, by skopeo, podman and docker.
_OF_IMAGES = re.compile(
    rb"(?:\./)?(?:blobs(?:/.*)?|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64}(?:/.*|\.json|\.tar))"
)


def compression(path: Path) -> str:
    """How a file is compressed: gzip, zstd, xz, bzip2 or none."""
    head = _head(path, 8)
    return next((name for sign, name in _COMPRESSIONS.items() if head.startswith(sign)), "none")


def is_sif(path: Path) -> bool:
    """Whether the file has the sign of a SIF header."""
    return _head(path, 42)[32:42] == b"SIF_MAGIC\0"


def is_archive(path: Path) -> bool:
    """Whether the file is a tar archive; a file that zstd compressed is taken for one."""
    first = _first_block(path)
    return first is None or first[257:262] == b"ustar"


def holds_image(path: Path) -> bool:
    """Whether the archive begins as archives of whole images do; unknown (False) where zstd compressed it."""
    first = _first_block(path)
    return first is not None and _OF_IMAGES.fullmatch(first[:100].rstrip(b"\0")) is not None


def _first_block(path: Path) -> bytes | None:
    """The first header of an archive, or None where nothing here can undo its compression."""
    kind = compression(path)
    if kind == "zstd":
        return None
    with path.open("rb") as stream:
        try:
            if kind == "gzip":
                return gzip.GzipFile(fileobj=stream).read(_BLOCK)
            if kind == "xz":
                return lzma.LZMAFile(stream).read(_BLOCK)
            if kind == "bzip2":
                return bz2.BZ2File(stream).read(_BLOCK)
            return stream.read(_BLOCK)
        except (OSError, EOFError, lzma.LZMAError, zlib.error):
            return b""


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)

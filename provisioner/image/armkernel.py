"""The release of an ARM64 kernel: its header has none, so it is read from the words that it prints first."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from provisioner.image import inside

# Documentation/arch/arm64/booting.rst: the header of an uncompressed Image.
_MAGIC, _PLACE = b"ARM\x64", slice(56, 60)
_GZIP = b"\x1f\x8b"
# init/version-timestamp.c, linux_banner.
_BANNER = re.compile(rb"Linux version ([0-9][A-Za-z0-9._+~-]{0,63}) \(")
_MOST = 128 << 20


def release_of(file: Path) -> str | None:
    """The release of an Image, as it is or packed by gzip; None when the file is neither.

    An EFI zboot image (`CONFIG_EFI_ZBOOT`) is none of them.
    """
    head = inside.read_regular(file, limit=_PLACE.stop) or b""
    if not head.startswith(_GZIP) and head[_PLACE] != _MAGIC:
        return None
    content = inside.read_regular(file, limit=_MOST) or b""
    if content.startswith(_GZIP):
        content = _unpacked(content)
    found = _BANNER.search(content)
    return found[1].decode("ascii") if found else None


def _unpacked(content: bytes) -> bytes:
    """What gzip made smaller; nothing where that is no Image, is broken or is larger than the limit."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        head = unpacker.decompress(content, _PLACE.stop)
        if head[_PLACE] != _MAGIC:
            return b""
        content = head + unpacker.decompress(unpacker.unconsumed_tail, _MOST)
    except zlib.error:
        return b""
    return content if unpacker.eof else b""

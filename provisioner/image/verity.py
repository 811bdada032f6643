"""The hash tree of a packed root: a node that reads it block by block checks every block (dm-verity).

Version 1 of the format without a superblock, SHA-256 without a salt, blocks of 4096 bytes
(Documentation/admin-guide/device-mapper/verity.rst of the kernel). The root is the same for everybody who can boot
it, so that a salt would hide nothing; and equal roots have equal trees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.image import modules
from provisioner.image.kernel import Kernel

BLOCK = 4096
_DIGEST = hashlib.sha256().digest_size


def write(root: Path, output: Path) -> str:
    """Write the tree of a file, topmost level first, and return its root hash in hexadecimal.

    Raises IntegrityError where the file is no whole number of blocks.
    """
    size = root.stat().st_size
    if size % BLOCK or not size:
        raise IntegrityError(f"{root} has {size} bytes, which is no whole number of blocks of {BLOCK}")
    levels: list[bytes] = []
    digests = _digests(_blocks(root))
    while len(digests) > _DIGEST:
        # Filled up with zeros to whole blocks.
        level = digests.ljust(-(-len(digests) // BLOCK) * BLOCK, b"\0")
        levels.append(level)
        digests = _digests(level[start : start + BLOCK] for start in range(0, len(level), BLOCK))
    with output.open("wb") as stream:
        stream.writelines(reversed(levels))
    return digests.hex()


def lacking(kernel: Kernel) -> tuple[str, ...]:
    """What a kernel lacks to read its root over the network with a hash tree, by the names of drivers."""
    known = modules.available(kernel.modules) | modules.built_in(kernel.modules)
    return tuple(name for name in ("nbd", "dm_verity") if name not in known)


def _digests(blocks: Iterable[bytes]) -> bytes:
    return b"".join(hashlib.sha256(block).digest() for block in blocks)


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(256 * BLOCK):
            for start in range(0, len(piece), BLOCK):
                yield piece[start : start + BLOCK]

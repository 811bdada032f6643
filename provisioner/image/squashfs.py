"""The packed root that nodes mount: squashfs, zstd at level 3 in blocks of 1 MiB where the kernel can read it.

Why: zstd packs smaller than gzip in a twentieth of the CPU time; levels above 3 cost five times
more for a few per cent.
"""

from __future__ import annotations

import os
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.host.run import run
from provisioner.image.codec import Codec

_OPTIONS = {
    Codec.ZSTD: ("-comp", "zstd", "-Xcompression-level", "3", "-b", "1M"),
    Codec.GZIP: ("-comp", "gzip", "-Xcompression-level", "6", "-b", "1M"),
}
# The numbers of struct squashfs_super_block in the kernel's fs/squashfs/squashfs_fs.h.
_IDS = {Codec.GZIP: 1, Codec.ZSTD: 6}
_MAGIC = b"hsqs"
# Contents that a node gets elsewhere; the folders stay, as places to mount on.
_EXCLUDED = ("boot/*", "dev/*", "proc/*", "run/*", "sys/*", "tmp/*")


def pack(tree: Path, output: Path, *, codec: Codec, epoch: int) -> None:
    """Pack a tree. Equal content gives equal bytes: times after `epoch` (Unix seconds) are set to it.

    Raises IntegrityError when the result is not compressed as asked, and CommandError when packing fails.
    """
    processors = str(os.cpu_count() or 1)
    options = ["-noappend", "-no-progress", "-mem", "1G", "-processors", processors]
    # mksquashfs takes everything after -e for an exclude, options included, so that must come last.
    excludes = ["-wildcards", "-e", *_EXCLUDED]
    run(
        ["mksquashfs", tree, output, *_OPTIONS[codec], *options, *excludes],
        timeout=4 * 3600,
        environment={"SOURCE_DATE_EPOCH": str(epoch)},
    )
    found = codec_of(output)
    if found is not codec:
        raise IntegrityError(f"mksquashfs wrote {output} with {found} where {codec.value} was asked for")


def codec_of(image: Path) -> Codec | None:
    """The compression that the superblock of a squashfs names, or None for another one or no squashfs."""
    with image.open("rb") as stream:
        head = stream.read(96)
    if head[:4] != _MAGIC:
        return None
    number = int.from_bytes(head[20:22], "little")
    return next((codec for codec, known in _IDS.items() if known == number), None)

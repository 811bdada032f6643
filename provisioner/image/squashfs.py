"""The packed root that nodes mount: squashfs, zstd at level 3 in blocks of 1 MiB where the kernel can read it.

Why: zstd packs smaller than gzip in a twentieth of the CPU time; levels above 3 cost five times
more for a few per cent, which is for an image that thousands of nodes will fetch (profile "release"). Blocks of
128 KiB cost nine per cent, but a node that streams its root reads half as much until it is ready (`streamed`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.host.run import run
from provisioner.image.codec import Codec
from provisioner.model.image import Packing

_QUICK = {
    Codec.ZSTD: ("-Xcompression-level", "3"),
    Codec.GZIP: ("-Xcompression-level", "6"),
    Codec.XZ: (),
    Codec.LZ4: (),
}
_THOROUGH = {**_QUICK, Codec.ZSTD: ("-Xcompression-level", "15"), Codec.LZ4: ("-Xhc",)}
# The numbers of struct squashfs_super_block in the kernel's fs/squashfs/squashfs_fs.h.
_IDS = {Codec.GZIP: 1, Codec.XZ: 4, Codec.LZ4: 5, Codec.ZSTD: 6}
_MAGIC = b"hsqs"
# Contents that a node gets elsewhere; the folders stay, as places to mount on.
_EXCLUDED = ("boot/*", "dev/*", "proc/*", "run/*", "sys/*", "tmp/*")
_PART = r"[A-Za-z0-9_.,:@%+*?\[\]~^-]+"
_PATTERN = re.compile(f"/?{_PART}(/{_PART})*")


def pack(tree: Path, output: Path, *, codec: Codec, epoch: int, packing: Packing | None = None) -> None:
    """Pack a tree. Equal content gives equal bytes: times after `epoch` (Unix seconds) are set to it.

    Raises ProvisionerError for excludes of `packing` that are no patterns, IntegrityError when the result is not
    compressed as asked, and CommandError when packing fails.
    """
    packing = packing or Packing()
    processors = str(os.cpu_count() or 1)
    options = ["-noappend", "-no-progress", "-mem", "1G", "-processors", processors]
    # mksquashfs takes everything after -e for an exclude, options included, so that must come last.
    chosen = [*_EXCLUDED, *map(_exclude, packing.excludes)]
    left_out = ["-wildcards", "-e", *chosen, *map(_hidden, filter(_starts_with_a_star, chosen))]
    levels, block = _THOROUGH if packing.thorough else _QUICK, "128K" if packing.streamed else "1M"
    run(
        ["mksquashfs", tree, output, "-comp", codec.value, *levels[codec], "-b", block, *options, *left_out],
        timeout=4 * 3600,
        environment={"SOURCE_DATE_EPOCH": str(epoch)},
    )
    found = codec_of(output)
    if found is not codec:
        raise IntegrityError(f"mksquashfs wrote {output} with {found} where {codec.value} was asked for")


def names(image: Path) -> set[str]:
    """The paths of all entries of a squashfs, from `/` on."""
    return set(run(["unsquashfs", "-l", "-d", "", image], timeout=600).splitlines())


def _exclude(pattern: str) -> str:
    """A pattern as mksquashfs has it: from the top without a slash, at any depth with three dots."""
    if _PATTERN.fullmatch(pattern) is None or ".." in pattern.split("/"):
        hint = "write /usr/share/doc/* for a place, or *.pyc for a name at any depth"
        raise ProvisionerError(f"{pattern!r} cannot be excluded: it is no pattern of paths", hint=hint)
    return pattern[1:] if pattern.startswith("/") else f"... {pattern}"


def _starts_with_a_star(pattern: str) -> bool:
    return re.search(r"(^|[/ ])\*[^/]*$", pattern) is not None


def _hidden(pattern: str) -> str:
    """The same for names that start with a dot, which no star of mksquashfs matches."""
    head, star, tail = pattern.rpartition("/" if "/" in pattern else " ")
    return f"{head}{star}.{tail}"


def codec_of(image: Path) -> Codec | None:
    """The compression that the superblock of a squashfs names, or None for another one or no squashfs."""
    with image.open("rb") as stream:
        head = stream.read(96)
    if head[:4] != _MAGIC:
        return None
    number = int.from_bytes(head[20:22], "little")
    return next((codec for codec, known in _IDS.items() if known == number), None)

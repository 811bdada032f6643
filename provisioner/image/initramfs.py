"""The tree as an initramfs, for nodes whose root it is: a newc cpio archive with a first program of ours.

It holds what the packed root holds, in the order of the names, with no times after those of the image, so that
equal trees give equal bytes. The format has no extended attributes: the capabilities of files travel as a list
beside them, which the first program gives back.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from provisioner.archive import cpio
from provisioner.errors import ProvisionerError
from provisioner.host.run import run
from provisioner.image import inside
from provisioner.image.codec import Codec

INIT = Path("single", "init")
"""Where the first program lies below the folder of stage 1."""

_CAPABILITIES = ".provisioner/capabilities"
_PIECE = 1 << 20
_SHELL = "/bin/sh"
_SETCAP = ("/usr/sbin/setcap", "/sbin/setcap", "/usr/bin/setcap")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an archive is made: its first program, its compression, the latest time in it, and how well."""

    init: Path
    codec: Codec
    epoch: int
    thorough: bool = False


def pack(tree: Path, names: Iterable[str], wish: Wish, *, output: Path) -> tuple[str, ...]:
    """Pack entries of a tree, by their paths from `/` on; returns what a person should know.

    Raises ProvisionerError for a tree without a shell, or with a file that the format cannot hold, and
    CommandError when a tool fails.
    """
    if not inside.is_regular(inside.resolve(tree, _SHELL)):
        raise ProvisionerError(f"the image has no {_SHELL}, which a root of kind single begins with")
    # With the root itself: the kernel makes one that everybody may write to.
    listed = [".", *sorted({name.strip("/") for name in names} - {"", "init"})]
    capabilities = _capabilities(tree, listed)
    plain = output.with_suffix(".cpio")
    with plain.open("wb") as stream:
        for piece in _members(tree, listed, wish, capabilities):
            stream.write(piece)
    with output.open("wb") as stream:
        run([*_compressor(wish), plain], stdout=stream, timeout=4 * 3600)
    with output.open("ab") as stream:
        # EFI puts the next archive right behind this one, and the kernel reads one that is not compressed at
        # multiples of four only; it skips zeros between archives (unpack_to_rootfs of init/initramfs.c).
        stream.write(cpio.padding(output.stat().st_size))
    plain.unlink()
    return _warnings(tree, capabilities)


def _compressor(wish: Wish) -> list[str]:
    if wish.codec is Codec.ZSTD:
        return ["zstd", "-9" if wish.thorough else "-3", "-q", "-c"]
    return ["gzip", "-n", "-9" if wish.thorough else "-6", "-c"]


def _members(tree: Path, names: list[str], wish: Wish, capabilities: str) -> Iterator[bytes]:
    """The pieces of the archive. Of several names of one file the first has the content, the others its number."""
    numbers: dict[tuple[int, int], int] = {}
    looks = {name: (tree / name).lstat() for name in names}
    links = Counter((look.st_dev, look.st_ino) for look in looks.values() if not stat.S_ISDIR(look.st_mode))
    for number, (name, look) in enumerate(looks.items(), 1):
        key = (look.st_dev, look.st_ino)
        first = numbers.setdefault(key, number)
        yield from _member(tree / name, name, look, wish.epoch, _Number(first, links[key] or 2, first == number))
    yield from _own(f"{PurePosixPath(_CAPABILITIES).parent}", stat.S_IFDIR | 0o700, b"")
    yield from _own(_CAPABILITIES, stat.S_IFREG | 0o600, capabilities.encode("utf-8", "surrogateescape"))
    yield from _own("init", stat.S_IFREG | 0o755, wish.init.read_bytes())
    yield cpio.trailer()


class _Number(NamedTuple):
    """The number of a file, how many names it has, and whether this is the first."""

    number: int
    links: int
    is_first: bool


def _member(path: Path, name: str, look: os.stat_result, epoch: int, file: _Number) -> Iterator[bytes]:
    content = os.fsencode(path.readlink()) if stat.S_ISLNK(look.st_mode) else b""
    size = look.st_size if stat.S_ISREG(look.st_mode) and file.is_first else len(content)
    if size > cpio.LIMIT:
        raise ProvisionerError(f"/{name} is larger than 4 GiB, which no archive for the kernel can hold")
    yield cpio.header(
        name,
        ino=file.number,
        mode=look.st_mode,
        uid=look.st_uid,
        gid=look.st_gid,
        nlink=file.links,
        mtime=max(0, min(int(look.st_mtime), epoch)),
        filesize=size,
        rdevmajor=os.major(look.st_rdev),
        rdevminor=os.minor(look.st_rdev),
    )
    yield content
    if size > len(content):
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece
    yield cpio.padding(size)


def _own(name: str, mode: int, content: bytes) -> Iterator[bytes]:
    yield cpio.header(name, mode=mode, nlink=1, filesize=len(content))
    yield content + cpio.padding(len(content))


def _capabilities(tree: Path, names: Iterable[str]) -> str:
    """The capabilities of files, as lines of words with tabs between (overlay.manifest)."""
    held = frozenset(names)
    found = (line.rpartition(" ") for line in run(["getcap", "-r", tree], timeout=3600).splitlines())
    files = ((os.path.relpath(path, tree), text) for path, _, text in found)
    return "".join(f"capabilities\t{text}\t{path}\n" for path, text in sorted(files) if path in held)


def _warnings(tree: Path, capabilities: str) -> tuple[str, ...]:
    if not capabilities or any(inside.is_regular(inside.resolve(tree, path)) for path in _SETCAP):
        return ()
    count = len(capabilities.splitlines())
    return (f"{count} files lose their capabilities with a root of kind single: there is no setcap in the image",)

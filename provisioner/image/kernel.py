"""The kernels of an image, known by what the file says and never by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import NotFoundError
from provisioner.image import armkernel, inside

_IN_MODULES = ("vmlinuz", "vmlinux", "Image")
_IN_BOOT = re.compile(r"(vmlinuz|vmlinux|Image|linux)-.+")
_SPECIAL = re.compile(r"[+._-](debug|rt|rt\d+|64k|kdump)(?![a-z])")
_RELEASE = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,63}")

# The x86 boot protocol (Documentation/arch/x86/boot.rst): "HdrS" at 0x202, at 0x20e the offset of the version
# text less 0x200.
_MAGIC = slice(0x202, 0x206)
_VERSION = slice(0x20E, 0x210)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A bootable kernel: its release as `uname -r` will print it, its file and the folder of its modules.

    `machine` is the processor that it runs on, as `uname -m` will print it.
    """

    release: str
    file: Path
    modules: Path
    machine: str = "x86_64"

    @property
    def has_modules(self) -> bool:
        """Whether its modules are there, with their index."""
        return inside.is_regular(self.modules / "modules.dep")


def find(root: Path) -> tuple[Kernel, ...]:
    """The kernels of a tree that have modules, the best last: newest, and rather no debug or real-time variant."""
    return tuple(each for each in every(root) if each.has_modules)


def choose(kernels: tuple[Kernel, ...], release: str | None) -> Kernel | None:
    """The best of some kernels, or of those whose release starts so; None where there are none at all.

    Raises NotFoundError where others are there.
    """
    found = [each for each in kernels if each.release.startswith(release or "")]
    if kernels and not found:
        there = ", ".join(each.release for each in kernels)
        raise NotFoundError(f"the image has no kernel {release}", hint=f"its kernels: {there}")
    return found[-1] if found else None


def every(root: Path) -> tuple[Kernel, ...]:
    """The kernels of a tree with and without modules, in the same order."""
    modules = inside.resolve(root, "/lib/modules")
    kernels: dict[str, Kernel] = {}
    for file in _candidates(root, modules):
        if release := release_of(file):
            kernels.setdefault(release, Kernel(release, file, modules / release))
        elif release := armkernel.release_of(file):
            kernels.setdefault(release, Kernel(release, file, modules / release, "aarch64"))
    return tuple(sorted(kernels.values(), key=lambda kernel: _preference(kernel.release)))


def release_of(file: Path) -> str | None:
    """The release in the header of an x86 kernel, or None when the file is no such kernel."""
    head = inside.read_regular(file, limit=0x10400)
    if head is None or head[_MAGIC] != b"HdrS":
        return None
    offset = int.from_bytes(head[_VERSION], "little") + 0x200
    version = head[offset : offset + 128].split(b"\0")[0].split(b" ")[0].decode("ascii", "replace")
    # The release becomes part of paths, so an odd one is as good as none.
    return version if _RELEASE.fullmatch(version) else None


def version_key(release: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that counts as rpm does: runs of digits as numbers, and above letters."""
    parts = re.findall(r"\d+|[A-Za-z]+", release)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def _preference(release: str) -> tuple[bool, tuple[tuple[int, int, str], ...], str]:
    return (_SPECIAL.search(release) is None, version_key(release), release)


def _candidates(root: Path, modules: Path) -> Iterator[Path]:
    for folder in _children(modules):
        yield from (folder / name for name in _IN_MODULES if inside.is_regular(folder / name))
    for file in _children(inside.resolve(root, "/boot")):
        if _IN_BOOT.fullmatch(file.name) and "rescue" not in file.name and inside.is_regular(file):
            yield file


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []

"""A clean copy of the kernel modules and firmware of a tree, for tools that run outside of it.

An image may hold links, or names inside its modules, that would make such a tool read files of this machine
and hand them to every node. The copy has regular files and inner links only, and an index that is made anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.host.run import run
from provisioner.image import inside
from provisioner.image.kernel import Kernel

_LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
_BATCH = 500


def copy_modules(kernel: Kernel, target: Path) -> Path:
    """Make `target`/lib/modules/RELEASE from a kernel's modules by hard links, and return it.

    Raises IntegrityError when a module asks for firmware outside of the firmware folder.
    """
    folder = target / "lib" / "modules" / kernel.release
    folder.mkdir(parents=True)
    for name in _LISTS:
        if inside.is_regular(kernel.modules / name):
            os.link(kernel.modules / name, folder / name)
    for file in _files(kernel.modules):
        if ".ko" in file.suffixes:
            _link(file, folder / file.relative_to(kernel.modules))
    _check_firmware_names(folder)
    run(["depmod", "--basedir", target, kernel.release])
    return folder


def copy_firmware(root: Path, target: Path) -> Path:
    """Make `target`/lib/firmware from a tree's firmware by hard links, links between them kept, and return it."""
    source, folder = inside.resolve(root, "/lib/firmware"), target / "lib" / "firmware"
    folder.mkdir(parents=True)
    for file in _files(source):
        _link(file, folder / file.relative_to(source))
    for link, aim in _inner_links(source):
        place = folder / link
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(folder / aim, place.parent))
    return folder


def available(folder: Path) -> set[str]:
    """The drivers that exist as modules below a folder, as `lsmod` prints their names."""
    return {driver(file.name) for file in folder.rglob("*.ko*")}


def built_in(folder: Path) -> set[str]:
    """The drivers that are part of the kernel whose modules are in a folder."""
    listed = folder / "modules.builtin"
    return {driver(line) for line in listed.read_text().splitlines()} if listed.is_file() else set()


def driver(name: str) -> str:
    """The name of a driver as `lsmod` prints it, of a file's path or of a name that a person wrote."""
    return name.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def _files(source: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(source):
        yield from (file for file in (Path(folder, name) for name in sorted(names)) if inside.is_regular(file))


def _inner_links(source: Path) -> Iterator[tuple[Path, Path]]:
    for folder, folders, names in os.walk(source):
        for link in (Path(folder, name) for name in sorted(folders + names)):
            aim = Path(os.path.normpath(link.parent / link.readlink())) if link.is_symlink() else None
            if aim is not None and aim.is_relative_to(source):
                yield link.relative_to(source), aim.relative_to(source)


def _link(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.link(file, place)


def _check_firmware_names(folder: Path) -> None:
    modules = iter(sorted(folder.rglob("*.ko*")))
    while batch := list(islice(modules, _BATCH)):
        for name in run(["modinfo", "--field", "firmware", *batch]).splitlines():
            if name.startswith("/") or ".." in name.split("/"):
                raise IntegrityError(f"a kernel module of the image asks for the firmware {name!r}")

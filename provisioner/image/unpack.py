"""Unpack an image into a tree, each of its archives by a process of its own that is locked into the tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from provisioner.errors import IntegrityError, UnavailableError
from provisioner.image import confined, magic
from provisioner.image.layer import Limits
from provisioner.image.oci import OciImage
from provisioner.image.sandbox import Report, Request
from provisioner.image.terms import Watch, silent

_LATEST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The latest time in all archives in Unix seconds, and what a person should know, such as attributes lost."""

    newest: int
    warnings: tuple[str, ...]


def unpack(
    image: OciImage,
    root: Path,
    *,
    limits: Limits | None = None,
    keep_selinux: bool = False,
    say: Callable[[str], None] = lambda _: None,
    watch: Watch = silent,
) -> Unpacked:
    """Apply all layers to a new directory.

    Owners, modes, times, links, devices and extended attributes are the image's; SELinux labels only with
    `keep_selinux`. Raises IntegrityError for layers that are damaged, hostile or over the limits, and
    UnavailableError without root's rights.
    """
    make_root(root, image.created)
    left = limits or Limits()
    reports: list[Report] = []
    for number, layer in enumerate(image.layers, start=1):
        say(f"unpack layer {number} of {len(image.layers)} ({layer.size >> 20} MiB)")
        with layer.blob.open("rb") as source:
            request = Request(
                source.fileno(), layer.compression, str(root), layer.diff_id, image.created, left, keep_selinux
            )
            report = _apply(request, source, f"layer {layer.digest}", watch)
        reports.append(report)
        left = replace(left, size=left.size - report.size, entries=left.entries - report.entries)
    newest = max((report.newest for report in reports), default=image.created)
    return Unpacked(min(newest, _LATEST), tuple(text for report in reports for text in report.warnings))


def unpack_archive(file: Path, root: Path, *, limits: Limits | None = None, watch: Watch = silent) -> Unpacked:
    """Apply a plain archive, however it is compressed, to a new directory; the rest is as with `unpack`."""
    with file.open("rb") as source:
        created = int(os.fstat(source.fileno()).st_mtime)
        make_root(root, created)
        kind = magic.compression(file)
        request = Request(source.fileno(), kind, str(root), None, created, limits=limits or Limits())
        report = _apply(request, source, str(file), watch)
    return Unpacked(min(report.newest, _LATEST), report.warnings)


def make_root(root: Path, created: int) -> None:
    """Make the empty directory of a tree; `created` in Unix seconds is its time until an archive tells."""
    require_root()
    root.mkdir()
    root.chmod(0o755)
    os.utime(root, (created, created))


def require_root() -> None:
    """UnavailableError unless this process may make device nodes and files of any owner."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can make the files of an image", hint="sudo prov image ...")


def _apply(request: Request, source: IO[bytes], name: str, watch: Watch) -> Report:
    report = confined.apply_file(request, source, watch)
    if report.error:
        raise IntegrityError(f"{name}: {report.error}")
    return report

"""Unpack an OCI image into a tree, each layer by a process of its own that is locked into the tree."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from provisioner.errors import IntegrityError, UnavailableError
from provisioner.host.run import run
from provisioner.image.layer import Limits
from provisioner.image.oci import Layer, OciImage
from provisioner.image.sandbox import Report, Request

_HOURS = 3600.0
_LATEST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The latest time in all layers in Unix seconds, and what a person should know, such as attributes lost."""

    newest: int
    warnings: tuple[str, ...]


def unpack(
    image: OciImage,
    root: Path,
    *,
    limits: Limits | None = None,
    keep_selinux: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Unpacked:
    """Apply all layers to a new directory.

    Owners, modes, times, links, devices and extended attributes are the image's; SELinux labels only with
    `keep_selinux`. Raises IntegrityError for layers that are damaged, hostile or over the limits, and
    UnavailableError without root's rights.
    """
    require_root()
    left = limits or Limits()
    root.mkdir()
    root.chmod(0o755)
    os.utime(root, (image.created, image.created))
    reports: list[Report] = []
    for number, layer in enumerate(image.layers, start=1):
        say(f"unpack layer {number} of {len(image.layers)} ({layer.size >> 20} MiB)")
        request = Request(
            str(layer.blob), layer.compression, str(root), layer.diff_id, image.created, keep_selinux, left
        )
        report = _apply(request, layer)
        reports.append(report)
        left = replace(left, size=left.size - report.size, entries=left.entries - report.entries)
    newest = max((report.newest for report in reports), default=image.created)
    return Unpacked(min(newest, _LATEST), tuple(text for report in reports for text in report.warnings))


def require_root() -> None:
    """UnavailableError unless this process may make device nodes and files of any owner."""
    if os.geteuid() != 0:
        raise UnavailableError("only root can make the files of an image", hint="sudo prov image ...")


def _apply(request: Request, layer: Layer) -> Report:
    package = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-P", "-m", "provisioner.image.sandbox", request.encode()]
    report = Report.decode(run(command, timeout=4 * _HOURS, environment={"PYTHONPATH": str(package)}))
    if report.error:
        raise IntegrityError(f"layer {layer.digest}: {report.error}")
    return report

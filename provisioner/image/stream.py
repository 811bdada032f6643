"""A tree that tar packs on this machine or another one, unpacked on the way by the process that is locked in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from provisioner.errors import IntegrityError
from provisioner.host.run import require
from provisioner.image import confined, unpack
from provisioner.image.sandbox import Request
from provisioner.image.terms import Terms

_MOST_WARNINGS = 10
# tar(1): some files changed while they were read.
_DIFFERED = 1

TAR = ("tar", "--create", "--file=-", "--format=pax", "--sparse", "--xattrs", "--numeric-owner")
"""GNU tar with all that an image may hold. Access lists travel as attributes: with --acls they would be text."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What came: the latest time in it, warnings, and how the program that packed it ended, and what it said."""

    newest: int
    warnings: tuple[str, ...]
    status: int
    errors: str


def copy(command: Sequence[str], root: Path, terms: Terms) -> Copied:
    """Run a program that writes an archive, and apply that to a new directory.

    The caller looks at the status. IntegrityError when the program went well and its archive is damaged or
    hostile.
    """
    unpack.make_root(root, 0)
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as errors, os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as target:
        with confined.running([require(command[0]), *command[1:]], stdout=target, stderr=errors) as packer:
            target.close()
            request = Request(source.fileno(), "none", str(root), None, 0, limits=terms.limits)
            report = confined.apply_stream(request, terms.watch)
            # One that goes on writing gets a broken pipe: nobody reads any more.
            source.close()
            status = confined.wait(packer, lambda _: None)
        said = _text(errors)
    if report.error and status in (0, _DIFFERED):
        raise IntegrityError(f"{command[0]}: {report.error}")
    return Copied(report.newest, (*report.warnings, *_changes(said, status)), status, said or report.error)


def _changes(said: str, status: int) -> tuple[str, ...]:
    """What tar says of files that changed under it; sockets belong to nobody in an image."""
    if status != _DIFFERED:
        return ()
    lines = [line for line in said.splitlines() if line.startswith("tar: ") and "socket ignored" not in line]
    return tuple(lines[:_MOST_WARNINGS])


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")

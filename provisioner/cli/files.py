"""Files that commands read, and the one that they write: `-` stands for the streams of the shell."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import click

TEXT = click.File("rb")
"""The type of an argument that names a file of text, or - for standard input."""
STANDARD = Path("-")
"""Standard output."""


def texts_of(files: Iterable[IO[bytes]]) -> list[tuple[str, str]]:
    """The name and the text of each file. Raises ConfigError where one is not UTF-8."""
    from provisioner.operations.received import text_of

    # A stream that stands in for standard input need not have a name.
    named = ((str(getattr(file, "name", "<stdin>")), file) for file in files)
    return [(name, text_of(name, file.read())) for name, file in named]


def write_output(target: Path, content: bytes, *, private: bool = False) -> None:
    """Write what a command made: a file whole or not at all, anything else (`-`, a pipe, a device) as it comes.

    A file that is `private` is for its owner alone.

    A symbolic link is followed. Raises NotFoundError where the folder is not there, and OSError.
    """
    if target == STANDARD:
        click.echo(content, nl=False)
        return
    # Links of /proc, such as /dev/stdout, lead to what has no path.
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("wb") as stream:
            stream.write(content)
        return
    _replace(Path(os.path.realpath(target)), content, private=private)


def _replace(file: Path, content: bytes, *, private: bool) -> None:
    from provisioner.errors import NotFoundError
    from provisioner.host.files import write_atomically

    if not file.parent.is_dir():
        raise NotFoundError(f"there is no folder {file.parent}", hint=f"mkdir -p {file.parent}")
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
    write_atomically(file, content, mode=0o600 if private else mode)

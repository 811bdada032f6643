"""The file that a person's editor works on: for nobody else's eyes, and kept where work would be lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from provisioner.errors import ProvisionerError


@contextmanager
def scratch(content: bytes, suffix: str, saved: Callable[[Path], bytes] = Path.read_bytes) -> Iterator[Path]:
    """A file with some content. It goes when all is well; with an error it stays, and the error names it.

    `saved` tells what a person wrote into it; nothing, or what was there before, is no loss.
    """
    with tempfile.NamedTemporaryFile("wb", prefix="prov-edit-", suffix=suffix, delete=False) as stream:
        stream.write(content)
    file = Path(stream.name)
    try:
        yield file
    except (ProvisionerError, click.ClickException) as error:
        if not file.exists() or saved(file) in {content, b""}:
            file.unlink(missing_ok=True)
            raise
        hint = error.hint if isinstance(error, ProvisionerError) else None
        raise ProvisionerError(f"{error.message}\nwhat you wrote is in {file}", hint=hint) from None
    except BaseException:
        # A no, an interrupt, or a plan that was only looked at.
        if file.exists():
            click.echo(f"what you wrote is in {file}", err=True)
        raise
    else:
        file.unlink(missing_ok=True)


def left(file: Path) -> bytes:
    """What an editor left in a file. ProvisionerError when it left none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        message = "the editor removed the file that it was given; nothing is written"
        hint = "save the file to change something, leave it as it is to cancel"
        raise ProvisionerError(message, hint=hint) from None

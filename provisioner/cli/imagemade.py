"""How commands that make a generation say what they do, and what came of it."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

from provisioner.cli.output import printable, say, warn_of_unserved, write_record
from provisioner.operations.imagemade import Made

_MIB = 1 << 20
# Numbers that flash up and go tell nobody anything.
_PATIENCE = 1.0


class Steps:
    """Lines on standard error, one for each step; on a terminal the running one shows its bytes."""

    def __init__(self) -> None:
        self._began = 0.0
        self._live = sys.stderr.isatty()
        self._shown = False

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def say(self, step: str) -> None:
        """A step begins."""
        self._end()
        self._began = time.monotonic()
        click.echo(f"{printable(step)} ...", err=True)

    def watch(self, done: int, total: int) -> None:
        """So many bytes of the step are done, of so many; 0 in all where nobody knows."""
        if not self._live or not done or time.monotonic() - self._began < _PATIENCE:
            return
        share = f" of {total / _MIB:.1f} MiB, {100 * done // total} %" if total else " MiB"
        # To the start of the line, and to clear what was there (ECMA-48).
        click.echo(f"\r    {done / _MIB:.1f}{share}\x1b[K", err=True, nl=False)
        self._shown = True

    def _end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
        self._shown = False


def report(made: Made, style: str) -> None:
    """Print what came of a build or an import, its warnings first."""
    from provisioner.operations.images import record

    found = record(made.generation)
    if style != "table":
        write_record({**found, "new": made.is_new}, style)
    else:
        for warning in made.generation.warnings:
            say(f"warning: {warning}", err=True)
        click.echo(f"{made.generation.name} {_verdict(made)}")
    warn_of_unserved("made", made.unserved)


def _verdict(made: Made) -> str:
    if not made.is_new:
        return "is current and already the same: nothing new was made"
    if made.generation.boots:
        return "is made and current"
    return f"is made and current, a base: {made.generation.why_not}\n{made.generation.remedy}"

"""A draft of a change, carried to its end: shown, asked for, written, and how to undo it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

import click

from provisioner.cli import output
from provisioner.cli.consent import Consent
from provisioner.cli.difference import question, write_differences
from provisioner.cli.verbs import WORDS
from provisioner.config.emit import Writable
from provisioner.errors import ProvisionerError
from provisioner.operations.change import Applied, Draft, commit

CHANGES = 2
_TELLTALE = "password"


def carry(drafted: Draft, consent: Consent, *, undoes: int | None = None) -> None:
    """Show what a draft does, ask, write it, and say how to undo it.

    Raises what `commit` raises, and at the end what kept git from committing.
    """
    if not drafted.files:
        tell_nothing(consent.style)
        return
    if consent.plan:
        _show_plan(drafted, consent.style)
    else:
        ask(drafted, consent)
        applied = commit(drafted, command=command_line(), message=consent.message, undoes=undoes, git=consent.git)
        _tell(drafted, applied, consent.style)


def ask(drafted: Draft, consent: Consent) -> None:
    """Print the difference and ask, as `demand_consent` does."""
    if consent.style == "table":
        write_differences(drafted.differences, drafted.files)
    demand_consent(question(drafted.differences, drafted.files), consent)


def demand_consent(asked: str, consent: Consent) -> None:
    """Ask unless yes was said. Ends the command for a no; ProvisionerError where nobody can be asked."""
    if consent.yes:
        return
    if not sys.stdin.isatty():
        message = "nobody is there to be asked, so nothing is written"
        raise ProvisionerError(message, hint="say yes beforehand: --yes")
    if not click.confirm(asked, err=True):
        click.echo("nothing is written", err=True)
        click.get_current_context().exit(1)


def command_line() -> str:
    """What was typed, for the history: without options for the whole program, and without secrets."""
    context = click.get_current_context()
    words: list[str] = context.meta.get(WORDS, [])
    return shlex.join(["prov", *map(_without_secret, words)]) if words else context.command_path


def _without_secret(word: str) -> str:
    """A word without its value, where a password may be anywhere in it: `bmc={username: adm, password: x}`."""
    field, equals, _ = word.partition("=")
    is_secret = _TELLTALE in word.lower() or field.rstrip("+-") == "bmc"
    return f"{field}=..." if equals and is_secret and not word.startswith("--message=") else word


def _show_plan(drafted: Draft, style: str) -> None:
    from provisioner.cli.bootplan import write_plan
    from provisioner.operations.bootplan import boot_plan

    if style == "table":
        write_differences(drafted.differences, drafted.files)
    write_plan(boot_plan(drafted.paths, drafted.catalogue, drafted), style)
    # Without files to write nobody comes here.
    click.get_current_context().exit(CHANGES)


def _tell(drafted: Draft, applied: Applied, style: str) -> None:
    lines = [f"wrote {file}" for file in applied.files]
    differences = [each.record() for each in drafted.differences]
    tell(applied, style, lines=lines, way_back=f"undo with: prov undo {applied.number}", differences=differences)


def tell(
    applied: Applied, style: str, *, lines: Sequence[str], way_back: str, differences: Sequence[Writable]
) -> None:
    """Say what was written, for people as lines and for programs as data. Raises what kept git from committing."""
    if style == "table":
        output.say("\n".join(lines))
        if applied.commit:
            click.echo(f"committed {applied.commit}")
        click.echo(way_back)
    else:
        output.write_data({"change": applied.number, "files": applied.files, "differences": differences}, style)
    output.problems(applied.left)
    output.warn_of_unserved("written", applied.unserved)
    if applied.uncommitted:
        raise applied.uncommitted


def tell_nothing(style: str) -> None:
    """Say that a change changes nothing."""
    if style == "table":
        click.echo("nothing to change")
    else:
        output.write_data({"change": None, "files": [], "differences": []}, style)

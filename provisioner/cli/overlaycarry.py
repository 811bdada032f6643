"""A draft of a change of overlays, carried to its end: edited, shown, asked for, written."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path, PurePosixPath

import click

from provisioner.cli import output
from provisioner.cli.bootplan import write_plan
from provisioner.cli.carry import command_line
from provisioner.cli.consent import Consent
from provisioner.cli.difference import counted
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations import overlayedits
from provisioner.operations.change import Applied
from provisioner.operations.overlaychange import OverlayDraft, commit, draft
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.registry.collect import collect

_CHANGES = 2
_COLOURS = {"-": "red", "+": "green"}


def carry(drafted: OverlayDraft, consent: Consent) -> None:
    """Show what a draft does, ask, and write it.

    Raises what `commit` raises, and at the end what kept git from committing. Ends the command with status 2 after
    `--plan` when a boot changes, and 1 when the answer is no.
    """
    if not drafted.contents:
        _tell_nothing(consent.style)
        return
    if consent.style == "table":
        for line in drafted.differences():
            click.secho(output.printable(line, keep="\t"), fg=_COLOURS.get(line[:1]))
    if consent.plan:
        plan = drafted.boot_plan()
        write_plan(plan, consent.style)
        click.get_current_context().exit(_CHANGES if plan.groups else 0)
    _ask(drafted, consent)
    _tell(
        drafted, commit(drafted, command=command_line(), message=consent.message, git=consent.git), consent.style
    )


def edit_file(paths: Paths, overlay: str, path: str, consent: Consent) -> None:
    """Have a file of an overlay edited, and carry out what was saved; with a mistake, ask for another try.

    Raises ProvisionerError for a mistake that stays, and names the file that holds it then.
    """
    view = OverlayFiles(paths, collect(paths))
    key = overlayedits.target_key(view, overlay, path)
    old = view.content(key) if key in view.files else b""
    with tempfile.NamedTemporaryFile(
        prefix="prov-edit-", suffix=f"-{PurePosixPath(key).name}", delete=False
    ) as stream:
        stream.write(old)
    file = Path(stream.name)
    try:
        drafted = _edited(paths, overlay, path, file, old)
        if drafted is None:
            click.echo("nothing to change")
        else:
            carry(drafted, consent)
    except BaseException:
        if file.read_bytes() != old:
            click.echo(f"what you wrote is in {file}", err=True)
            raise
        file.unlink()
        raise
    file.unlink()


def _edited(paths: Paths, overlay: str, path: str, file: Path, old: bytes) -> OverlayDraft | None:
    while True:
        click.edit(filename=str(file))
        new = file.read_bytes()
        if new == old:
            return None
        try:
            return draft(paths, catalogue(paths), overlayedits.edited(overlay, path, new))
        except ProvisionerError as error:
            if not sys.stdin.isatty():
                raise
            output.say(error.message, err=True)
            if not click.confirm("Edit again?", default=True, err=True):
                raise


def _ask(drafted: OverlayDraft, consent: Consent) -> None:
    if consent.yes:
        return
    if not sys.stdin.isatty():
        message = "nobody is there to be asked, so nothing is written"
        raise ProvisionerError(message, hint="say yes beforehand: --yes")
    if not click.confirm(_question(drafted), err=True):
        click.echo("nothing is written", err=True)
        click.get_current_context().exit(1)


def _question(drafted: OverlayDraft) -> str:
    removed = sum(1 for content in drafted.contents.values() if content is None)
    written = len(drafted.contents) - removed
    parts = [
        f"{verb} {counted(count, 'file')}" for verb, count in (("write", written), ("delete", removed)) if count
    ]
    return f"{' and '.join(parts)}?".capitalize()


def _tell(drafted: OverlayDraft, applied: Applied, style: str) -> None:
    if style == "table":
        for file in applied.files:
            output.say(f"{'wrote' if drafted.contents.get(file) is not None else 'deleted'} {file}")
        if applied.commit:
            click.echo(f"committed {applied.commit}")
        click.echo(f"recorded as change {applied.number}: prov history show {applied.number}")
    else:
        differences = list(drafted.differences())
        output.write_data({"change": applied.number, "files": applied.files, "differences": differences}, style)
    output.problems(applied.left)
    output.warn_of_unserved("written", applied.unserved)
    if applied.uncommitted:
        raise applied.uncommitted


def _tell_nothing(style: str) -> None:
    if style == "table":
        click.echo("nothing to change")
    else:
        output.write_data({"change": None, "files": [], "differences": []}, style)

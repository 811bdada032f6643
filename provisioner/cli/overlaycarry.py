"""A draft of a change of overlays, carried to its end: edited, shown, asked for, written."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

import click

from provisioner.cli import output
from provisioner.cli.bootplan import write_plan
from provisioner.cli.carry import CHANGES, command_line, demand_consent, tell, tell_nothing
from provisioner.cli.consent import Consent
from provisioner.cli.difference import counted
from provisioner.cli.scratch import left, scratch
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations import overlayedits
from provisioner.operations.change import Applied
from provisioner.operations.overlaychange import OverlayDraft, commit, draft
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.registry.collect import collect

_COLOURS = {"-": "red", "+": "green"}


def carry(drafted: OverlayDraft, consent: Consent, *, undoes: int | None = None) -> None:
    """Show what a draft does, ask, write it, and say how to undo it.

    Raises what `commit` raises, and at the end what kept git from committing. Ends the command with status 2 after
    `--plan`, and 1 when the answer is no.
    """
    if not drafted.contents:
        tell_nothing(consent.style)
        return
    if consent.style == "table":
        for line in drafted.differences():
            click.secho(output.printable(line, keep="\t"), fg=_COLOURS.get(line[:1]))
    if consent.plan:
        write_plan(drafted.boot_plan(), consent.style)
        # Without files to write nobody comes here.
        click.get_current_context().exit(CHANGES)
    demand_consent(_question(drafted), consent)
    applied = commit(drafted, command=command_line(), message=consent.message, undoes=undoes, git=consent.git)
    _tell(drafted, applied, consent.style)


def edit_file(paths: Paths, overlay: str, path: str, consent: Consent) -> None:
    """Have a file of an overlay edited, and carry out what was saved; with a mistake, ask for another try.

    Raises ProvisionerError for a mistake that stays, and names the file that holds it then.
    """
    view = OverlayFiles(paths, collect(paths))
    key = overlayedits.target_key(view, overlay, path)
    old = view.content(key) if key in view.files else b""
    with scratch(old, f"-{PurePosixPath(key).name}") as file:
        drafted = _edited(paths, overlay, path, file, old)
        if drafted is None:
            click.echo("nothing to change")
        else:
            carry(drafted, consent)


def _edited(paths: Paths, overlay: str, path: str, file: Path, old: bytes) -> OverlayDraft | None:
    """What was saved, worked out; None when nothing was changed, or all was taken out."""
    while True:
        click.edit(filename=str(file))
        new = left(file)
        if new in {old, b""}:
            return None
        try:
            return draft(paths, catalogue(paths), overlayedits.edited(overlay, path, new))
        except ProvisionerError as error:
            if not sys.stdin.isatty():
                raise
            output.say(error.message, err=True)
            if not click.confirm("Edit again?", default=True, err=True):
                raise


def _question(drafted: OverlayDraft) -> str:
    removed = sum(1 for content in drafted.contents.values() if content is None)
    written = len(drafted.contents) - removed
    parts = [
        f"{verb} {counted(count, 'file')}" for verb, count in (("write", written), ("delete", removed)) if count
    ]
    return f"{' and '.join(parts)}?".capitalize()


def _tell(drafted: OverlayDraft, applied: Applied, style: str) -> None:
    lines = [
        f"{'wrote' if drafted.contents.get(file) is not None else 'deleted'} {file}" for file in applied.files
    ]
    way_back = f"undo with: prov undo {applied.number}"
    tell(applied, style, lines=lines, way_back=way_back, differences=list(drafted.differences()))

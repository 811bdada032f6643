"""`prov undo`: take a change back."""

from __future__ import annotations

from dataclasses import replace

import click

from provisioner.cli import complete
from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.output import printable, say
from provisioner.config.paths import Paths


@click.command("undo")
@click.argument(
    "number", metavar="[ID]", type=click.IntRange(min=1), required=False, shell_complete=complete.changes
)
@change_options
@click.pass_obj
def command(paths: Paths, number: int | None, consent: Consent) -> None:
    """Take back a change of `prov history`; without ID the last one that holds, hand edits left out.

    What was changed later stays, when it was on other lines. Undo an undo by its ID to bring the change back.
    """
    from provisioner.cli.overlaycarry import carry
    from provisioner.image.store import catalogue
    from provisioner.operations.overlaychange import draft
    from provisioner.operations.undo import is_of_overlays, to_undo, undo, undo_overlays

    change = to_undo(paths, number)
    what = change.command or change.message
    if consent.style == "table":
        say(printable(f"change {change.id} by {change.who}: {what}"))
    message = consent.message or f"undoes change {change.id}: {what}"
    agreed = replace(consent, message=message)
    if is_of_overlays(change):
        carry(draft(paths, catalogue(paths), undo_overlays(paths, change)), agreed, undoes=change.id)
    else:
        carry_out(paths, undo(paths, change), agreed, undoes=change.id)

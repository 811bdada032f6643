"""Moving what a name means, from the plan to the deed: shown, asked for, done."""

from __future__ import annotations

import click

from provisioner.cli.carry import demand_consent
from provisioner.cli.consent import Consent
from provisioner.cli.output import printable, say, warn_of_unserved, write_data
from provisioner.config.paths import Paths
from provisioner.operations.imagemove import Move, Switched
from provisioner.operations.live import serve_changes

CHANGES = 2
"""The exit status after `--plan` when something would change."""


def carry(paths: Paths, move: Move, consent: Consent) -> None:
    """Show which nodes boot differently, ask when some do, and make the move."""
    if consent.style == "table":
        say(
            "\n".join([f"{move.what}:", *map(_line, move.switched)])
            if move.switched
            else f"{move.what}: no boot changes"
        )
    if consent.plan:
        _finish(move, consent.style, made=False)
        click.get_current_context().exit(CHANGES if move.switched else 0)
    if move.switched:
        demand_consent("Do that?", consent)
    move.make()
    _finish(move, consent.style, made=True)
    warn_of_unserved("done", serve_changes(paths))


def _finish(move: Move, style: str, *, made: bool) -> None:
    if style != "table":
        switched = [each.record() for each in move.switched]
        write_data({"name": move.generation.name, "made": made, "nodes": switched}, style)
    elif made:
        click.echo("done")


def _line(each: Switched) -> str:
    told = each.record()
    count = f"{told['count']} node{'s' if told['count'] != 1 else ''}"
    trouble = f", but {each.trouble}" if each.trouble else ""
    return printable(
        f"  {told['nodes']} ({count}): {each.before or 'nothing'} -> {each.after or 'nothing'}{trouble}"
    )

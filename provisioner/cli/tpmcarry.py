"""What is to be known of TPMs, from the proposal to the deed: shown, asked for, done."""

from __future__ import annotations

from collections.abc import Sequence

import click

from provisioner.cli.carry import demand_consent
from provisioner.cli.consent import Consent
from provisioner.cli.output import say
from provisioner.config.paths import Paths
from provisioner.operations.tpm import Proposal, carry_out

CHANGES = 2
"""The exit status after `--plan` when something would change."""


def carry(paths: Paths, proposals: Sequence[Proposal], asked: str, *, yes: bool, plan: bool) -> None:
    """Show what changes, ask, and do it."""
    if not proposals:
        click.echo("nothing to change")
        return
    for each in proposals:
        for line in each.lines:
            say(f"{each.node}: {line}")
    if plan:
        click.get_current_context().exit(CHANGES)
    demand_consent(asked, Consent(yes=yes))
    carry_out(paths, proposals)
    click.echo("done")

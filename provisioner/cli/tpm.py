"""`prov tpm`: which TPM each node must have, and what it must have measured."""

from __future__ import annotations

import click

from provisioner.cli import complete, output
from provisioner.cli.output import format_option
from provisioner.config.paths import Paths

_COLUMNS = ("node", "state", "enrolled", "by", "pcrs")
_DIGITS = 16

_nodeset = click.argument("nodeset", shell_complete=complete.nodeset)
_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
_plan = click.option("--plan", is_flag=True, help="Show what would change, and change nothing.")


@click.group("tpm")
def command() -> None:
    """Show the TPMs of nodes, enrol them, and accept what they measured."""


@command.command("show")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@format_option
@click.pass_obj
def show(paths: Paths, nodeset: str | None, style: str) -> None:
    """Show which TPM nodes have, and whether what they proved last is as accepted.

    Without a node set: all that have to show one, or have done so.
    """
    from dataclasses import asdict

    from provisioner.operations.tpm import list_tpms

    rows = [asdict(row) for row in list_tpms(paths, nodeset)]
    if style == "table":
        for row in rows:
            row["enrolled"] = row["enrolled"] and row["enrolled"][:_DIGITS]
    output.write_rows(rows, style, _COLUMNS)


@command.command("enrol")
@_nodeset
@click.option("--key", metavar="DIGITS", help="Only the TPM whose digest starts so (16 digits at least).")
@_yes
@_plan
@click.pass_obj
def enrol(paths: Paths, nodeset: str, *, key: str | None, yes: bool, plan: bool) -> None:
    """Let the TPM that a node showed last be its own, and what it measured be right.

    A node whose TPM is asked for shows it at every boot; until it is enrolled, it is refused.
    """
    from provisioner.cli.tpmcarry import carry
    from provisioner.operations.tpm import enrolling

    carry(paths, enrolling(paths, nodeset, key), "Enrol?", yes=yes, plan=plan)


@command.command("accept")
@_nodeset
@_yes
@_plan
@click.pass_obj
def accept(paths: Paths, nodeset: str, *, yes: bool, plan: bool) -> None:
    """Let what nodes measured last be right from now on, as after an update of firmware or loaders."""
    from provisioner.cli.tpmcarry import carry
    from provisioner.operations.tpm import accepting

    carry(paths, accepting(paths, nodeset), "Accept?", yes=yes, plan=plan)


@command.command("forget")
@_nodeset
@_yes
@_plan
@click.pass_obj
def forget(paths: Paths, nodeset: str, *, yes: bool, plan: bool) -> None:
    """Let nodes have no TPM any more, as before a board is replaced."""
    from provisioner.cli.tpmcarry import carry
    from provisioner.operations.tpm import forgetting

    carry(paths, forgetting(paths, nodeset), "Forget?", yes=yes, plan=plan)

"""`prov keys`: show what keys the site has, and rotate those that sign. None is ever shown."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from provisioner.cli import output
from provisioner.cli.consent import Consent
from provisioner.cli.output import format_option
from provisioner.config.paths import Paths

_LOSS = "Every boot under way fails, and running nodes get no overlays until they boot again. Go on?"
_COLUMNS = ("key", "fingerprint", "since", "use")


@click.group("keys")
def command() -> None:
    """Show the keys of the site, and rotate those that sign."""


@command.command("show")
@format_option
@click.pass_obj
def show(paths: Paths, style: str) -> None:
    """Show the keys by fingerprint: heads of one site must show the same."""
    from dataclasses import asdict

    from provisioner.operations.keys import list_keys

    rows = [asdict(row) for row in list_keys(paths)]
    if style == "table":
        for row in rows:
            row["since"] = _moment(row["since"])
    output.write_rows(rows, style, _COLUMNS)


@command.command("rotate")
@click.option("--revoke", is_flag=True, help="Let no token of today be good any more, as after a theft.")
@click.option("--signing", is_flag=True, help="Rotate the key that signs images and boot sheets instead.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def rotate(paths: Paths, *, revoke: bool, signing: bool, yes: bool) -> None:
    """Sign tokens with a new key from now on. Those of the key before it stay good until they expire.

    A daemon that runs takes it at once. Running nodes get a token of the new key with their next report.
    """
    from provisioner.cli.carry import demand_consent
    from provisioner.operations import keys

    if signing:
        if revoke:
            raise click.UsageError("--revoke is about tokens: machines are given the signing key at every boot")
        number, again = keys.rotate_signing(paths)
        click.echo(f"images and boot sheets are signed with key {number}; {again} generations are signed again")
        return
    if revoke:
        demand_consent(_LOSS, Consent(yes=yes))
    number = keys.rotate(paths, revoke=revoke)
    click.echo(f"tokens are signed with key {number}")


def _moment(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else "-"

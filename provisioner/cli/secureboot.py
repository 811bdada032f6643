"""`prov secureboot`: a key of the site's own for Secure Boot."""

from __future__ import annotations

import click

from provisioner.cli import output
from provisioner.cli.output import format_option
from provisioner.config.paths import Paths


@click.group("secureboot")
def command() -> None:
    """Make a key for Secure Boot, sign with it, and bring it into firmware."""


@command.command()
@click.pass_obj
def init(paths: Paths) -> None:
    """Make the key. From then on every image that is built has a kernel that it signed."""
    from provisioner.operations import secureboot

    key = secureboot.init(paths)
    click.echo(f"wrote {key.private} (secret: back it up) and {key.certificate}")
    click.echo(f"SHA-256 {key.fingerprint}")


@command.command()
@click.pass_obj
def enroll(paths: Paths) -> None:
    """Write the files that bring the key into firmware: docs/secure-boot.md tells what to do with them."""
    from provisioner.operations import secureboot

    for file in secureboot.enroll(paths):
        click.echo(f"wrote {file}")


@command.command()
@click.pass_obj
def sign(paths: Paths) -> None:
    """Sign the loaders and the kernels of all images that are not signed yet."""
    from provisioner.operations import secureboot

    secureboot.sign(paths, say=click.echo)


@command.command()
@format_option
@click.pass_obj
def status(paths: Paths, style: str) -> None:
    """Show what nodes start, and whether the site's key signed it."""
    from dataclasses import asdict

    from provisioner.operations import secureboot

    rows = [asdict(row) for row in secureboot.status(paths)]
    if style == "table":
        for row in rows:
            row["signed"] = "yes" if row["signed"] else "no"
    output.write_rows(rows, style, ("what", "signed"))

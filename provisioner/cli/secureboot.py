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
@click.option("--unified-only", is_flag=True, help="Never sign a kernel by itself, which starts any stage 1.")
@click.pass_obj
def init(paths: Paths, *, unified_only: bool) -> None:
    """Make the key. From then on it signs kernel and stage 1 of every image that is built, as one program.

    It signs the kernel by itself too, for roots of kind single and for discovery, unless
    --unified-only says never: then the firmware of a machine that knows this key alone starts no stage 1 that
    the site did not sign.
    """
    from provisioner.operations import secureboot

    key = secureboot.init(paths, kernels=not unified_only)
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
    """Sign what is not signed yet: loaders, and of all images the kernel, and kernel and stage 1 as one."""
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

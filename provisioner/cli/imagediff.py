"""`prov image diff`."""

from __future__ import annotations

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths


@click.command("diff")
@click.argument("old", shell_complete=complete.images)
@click.argument("new", shell_complete=complete.images)
@click.option("--all", "everything", is_flag=True, help="Show every line, also of long sections.")
@output.format_option
@click.pass_obj
def command(paths: Paths, *, old: str, new: str, everything: bool, style: str) -> None:
    """Show what differs between two images: packages, kernel, drivers, users, units, network, files."""
    from provisioner.cli.findings import write_difference
    from provisioner.operations.imagediff import image_difference

    found = image_difference(paths, old, new)
    if style == "table":
        write_difference(found, everything=everything)
    else:
        output.write_data(found.record(), style)

"""`prov support`: an archive for those who help."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

import click

from provisioner.cli import output
from provisioner.config.paths import Paths


@click.command("support")
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it (default: prov-support-HOST-TIME.tar.gz in this folder).",
)
@click.pass_obj
def command(paths: Paths, *, file: Path | None) -> None:
    """Write an archive with what others need to see when they help, without secrets.

    It has versions, what prov doctor says, the newest events, the YAML files of the site, the journal, and this
    machine's network. Secrets and keys of the site, and what looks like one, are removed wherever they stand. Look
    through it before you send it.
    """
    from provisioner.operations.support.archive import write_support

    wanted = file or Path(f"prov-support-{platform.node()}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    names = write_support(paths, wanted)
    output.say(f"wrote {wanted}: {len(names)} parts\nlook through it before you send it")

"""`prov apply`: many changes of nodes and groups from files, as one change."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.files import TEXT, texts_of
from provisioner.config.paths import Paths


@click.command("apply")
@click.argument("files", nargs=-1, required=True, type=TEXT, metavar="FILE|-...")
@change_options
@click.pass_obj
def command(paths: Paths, files: tuple[Any, ...], consent: Consent) -> None:
    """Carry out what files say, all of it or nothing; - reads standard input.

    A file may have the keys groups and nodes (fields are laid over what is there, entries added where there are
    none), rename, delete and unset. Renames come first, then delete, unset, groups and nodes.
    """
    from provisioner.operations.apply import documents

    carry_out(paths, documents(texts_of(files)), consent)

"""The verbs of `prov overlay` that change overlays, each shown, asked for and recorded like every change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.consent import Consent, change_options
from provisioner.config.paths import Paths

_overlay = click.argument("overlay", shell_complete=complete.overlays)


@click.command("create")
@click.argument("overlay")
@click.option("--description", default="", metavar="TEXT", help="What it is for, for prov overlay list.")
@change_options
@click.pass_obj
def create(paths: Paths, overlay: str, description: str, consent: Consent) -> None:
    """Make a new overlay without files; prov overlay edit and import give it some."""
    from provisioner.operations import overlayedits

    _carry_out(paths, overlayedits.create(overlay, description), consent)


@click.command("copy")
@click.argument("source", shell_complete=complete.overlays)
@click.argument("name", required=False)
@change_options
@click.pass_obj
def copy(paths: Paths, source: str, name: str | None, consent: Consent) -> None:
    """Copy an overlay under another name. Without NAME all files of a shipped one become the site's own.

    To change one file of a shipped overlay no copy is needed: prov overlay edit.
    """
    from provisioner.operations import overlayedits

    _carry_out(paths, overlayedits.copy(source, name or source), consent)


@click.command("delete")
@_overlay
@click.argument("path", required=False)
@change_options
@click.pass_obj
def delete(paths: Paths, overlay: str, path: str | None, consent: Consent) -> None:
    """Remove an overlay of the site, or the file PATH of it. What ships under the same name shows again.

    An overlay that is in use stays, and its users are named.
    """
    from provisioner.operations import overlayedits

    _carry_out(paths, overlayedits.delete(overlay, path), consent)


@click.command("edit")
@_overlay
@click.argument("path")
@change_options
@click.pass_obj
def edit(paths: Paths, overlay: str, path: str, consent: Consent) -> None:
    """Edit a file of an overlay in $VISUAL or $EDITOR, checked for every node before it is written.

    Of a shipped overlay only this file becomes the site's own. A PATH that is not there yet is a new file; one
    that ends in .j2 is a template.
    """
    from provisioner.cli.overlaycarry import edit_file

    edit_file(paths, overlay, path, consent)


@click.command("import")
@_overlay
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("path", required=False)
@change_options
@click.pass_obj
def import_(paths: Paths, overlay: str, file: Path, path: str | None, consent: Consent) -> None:
    """Put a file of this machine into an overlay, at PATH in the node; without PATH where it is here.

    A mode that others cannot read, or execute, is declared in overlay.yaml; the owner is root.
    """
    from provisioner.operations import overlayedits

    mode = file.stat().st_mode & 0o777
    plan = overlayedits.imported(overlay, path or str(file.absolute()), file.read_bytes(), mode)
    _carry_out(paths, plan, consent)


@click.command("chmod")
@_overlay
@click.argument("path")
@click.argument("mode")
@change_options
@click.pass_obj
def chmod(paths: Paths, overlay: str, path: str, mode: str, consent: Consent) -> None:
    """Declare the mode of a file or folder in the node: prov overlay chmod motd etc/motd 0640."""
    from provisioner.operations import overlayedits

    _carry_out(paths, overlayedits.chmod(overlay, path, mode), consent)


@click.command("chown")
@_overlay
@click.argument("path")
@click.argument("owner", metavar="USER[:GROUP]")
@change_options
@click.pass_obj
def chown(paths: Paths, overlay: str, path: str, owner: str, consent: Consent) -> None:
    """Declare the owner of a file or folder in the node, as numbers: prov overlay chown motd etc/motd 991:991.

    Names have other numbers in other images: prov image show IMAGE --users tells them.
    """
    from provisioner.operations import overlayedits

    _carry_out(paths, overlayedits.chown(overlay, path, owner), consent)


CHANGES = (create, copy, delete, edit, import_, chmod, chown)


def _carry_out(paths: Paths, plan: Any, consent: Consent) -> None:
    from provisioner.cli.overlaycarry import carry
    from provisioner.image.store import catalogue
    from provisioner.operations.overlaychange import draft

    carry(draft(paths, catalogue(paths), plan), consent)

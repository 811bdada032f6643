"""`prov overlay`: list, show and render overlays."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import output
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_COLUMNS = ("name", "files", "description")
_ENTRIES = ("path", "kind", "mode", "bytes")


@click.group("overlay")
def command() -> None:
    """List, show and render overlays."""


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List the overlays that nodes can have, the site's own and the shipped ones."""
    from provisioner.operations.overlays import overlays

    rows: list[dict[str, Writable]] = [
        {"name": each.name, "files": len(each.files), "description": each.description} for each in overlays(paths)
    ]
    output.write_rows(rows, style, _COLUMNS)


@command.command("show")
@click.argument("name")
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, style: str) -> None:
    """Show the files and links of an overlay; names that end in .j2 are templates."""
    from provisioner.operations.overlays import show_overlay

    found = show_overlay(paths, name)
    record: dict[str, Writable] = {"name": found.name, "description": found.description}
    if style == "table":
        output.write_record(record, style)
        for path in found.files:
            click.echo(f"  {path}")
        for path, target in found.links.items():
            click.echo(f"  {path} -> {target}")
    else:
        output.write_data({**record, "files": list(found.files), "links": found.links}, style)


@command.command("render")
@click.argument("node")
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new or empty folder for the files.",
)
@output.format_option
@click.pass_obj
def render(paths: Paths, node: str, folder: Path, style: str) -> None:
    """Write every file that the overlays of a node make, as they are written now.

    The folder then holds the node's SSH host key: keep it to yourself.
    """
    from provisioner.operations.overlays import render_overlays

    rows: list[dict[str, Writable]] = [
        {
            "path": entry.path,
            "kind": entry.kind.name.lower(),
            "mode": f"{entry.mode:04o}",
            "bytes": len(entry.content),
        }
        for entry in render_overlays(paths, node, folder)
    ]
    output.write_rows(rows, style, _ENTRIES)

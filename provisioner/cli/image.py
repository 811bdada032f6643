"""`prov image`: build, import, list and show images."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import (
    complete,
    imagebundle,
    imagediff,
    imageexec,
    imageinspect,
    imageremoval,
    imagestore,
    imagetest,
    imagetrust,
    syncuser,
)
from provisioner.cli.imagebuild import command as build_command
from provisioner.cli.imageimport import command as import_command
from provisioner.cli.output import format_option, write_record, write_rows
from provisioner.config.paths import Paths


@click.group("image")
def command() -> None:
    """Build, import, list and show images.

    Every build or import adds a generation, NAME@NUMBER, and makes it the one that the bare name means.
    """


@command.command("show")
@click.argument("image", shell_complete=complete.images)
@click.option("--packages", is_flag=True, help="List its packages.")
@click.option("--units", is_flag=True, help="List its systemd units, and what starts them.")
@click.option("--users", is_flag=True, help="List its users.")
@click.option("--files", "pattern", metavar="PATTERN", help="List its files with such paths, such as '/etc/*'.")
@format_option
@click.pass_obj
def show(
    paths: Paths, *, image: str, packages: bool, units: bool, users: bool, pattern: str | None, style: str
) -> None:
    """Show a generation and what it holds: IMAGE is NAME, NAME@NUMBER or NAME@sha256:TREE."""
    from provisioner.operations import images

    if packages + units + users + (pattern is not None) > 1:
        raise click.UsageError("choose one of --packages, --units, --users and --files")
    if packages:
        write_rows(images.list_packages(paths, image), style, ("name", "version", "architecture"))
    elif units:
        write_rows(images.list_units(paths, image), style, ("name", "state", "wanted_by"))
    elif users:
        write_rows(images.list_users(paths, image), style, ("name", "uid", "gid", "home", "shell"))
    elif pattern is not None:
        columns = ("path", "kind", "mode", "uid", "gid", "size", "target", "package")
        write_rows(images.list_files(paths, image, pattern), style, columns)
    else:
        from provisioner.operations.imagestore import standing

        chosen = images.show_image(paths, image)
        found = {**images.describe(paths, chosen), **standing(paths, chosen)}
        write_record(_in_words(found) if style == "table" else found, style)


def _in_words(found: dict[str, Any]) -> dict[str, Any]:
    """The description with lists of programs as words: `NetworkManager, wicked (disabled)`."""
    words: dict[str, Any] = {
        key: ", ".join(each["name"] + ("" if each["enabled"] else " (disabled)") for each in found[key])
        for key in ("network", "services")
        if key in found
    }
    init = {"init": " ".join(found["init"].values())} if found.get("init") else {}
    return {**found, **words, **init}


command.add_command(build_command)
command.add_command(import_command)
for each in (syncuser.command, imageinspect.command, imagediff.command, imagetest.command, *imageexec.COMMANDS):
    command.add_command(each)
for each in (*imagestore.COMMANDS, *imagebundle.COMMANDS, *imageremoval.COMMANDS, *imagetrust.COMMANDS):
    command.add_command(each)

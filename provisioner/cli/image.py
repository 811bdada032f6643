"""`prov image`: build, import, list and show images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option, say, warn_of_unserved, write_record, write_rows
from provisioner.config.paths import Paths


@click.group("image")
def command() -> None:
    """Build, import, list and show images.

    Every build or import adds a generation, NAME@NUMBER, and makes it the one that the bare name means.
    """


@command.command("build")
@click.argument("recipe")
@click.option("--name", metavar="IMAGE", help="The name of the image (default: the recipe's).")
@click.option("--mirror", metavar="URL", help="A Debian archive to use instead of this machine's own sources.")
@format_option
@click.pass_obj
def build(paths: Paths, *, recipe: str, name: str | None, mirror: str | None, style: str) -> None:
    """Build the image of a recipe, such as debian-12."""
    from provisioner.operations.images import build_image, record

    outcome = build_image(paths, recipe, image=name, mirror=mirror, say=_say)
    _report(record(outcome.generation), is_new=outcome.is_new, style=style)
    warn_of_unserved("made", outcome.unserved)


@command.command("import")
@click.argument("source")
@click.argument("name")
@format_option
@click.pass_obj
def import_(paths: Paths, *, source: str, name: str, style: str) -> None:
    """Import the OCI image layout SOURCE (oci:DIR or oci:DIR:TAG) as the image NAME."""
    from provisioner.operations.images import import_image, record

    outcome = import_image(paths, source, name, say=_say)
    _report(record(outcome.generation), is_new=outcome.is_new, style=style)
    warn_of_unserved("made", outcome.unserved)


@command.command("list")
@format_option
@click.pass_obj
def list_(paths: Paths, *, style: str) -> None:
    """List all generations of all images. The current one of an image is what its bare name means."""
    from provisioner.operations.images import list_images, record

    found = [{**record(generation), "current": current} for generation, current in list_images(paths)]
    if style != "table":
        write_rows(found, style, ())
        return
    rows = [
        {
            "generation": each["name"],
            "current": "yes" if each["current"] else "",
            "system": each["os_name"],
            "kernel": each["kernel_release"],
            "root": f"{each['root']['size'] >> 20} MiB" if each["root"] else "base",
            "made": datetime.fromtimestamp(each["created"], UTC).strftime("%Y-%m-%d %H:%M"),
        }
        for each in found
    ]
    write_rows(rows, style, ("generation", "current", "system", "kernel", "root", "made"))


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
        found = images.describe(paths, images.show_image(paths, image))
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


def _report(found: dict[str, Any], *, is_new: bool, style: str) -> None:
    if style != "table":
        write_record({**found, "new": is_new}, style)
        return
    for warning in found["warnings"]:
        say(f"warning: {warning}", err=True)
    verdict = "is made and current" if is_new else "is current and already the same: nothing new was made"
    click.echo(f"{found['name']} {verdict}")


def _say(step: str) -> None:
    click.echo(f"{step} ...", err=True)

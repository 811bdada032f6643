"""`prov image inspect`: what is in an image, at a glance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option, say, write_data, write_record, write_rows
from provisioner.config.paths import Paths

_MIB = 1 << 20


@click.command("inspect")
@click.argument("image", shell_complete=complete.images)
@click.option("--top", default=10, show_default=True, metavar="N", help="How many packages to list by size.")
@format_option
@click.pass_obj
def command(paths: Paths, *, image: str, top: int, style: str) -> None:
    """Look inside an image: system, kernels, processors that it needs, packages by size, what import removed."""
    from provisioner.operations.imageinspect import inspect_image

    found = inspect_image(paths, image, top=top)
    if style != "table":
        write_data(found, style)
        return
    write_record(_in_words(found), style)
    click.echo()
    rows = [{**each, "MiB": f"{each['size'] / _MIB:.1f}"} for each in found["largest"]]
    write_rows(rows, style, ("package", "version", "files", "MiB"))
    for note in found["notes"]:
        say(f"note: {note}", err=True)


def _in_words(found: dict[str, Any]) -> dict[str, Any]:
    made = datetime.fromtimestamp(found["created"], UTC).strftime("%Y-%m-%d %H:%M")
    services = {key: ", ".join(_service(each) for each in found[key]) or "none" for key in ("network", "services")}
    return {
        "image": found["name"],
        "system": found["os_name"],
        "made": f"{made} from {found['origin']}",
        "kernels": ", ".join(_kernel(each, found["kernel_release"]) for each in found["kernels"]) or "none",
        "init": found["init"] or "none",
        "cpu": f"{found['cpu']['level']} or better ({found['cpu']['evidence']})",
        "selinux": found["selinux"] or "off",
        **services,
        "users": ", ".join(found["users"]) or "none that can log in",
        "units": f"{found['units']['all']}, {found['units']['started']} started at boot",
        "packages": f"{found['packages']} ({found['package_manager'] or 'no package manager'})",
        "size": f"{found['tree_size'] / _MIB:.1f} MiB in {found['entries']} entries",
        "removed": f"{len(found['removed'])} paths at import: {', '.join(found['removed'][:3])}"
        if found["removed"]
        else "nothing at import",
    }


def _service(each: dict[str, Any]) -> str:
    return str(each["name"]) + ("" if each["enabled"] else " (disabled)")


def _kernel(each: dict[str, Any], booted: str) -> str:
    notes = [*(["boots"] if each["release"] == booted else []), *([] if each["has_modules"] else ["no modules"])]
    return str(each["release"]) + (f" ({', '.join(notes)})" if notes else "")

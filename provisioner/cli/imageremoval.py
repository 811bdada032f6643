"""`prov image delete` and `prov image gc`."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.consent import Consent
from provisioner.cli.output import format_option, say, write_data
from provisioner.config.paths import Paths

CHANGES = 2
"""The exit status after `--plan` when something would go."""

_KEEP = 3
_DAYS = 7.0


@click.command("delete")
@click.argument("image", metavar="NAME[@NUMBER]", shell_complete=complete.images)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@format_option
@click.pass_obj
def delete(paths: Paths, *, image: str, yes: bool, style: str) -> None:
    """Forget an image with all of its generations, or one generation.

    Refused, with all users, while something names it, a node booted it last, or it is tagged or pinned. The room
    on the disk is freed by prov image gc.
    """
    from provisioner.cli.carry import demand_consent
    from provisioner.operations.imagestore import deletable
    from provisioner.operations.imagestore import delete as forget

    names = ", ".join(each.name for each in deletable(paths, image))
    demand_consent(f"Forget {names}?", Consent(yes=yes))
    gone = forget(paths, image)
    if style == "table":
        click.echo(f"{', '.join(each.name for each in gone)} is gone; prov image gc frees its room")
    else:
        write_data({"deleted": [each.name for each in gone]}, style)


@click.command("gc")
@click.option(
    "--keep", type=click.IntRange(1), default=_KEEP, show_default=True, help="Newest of every image to keep."
)
@click.option("--days", type=click.FloatRange(0), default=_DAYS, show_default=True, help="Keep what is no older.")
@click.option("--plan", is_flag=True, help="Show what would go, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@format_option
@click.pass_obj
def gc(paths: Paths, *, keep: int, days: float, plan: bool, yes: bool, style: str) -> None:
    """Remove generations that nothing needs, and files of the store that no generation refers to.

    These stay: what a name means, tags, pins, what nodes are assigned to or booted last, the newest --keep of
    every image, and everything made or booted in the last --days.
    """
    from provisioner.cli.carry import demand_consent
    from provisioner.operations import imagegc

    found = imagegc.plan(paths, keep=keep, days=days)
    is_empty = not found.gone and not found.rubbish
    if style == "table":
        _show(found)
    if plan or is_empty:
        if style != "table":
            write_data(found.record(), style)
        click.get_current_context().exit(0 if is_empty else CHANGES)
    demand_consent(f"Remove that ({_size(found.size)})?", Consent(yes=yes))
    done = imagegc.collect(paths, found, keep=keep, days=days)
    if style == "table":
        click.echo(f"{len(done.gone)} generations and {_size(done.size)} are gone")
    else:
        write_data(done.record(), style)


def _show(found: Any) -> None:
    for each, reason in found.kept:
        say(f"  stays {each.name}: {reason}")
    for each in found.gone:
        say(f"  goes  {each.name}: nothing needs it")
    kinds = sorted({each.kind for each in found.rubbish})
    for kind in kinds:
        sizes = [each.size for each in found.rubbish if each.kind == kind]
        click.echo(f"  goes  {len(sizes)} {kind}{'s' if len(sizes) != 1 else ''}, {_size(sum(sizes))}")
    if not found.gone and not kinds:
        click.echo("nothing to remove")


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


COMMANDS = (delete, gc)

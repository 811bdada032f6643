"""`prov image syncuser`: the same numbers for the same users everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from provisioner.cli import complete
from provisioner.cli.output import Row, format_option, say, write_data, write_rows
from provisioner.config.paths import Paths

_COLUMNS = ("kind", "name", "old", "new", "files", "why")


@click.command("syncuser")
@click.argument("image", shell_complete=complete.images)
@click.option("--from-host", is_flag=True, help="As on this machine (the default).")
@click.option("--from", "files", metavar="PASSWD,GROUP", help="As in these two files.")
@click.option("--like", metavar="IMAGE", shell_complete=complete.images, help="As in another image.")
@click.option("--only", metavar="NAME,...", help="These users and groups, and what is in their way.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would move, and change nothing.")
@click.option("--note", default="", metavar="TEXT", help="What to remember of the new generation.")
@format_option
@click.pass_obj
def command(
    paths: Paths,
    *,
    image: str,
    from_host: bool,
    files: str | None,
    like: str | None,
    only: str | None,
    only_plan: bool,
    note: str,
    style: str,
) -> None:
    """Give the users and groups of an image the numbers that their names have elsewhere.

    Who is in the way gets a free number. All files of the image follow at once, and the next generation is made.
    """
    from provisioner.cli.imagemade import Steps, report
    from provisioner.operations import syncuser

    if from_host + (files is not None) + (like is not None) > 1:
        raise click.UsageError("choose one of --from-host, --from and --like")
    model = syncuser.model_of_image(paths, like) if like else syncuser.model_of_files(*_pair(files))
    plan = syncuser.plan_sync(paths, image, model.only(only.split(",")) if only else model)
    if only_plan or not plan.remap:
        _print(plan.rows(), plan.clashes, f"{plan.generation.name} is already as {model.source}", style)
        return
    with Steps() as steps:
        made = syncuser.sync_users(paths, plan, note=note, say=steps.say)
    report(made, style)


def _pair(files: str | None) -> tuple[Path, ...]:
    if files is None:
        return ()
    found = tuple(Path(each) for each in files.split(","))
    if len(found) != 2:
        raise click.UsageError("--from takes a passwd and a group file: --from PASSWD,GROUP")
    return found


def _print(rows: Sequence[Row], clashes: tuple[str, ...], nothing: str, style: str) -> None:
    if style != "table":
        write_data({"moves": rows, "clashes": list(clashes)}, style)
        return
    for text in clashes:
        say(f"warning: {text}", err=True)
    if rows:
        write_rows(rows, style, _COLUMNS)
    else:
        click.echo(f"{nothing}: nothing moves")

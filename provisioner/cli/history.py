"""`prov history`: what was changed, when and by whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from provisioner.cli import complete, output
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError

_COLUMNS = ("id", "time", "who", "lines", "files", "what")
_LONGEST = 3
# As much of a revision as people see everywhere.
_SHORT = 16


@click.group("history", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most.")
@click.option("--node", metavar="NODE", shell_complete=complete.node, help="Changes of entries that name it.")
@click.option("--file", metavar="FILE", help="Changes of a file, by its path below the site: nodes.d/rack1.yaml.")
@output.format_option
@click.pass_context
def command(context: click.Context, limit: int, node: str | None, file: str | None, style: str) -> None:
    """List the changes of the site, newest first: when, who, how many lines, which files, and what was typed."""
    if context.invoked_subcommand is not None:
        return
    from provisioner.operations.history import changes

    file = file and _below(context.obj, file)
    records = [each.record() for each in changes(context.obj, limit=limit, node=node, file=file)]
    if style == "table" and file and not records:
        output.say(f"no change touched {file}")
        return
    output.write_rows([_row(record) for record in records] if style == "table" else records, style, _COLUMNS)


@command.command("show")
@click.argument("number", metavar="ID", type=click.IntRange(min=1), shell_complete=complete.changes)
@output.format_option
@click.pass_obj
def show(paths: Paths, number: int, style: str) -> None:
    """Show one change, and what it did to each file as a diff that `patch -p1` takes."""
    from provisioner.operations.history import show as show_change

    summary, diffs = show_change(paths, number)
    record = summary.record()
    if style != "table":
        output.write_data({**record, "diffs": {each.path: each.diff for each in diffs}}, style)
        return
    shown = record | {name: str(record[name] or "")[:_SHORT] for name in ("before", "after")}
    output.lines((name, value) for name, value in shown.items() if value not in (None, "", []))
    for each in diffs:
        text = each.diff or f"(what it did to {each.path} is not kept as text)\n"
        # A terminal must not obey it; `patch` wants every byte.
        shown_text = output.printable(text, keep="\n\t") if sys.stdout.isatty() else text
        click.echo(f"\n{shown_text}", nl=False)


@command.command("prune")
@click.option("--days", type=click.FloatRange(min=0), default=30, show_default=True, help="Younger ones stay.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would go; remove nothing.")
@output.format_option
@click.pass_obj
def prune(paths: Paths, days: float, *, only_plan: bool, style: str) -> None:
    """Remove kept revisions that no boot, no change of these days and nothing else names. Changes stay.

    The daemon does the same by itself, with `retention.revisions` of the site.
    """
    from dataclasses import asdict
    from time import time

    from provisioner.operations import leftovers

    since = time() - days * 86400
    found = leftovers.plan_prune(paths, since) if only_plan else leftovers.prune(paths, since)
    if style != "table":
        output.write_data(asdict(found), style)
        return
    would = "would go" if only_plan else "are gone"
    click.echo(f"{len(found.revisions)} revisions and {len(found.contents)} contents {would}: {found.size} bytes")


def _below(paths: Paths, file: str) -> str:
    """The path of a file below the site, however it is given: `./nodes.d/a.yaml`, or absolute."""
    places = (paths.site, Path(os.path.realpath(paths.site)))
    given = Path(os.path.normpath(file))
    if not given.is_absolute():
        return str(given)
    for place in places:
        if given.is_relative_to(place):
            return str(given.relative_to(place))
    hint = "give its path below the site, such as nodes.d/rack1.yaml"
    raise ProvisionerError(f"{file} is not in the site {paths.site}", hint=hint)


def _row(record: Mapping[str, Writable]) -> dict[str, Writable]:
    files, added = record["files"], record["added"]
    names = list(files) if isinstance(files, list) else []
    more = [f"and {len(names) - _LONGEST} more"] if len(names) > _LONGEST else []
    undone = f" (undone by {record['undone_by']})" if record["undone_by"] else ""
    return {
        **record,
        "lines": None if added is None else f"+{added} -{record['removed']}",
        "files": [*names[:_LONGEST], *more],
        "what": f"{record['command'] or record['message']}{undone}",
    }

"""`prov check`: everything that is wrong with a site, at once."""

from __future__ import annotations

from collections.abc import Sequence

import click

from provisioner.cli import output
from provisioner.cli.output import format_option
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem


@click.command("check")
@format_option
@click.pass_context
def command(context: click.Context, style: str) -> None:
    """Check everything that is written, render the overlays of every node, and name every mistake.

    Mistakes go to standard error as file:line:column, with a hint (as data to standard output with --format); the
    exit status is 1 then. No file of the site is changed.
    """
    from provisioner.image.store import catalogue
    from provisioner.operations.strict import check_strictly
    from provisioner.registry.revision import short

    paths: Paths = context.obj
    try:
        checked = check_strictly(paths, catalogue(paths))
    except ConfigError as error:
        _tell(error.problems, style)
        context.exit(error.exit_code)
    nodes, groups = len(checked.published.names()), len(checked.published.groups())
    if style == "table":
        click.echo(f"ok: {nodes} nodes, {groups} groups, revision {short(checked.revision)}")
    else:
        counts: dict[str, Writable] = {"nodes": nodes, "groups": groups, "revision": checked.revision}
        output.write_data({"ok": True, **counts, "problems": []}, style)


def _tell(problems: Sequence[Problem], style: str) -> None:
    if style == "table":
        output.problems(problems)
        return
    fields = ("file", "line", "column", "message", "hint")
    found: list[Writable] = [{field: getattr(each, field) for field in fields} for each in problems]
    output.write_data({"ok": False, "problems": found}, style)

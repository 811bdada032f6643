"""`prov check`: everything that is wrong with a site, at once."""

from __future__ import annotations

import click

from provisioner.config.paths import Paths


@click.command("check")
@click.pass_context
def command(context: click.Context) -> None:
    """Check everything that is written, and name every mistake.

    Mistakes go to standard error as file:line:column, with a hint; the exit status is 1 then. Nothing is
    written.
    """
    from provisioner.cli.output import problems
    from provisioner.errors import ConfigError
    from provisioner.image.store import catalogue
    from provisioner.operations.check import check
    from provisioner.registry.revision import short

    paths: Paths = context.obj
    try:
        checked = check(paths, catalogue(paths))
    except ConfigError as error:
        problems(error.problems)
        context.exit(error.exit_code)
    nodes, groups = len(checked.snapshot.nodes), len(checked.loaded.groups)
    click.echo(f"ok: {nodes} nodes, {groups} groups, revision {short(checked.revision)}")

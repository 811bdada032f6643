"""`prov status`: what every node does and runs."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.statusrows import COLUMNS, alarm_lines, record, row, say_daemon
from provisioner.config.paths import Paths
from provisioner.operations.status import SiteStatus, Wanted, site_status

_STATES = ("never booted", "script", "stage1", "rescue", "system", "ready", "degraded", "failed", "local")


@click.command("status")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@click.option(
    "--where",
    multiple=True,
    metavar="FILTER",
    shell_complete=complete.filters,
    help="Nodes like this: tags.rack=r1.",
)
@click.option("--group", metavar="GROUP", shell_complete=complete.groups, help="Nodes of this group.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Nodes in this state.")
@click.option("--image", metavar="IMAGE", shell_complete=complete.images, help="Nodes that run this image.")
@click.option("--watch", is_flag=True, help="Look again and again until interrupted; into a pipe: what changes.")
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between looks."
)
@output.format_option
@click.pass_obj
def command(paths: Paths, /, *, style: str, watch: bool, interval: float, **wanted: Any) -> None:
    """Show what nodes do and run, what a reboot would bring them, and the newest warnings and alarms.

    All nodes without NODESET and filters.
    """
    chosen = _wanted(paths, **wanted)
    if watch:
        from provisioner.cli import watching

        watching.run(paths, chosen, interval, style)
        return
    status = site_status(paths, chosen)
    if style == "table":
        _table(status)
    else:
        output.write_data(record(status), style)


def _wanted(
    paths: Paths,
    *,
    nodeset: str | None,
    where: tuple[str, ...],
    group: str | None,
    states: tuple[str, ...],
    image: Any,
) -> Wanted:
    filters = (*where, f"groups={group}") if group else where
    names = None
    if nodeset is not None or filters:
        from provisioner.operations.boots import served
        from provisioner.operations.select import select

        with served(paths) as published:
            names = frozenset(select(published, nodeset, filters))
    return Wanted(nodes=names, states=states or None, image=image)


def _table(status: SiteStatus) -> None:
    say_daemon(status)
    rows = [row(node) for node in status.nodes]
    output.write_rows(rows, "table", COLUMNS)
    for line in alarm_lines(status)[:8]:
        output.say(output.printable(line))

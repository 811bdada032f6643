"""`prov events`: what the daemon saw, of every machine."""

from __future__ import annotations

import json

import click

from provisioner.cli import complete, output
from provisioner.cli.moment import moment, since_option
from provisioner.config.paths import Paths
from provisioner.model.event import Event, Level

_COLUMNS = ("time", "level", "who", "event", "message")


@click.command("events")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@click.option("--mac", metavar="MAC", help="Of this machine, a node or not.")
@click.option("--boot", metavar="ID", help="Of this boot.")
@click.option("--name", metavar="NAME", help="Of this name or stage: dhcp, dhcp.nak, '*.broken'.")
@click.option("--level", type=click.Choice([each.value for each in Level]), help="Of this level or above.")
@since_option
@click.option(
    "--limit", type=click.IntRange(0, 100_000), default=50, show_default=True, help="The newest so many."
)
@click.option("--follow", "-f", is_flag=True, help="Then print each later one as it comes, until interrupted.")
@output.format_option
@click.pass_obj
def command(
    paths: Paths, /, *, follow: bool, style: str, limit: int, since: float | None, **wanted: str | None
) -> None:
    """Show the newest events, oldest first, of nodes and of machines that are none."""
    from provisioner.events.search import EventFilter
    from provisioner.operations import eventlog
    from provisioner.operations.boots import find, nodes_in

    chosen = EventFilter(
        nodes=nodes_in(paths, wanted["nodeset"]) if wanted["nodeset"] else None,
        mac=eventlog.mac_of(wanted["mac"]) if wanted["mac"] else None,
        boot=find(paths, wanted["boot"]).id if wanted["boot"] else None,
        name=wanted["name"],
        levels=eventlog.levels_from(wanted["level"]) if wanted["level"] else None,
        since=since,
        limit=limit,
    )
    if follow:
        for event in eventlog.follow(paths, chosen):
            click.echo(
                _line(event) if style == "table" else json.dumps(eventlog.record(event), ensure_ascii=False)
            )
        return
    found = eventlog.events(paths, chosen)
    if style == "table":
        output.write_rows([_row(event) for event in found], style, _COLUMNS)
    else:
        output.write_data([eventlog.record(event) for event in found], style)


def _row(event: Event) -> dict[str, str]:
    return {
        "time": moment(event.time),
        "level": event.level.value,
        "who": event.node or event.mac or event.address or "site",
        "event": event.name,
        "message": event.message,
    }


def _line(event: Event) -> str:
    row = _row(event)
    return output.printable(f"{row['time']} {row['level']:<7} {row['who']} {row['event']}: {row['message']}")

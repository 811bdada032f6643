"""`prov status`: what every node does and runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from provisioner.cli import output
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.operations.status import NodeStatus, SiteStatus, site_status
from provisioner.operations.strict import Answer

_COLUMNS = ("node", "state", "for", "running", "newer", "overlays", "address", "note")


@click.command("status")
@output.format_option
@click.pass_obj
def command(paths: Paths, style: str) -> None:
    """Show what every node does and runs, what a reboot would bring it, and the newest warnings and alarms."""
    status = site_status(paths)
    if style == "table":
        _table(status)
    else:
        output.write_data(_record(status), style)


def _table(status: SiteStatus) -> None:
    daemon = status.daemon
    if status.daemon_fault:
        output.say(f"{status.daemon_fault}. This is what it last saw.", err=True)
    elif daemon is None:
        click.echo("The daemon does not run: this is what it last saw. Start it with: prov serve", err=True)
    else:
        click.echo(f"daemon {daemon['version']}, process {daemon['pid']}, revision {daemon['revision'][:16]}")
        problems = daemon["problems"]
        if problems:
            click.echo(f"{len(problems)} mistakes in what is written; the last good revision stays served:")
            output.say("\n".join(problems))
    _say_unrenderable(status.rendering)
    rows = [_row(node) for node in status.nodes]
    output.write_rows(rows, "table", _COLUMNS)
    for line in _alarm_lines(status)[:8]:
        output.say(output.printable(line))


def _say_unrenderable(rendering: Answer | None) -> None:
    if rendering and rendering.problems:
        more = "" if rendering.is_whole else " (more nodes are being tried)"
        click.echo(f"overlays cannot be rendered; nodes cannot boot with them, or keep what they have{more}:")
        output.say("\n".join(map(str, rendering.problems)))


def _rendering(rendering: Answer | None) -> dict[str, Writable] | None:
    if rendering is None:
        return None
    return {"problems": [str(each) for each in rendering.problems], "is_whole": rendering.is_whole}


def _alarm_lines(status: SiteStatus) -> list[str]:
    """The newest of each kind; a machine that asks again and again takes one line."""
    seen: dict[tuple[str, str], str] = {}
    for event in status.alarms:
        who = event.node or event.mac or event.address or "site"
        line = f"{event.level} {_age(event.time)} ago: {who}: {event.message}"
        seen.setdefault((event.name, who), line)
    return list(seen.values())


def _row(node: NodeStatus) -> dict[str, Writable]:
    return {
        "node": node.node,
        "state": node.state,
        "for": _age(node.changed) if node.changed else None,
        "running": f"{node.running} {node.revision[:8]}" if node.running and node.revision else None,
        "newer": node.outdated,
        "overlays": f"{node.overlays} {_age(node.overlays_since)}" if node.overlays_since else node.overlays,
        "address": node.address,
        "note": node.reason,
    }


def _record(status: SiteStatus) -> dict[str, Writable]:
    alarms: list[dict[str, Any]] = [asdict(event) for event in status.alarms]
    return {
        "revision": status.revision,
        "daemon": status.daemon,
        "daemon_fault": status.daemon_fault,
        "nodes": [asdict(node) for node in status.nodes],
        "alarms": alarms,
        "rendering": _rendering(status.rendering),
    }


def _age(moment: float) -> str:
    seconds = int(time.time() - moment)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

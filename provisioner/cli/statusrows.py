"""How a status is printed: rows of nodes, what the daemon says, and the newest alarms."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.moment import age
from provisioner.config.emit import Writable
from provisioner.operations.status import NodeStatus, SiteStatus, counted
from provisioner.operations.strict import Answer

COLUMNS = ("node", "state", "for", "running", "newer", "overlays", "address", "note")


def say_daemon(status: SiteStatus) -> None:
    """Say how the daemon does, and what is wrong with what is written."""
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
        if missing := daemon.get("missing"):
            click.echo("nodes of these networks hear nothing:")
            output.say("\n".join(missing))
    _say_unrenderable(status.rendering)


def _say_unrenderable(rendering: Answer | None) -> None:
    if rendering and rendering.problems:
        more = "" if rendering.is_whole else " (more nodes are being tried)"
        click.echo(f"overlays cannot be rendered; nodes cannot boot with them, or keep what they have{more}:")
        output.say("\n".join(map(str, rendering.problems)))


def _rendering(rendering: Answer | None) -> dict[str, Writable] | None:
    if rendering is None:
        return None
    return {"problems": [str(each) for each in rendering.problems], "is_whole": rendering.is_whole}


def alarm_lines(status: SiteStatus) -> list[str]:
    """The newest of each kind; a machine that asks again and again takes one line."""
    seen: dict[tuple[str, str], str] = {}
    for event in status.alarms:
        who = event.node or event.mac or event.address or "site"
        line = f"{event.level} {age(event.time)} ago: {who}: {event.message}"
        seen.setdefault((event.name, who), line)
    return list(seen.values())


def row(node: NodeStatus) -> dict[str, Writable]:
    """One node as a row of the table."""
    return {
        "node": node.node,
        "state": node.state,
        "for": age(node.changed) if node.changed else None,
        "running": f"{node.running} {node.revision[:8]}" if node.running and node.revision else None,
        "newer": node.outdated,
        "overlays": f"{node.overlays} {age(node.overlays_since)}" if node.overlays_since else node.overlays,
        "address": node.address,
        "note": "; ".join(filter(None, (node.reason, node.next_boot and f"next boot: {node.next_boot}"))),
    }


def record(status: SiteStatus) -> dict[str, Writable]:
    """A whole status as data."""
    alarms: list[dict[str, Any]] = [asdict(event) for event in status.alarms]
    return {
        "revision": status.revision,
        "daemon": status.daemon,
        "daemon_fault": status.daemon_fault,
        "states": counted(status),
        "nodes": [asdict(node) for node in status.nodes],
        "alarms": alarms,
        "rendering": _rendering(status.rendering),
    }

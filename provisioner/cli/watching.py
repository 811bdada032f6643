"""`prov status --watch`: one screen that is drawn again on a terminal, a line for each change into a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.moment import age, moment
from provisioner.cli.statusrows import COLUMNS, alarm_lines, record, row, say_daemon
from provisioner.config.paths import Paths
from provisioner.operations.status import NodeStatus, SiteStatus, Wanted, counted
from provisioner.operations.watching import Look, looks

# What interests most stands at the top of the screen, which may be shorter than the list.
_URGENCY = ("failed", "degraded", "system", "stage1", "script", "never booted", "local", "ready")


def run(paths: Paths, wanted: Wanted, interval: float, style: str) -> None:
    """Show the status until interrupted."""
    seen = looks(paths, wanted, interval)
    with suppress(KeyboardInterrupt):
        if style != "table":
            for look in seen:
                click.echo(json.dumps(record(look.status), ensure_ascii=False))
        elif sys.stdout.isatty():
            _draw(seen)
        else:
            _tell(seen)


def _tell(seen: Iterator[Look]) -> None:
    """The table once, then a line for every node that changes."""
    for number, look in enumerate(seen):
        if number == 0:
            say_daemon(look.status)
        for node in look.changed:
            output.say(f"{moment(look.time)} {node.node} {' '.join(_words(node))}")
        if look.changed or number == 0:
            output.say(f"{moment(look.time)} {_summary(look.status)}")


def _draw(seen: Iterator[Look]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for look in seen:
            live.update(screen(look, console.size.height), refresh=True)


def screen(look: Look, height: int) -> Any:
    """One look as something that rich draws, at most `height` lines high."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    alarms = [output.printable(line) for line in alarm_lines(look.status)[:4]]
    room = max(1, height - len(alarms) - 5)
    nodes = sorted(look.status.nodes, key=lambda each: (_urgency(each), each.node))
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column.upper(), no_wrap=True)
    for node in nodes[:room]:
        shown = {**row(node), "note": _note(node)}
        table.add_row(*(escape(output.cell(shown[column])) for column in COLUMNS))
    rest = [f"... and {len(nodes) - room} more"] if len(nodes) > room else []
    head = f"{moment(look.time)}  {_daemon(look.status)}  {_summary(look.status)}"
    return Group(escape(output.printable(head)), "", table, *rest, *map(escape, alarms))


def _daemon(status: SiteStatus) -> str:
    if status.daemon is None:
        return status.daemon_fault or "the daemon does not run"
    problems = len(status.daemon["problems"])
    return f"revision {status.revision[:16]}" + (f", {problems} mistakes" if problems else "")


def _summary(status: SiteStatus) -> str:
    states = ", ".join(f"{count} {state}" for state, count in counted(status).items())
    return f"{len(status.nodes)} nodes: {states}" if states else "no nodes"


def _urgency(node: NodeStatus) -> int:
    return _URGENCY.index(node.state) if node.state in _URGENCY else len(_URGENCY)


def _note(node: NodeStatus) -> str:
    if node.step and node.step_time:
        return " ".join(filter(None, (f"{node.step} {age(node.step_time)} ago", node.reason)))
    return node.reason


def _words(node: NodeStatus) -> Iterator[str]:
    yield node.state
    if node.running:
        yield node.running
    if node.step:
        yield f"({node.step})"
    if node.reason:
        yield output.printable(node.reason)

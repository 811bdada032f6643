"""`prov boot`: how nodes booted."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from provisioner.cli import output
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_STEPS = ("at", "stage", "event", "bytes", "took", "message")
_BOOTS = ("boot", "opened", "state", "generation", "revision", "reason")


@click.group("boot")
def command() -> None:
    """Show how nodes booted, step by step."""


@command.command("show")
@click.argument("node")
@click.option("--boot", "boot", metavar="ID", help="A boot of `prov boot list`; the newest without it.")
@output.format_option
@click.pass_obj
def show(paths: Paths, node: str, boot: str | None, style: str) -> None:
    """Show one boot from its first packet on: milliseconds since then, bytes and milliseconds of each transfer."""
    from dataclasses import asdict

    from provisioner.operations.boots import timeline

    found = timeline(paths, node, boot)
    if style != "table":
        output.write_data(asdict(found), style)
        return
    record = found.boot
    click.echo(f"{node}: {record.generation} at revision {record.revision[:16]}, boot {record.id}")
    output.say(f"started {_moment(found.started)}, {record.state}{': ' + record.reason if record.reason else ''}")
    rows: list[dict[str, Writable]] = [
        {
            "at": f"{step.at} ms",
            "stage": step.stage,
            "event": step.name if step.level == "info" else f"{step.name} ({step.level})",
            "bytes": step.bytes,
            "took": None if step.took is None else f"{step.took} ms",
            "message": step.message,
        }
        for step in found.steps
    ]
    output.write_rows(rows, "table", _STEPS)


@command.command("list")
@click.argument("node")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@output.format_option
@click.pass_obj
def list_(paths: Paths, node: str, limit: int, style: str) -> None:
    """List the boots of a node, newest first."""
    from provisioner.operations.boots import boots_of

    rows: list[dict[str, Writable]] = [
        {
            "boot": boot.id,
            "opened": _moment(boot.opened),
            "state": boot.state,
            "generation": boot.generation,
            "revision": boot.revision[:16],
            "reason": boot.reason,
        }
        for boot in boots_of(paths, node, limit=limit)
    ]
    output.write_rows(rows, style, _BOOTS)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""`prov boot`: how nodes booted."""

from __future__ import annotations

import click

from provisioner.cli import bootcontrol, complete, output
from provisioner.cli.moment import moment, since_option
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.events.search import STATES

_STEPS = ("at", "stage", "event", "bytes", "took", "message")
_BOOTS = ("boot", "opened", "state", "generation", "revision", "reason")
_ALL = ("boot", "node", *_BOOTS[1:])
_TIMES = ("group", "stage", "boots", "p50", "p90", "p99", "longest", "bytes", "slowest")
_PAIRS = ("stage", "first", "second", "difference", "first bytes", "second bytes")


@click.group("boot")
def command() -> None:
    """Show how nodes booted, step by step, and say what they boot next."""


@command.command("show")
@click.argument("name", metavar="NODE|BOOT", shell_complete=complete.node)
@click.option("--boot", "boot", metavar="ID", help="A boot of `prov boot list`; the newest without it.")
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, boot: str | None, style: str) -> None:
    """Show one boot from its first packet on: milliseconds since then, bytes and milliseconds of each transfer.

    A node stands for its newest boot; the start of a boot's id is enough.
    """
    from dataclasses import asdict

    from provisioner.operations.boots import timeline

    found = timeline(paths, name, boot)
    if style != "table":
        seen = found.measured.record() if found.measured else None
        output.write_data({**asdict(found), "identity": found.identity.record(), "measured": seen}, style)
        return
    record = found.boot
    what = record.generation or "its own disk"
    click.echo(f"{record.node}: {what} at revision {record.revision[:16]}, boot {record.id}")
    output.say(f"started {moment(found.started)}, {record.state}{': ' + record.reason if record.reason else ''}")
    output.say(f"identity: {found.identity}")
    if found.measured:
        output.say(f"measured: {found.measured}")
    rows: list[dict[str, Writable]] = [
        {
            "at": f"{step.at} ms",
            "stage": step.stage,
            "event": step.name if step.level == "info" else f"{step.name} ({step.level})",
            "bytes": step.bytes,
            "took": _milliseconds(step.took),
            "message": step.message,
        }
        for step in found.steps
    ]
    output.write_rows(rows, "table", _STEPS)


@command.command("log")
@click.argument("name", metavar="NODE|BOOT", shell_complete=complete.node)
@click.option("--boot", "boot", metavar="ID", help="A boot of `prov boot list`; the newest without it.")
@click.pass_obj
def log(paths: Paths, name: str, boot: str | None) -> None:
    """Print what the machine of a boot logged: its kernel and stage 1, up to the hand-over or the failure.

    A node stands for its newest boot; the start of a boot's id is enough.
    """
    from provisioner.operations.boots import log_of

    click.echo(output.printable(log_of(paths, name, boot), keep="\n\t"), nl=False)


@command.command("list")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@since_option
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only boots in this state.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most.")
@output.format_option
@click.pass_obj
def list_(
    paths: Paths, nodeset: str | None, since: float | None, states: tuple[str, ...], limit: int, style: str
) -> None:
    """List boots, newest first: of some nodes, or of all without NODESET."""
    from provisioner.operations.boots import boots_of, nodes_in

    nodes = None if nodeset is None else nodes_in(paths, nodeset)
    rows: list[dict[str, Writable]] = [
        {
            "boot": boot.id,
            "node": boot.node,
            "opened": moment(boot.opened),
            "state": boot.state,
            "generation": boot.generation or None,
            "revision": boot.revision[:16],
            "reason": boot.reason,
        }
        for boot in boots_of(paths, nodes, limit=limit, since=since, states=states or None)
    ]
    if style == "table":
        bootcontrol.say_orders(paths, nodes)
    output.write_rows(rows, style, _BOOTS if nodes is not None and len(nodes) == 1 else _ALL)


@command.command("stats")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@click.option(
    "--by",
    type=click.Choice(["all", "image", "generation", "model"]),
    default="image",
    show_default=True,
    help="What boots are told apart by; the model is the tag `model`, or what the system reported.",
)
@since_option
@output.format_option
@click.pass_obj
def stats(paths: Paths, nodeset: str | None, by: str, since: float | None, style: str) -> None:
    """Show how long each stage of finished boots took, in seconds: half, 90 % and 99 % of them took no longer."""
    from dataclasses import asdict

    from provisioner.operations.boots import nodes_in
    from provisioner.operations.bootstats import Grouping, stage_times

    nodes = None if nodeset is None else nodes_in(paths, nodeset)
    found = [asdict(each) for each in stage_times(paths, Grouping(by), nodes=nodes, since=since)]
    rows = [
        {key: f"{each:.2f}" if isinstance(each, float) else each for key, each in row.items()} for row in found
    ]
    output.write_rows(rows if style == "table" else found, style, _TIMES)


@command.command("compare")
@click.argument("first", metavar="A", shell_complete=complete.node)
@click.argument("second", metavar="B", shell_complete=complete.node)
@output.format_option
@click.pass_obj
def compare(paths: Paths, first: str, second: str, style: str) -> None:
    """Compare two boots stage by stage; A and B are ids of boots, or nodes for their newest boots."""
    from dataclasses import asdict

    from provisioner.operations.bootcompare import compare as compare_boots

    found = compare_boots(paths, first, second)
    if style != "table":
        output.write_data(asdict(found), style)
        return
    for name, boot in (("A", found.first), ("B", found.second)):
        output.say(f"{name}: {boot.node}, boot {boot.id}, opened {moment(boot.opened)}, {boot.state}")
    output.lines((key, f"{left} -> {right}") for key, (left, right) in found.differs.items())
    if found.equal:
        output.say(f"equal: {', '.join(f'{key} {value}' for key, value in found.equal.items())}")
    rows: list[dict[str, Writable]] = [
        {
            "stage": pair.stage,
            "first": _milliseconds(pair.first),
            "second": _milliseconds(pair.second),
            "difference": None if pair.difference is None else f"{pair.difference:+} ms",
            "first bytes": pair.first_bytes,
            "second bytes": pair.second_bytes,
        }
        for pair in found.stages
    ]
    output.write_rows(rows, "table", _PAIRS)
    click.echo(found.verdict)


for each in bootcontrol.COMMANDS:
    command.add_command(each)


def _milliseconds(value: int | None) -> str | None:
    return None if value is None else f"{value} ms"

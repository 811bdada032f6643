"""`prov doctor`: what is wrong, what showed it, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.moment import age
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_COLOURS = {"fault": "red", "warning": "yellow"}


@click.command("doctor")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@output.format_option
@click.pass_context
def command(context: click.Context, nodeset: str | None, style: str) -> None:
    """Name the faults of the head node, or of nodes, with what showed them and the commands that help.

    Without NODESET everything is looked at. Works with the daemon down. The exit status is 1 where there is a
    fault; warnings and notes do not count.
    """
    from provisioner.operations.doctor.examination import examine

    paths: Paths = context.obj
    diagnosis = examine(paths, nodeset)
    if style == "table":
        for patient in diagnosis.patients:
            since = f" ({age(patient.changed)} ago)" if patient.changed else ""
            output.say(f"{patient.node}: {output.printable(patient.state)}{since}")
        write_findings(diagnosis.findings)
    else:
        output.write_data({"findings": records(diagnosis.findings), "nodes": records(diagnosis.patients)}, style)
    context.exit(0 if diagnosis.is_healthy else 1)


def write_findings(findings: Sequence[Any]) -> None:
    """Print each with its evidence and fixes, and how many there are."""
    for each in findings:
        head = f"{each.severity} {each.check}: {each.subject}: {each.message}"
        click.secho(output.printable(head), fg=_COLOURS.get(each.severity))
        for witness in each.evidence:
            when = f"{age(witness.time)} ago, " if witness.time is not None else ""
            output.say(f"    seen: {when}{output.printable(witness.text)}")
        for fix in each.fix:
            output.say(f"    fix:  {output.printable(fix)}")
    counts = Counter(each.severity for each in findings)
    told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items())
    click.echo(told or "no fault found")


def records(found: Sequence[Any]) -> list[Writable]:
    """Findings or patients as data."""
    return [asdict(each) for each in found]

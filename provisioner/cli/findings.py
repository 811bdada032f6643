"""How the difference between two images is printed, section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import click

from provisioner.cli import output
from provisioner.image.contrast import Finding, Weight
from provisioner.operations.imagediff import ImageDifference

_COLOURS = {Weight.PROBLEM: "red", Weight.WARNING: "yellow"}
_SIGNS = {Weight.PROBLEM: "!!", Weight.WARNING: " !", Weight.NOTE: "  "}
_SHOWN = 12


def write_difference(found: ImageDifference, *, everything: bool = False) -> None:
    """Print a report for people, section by section, long ones cut unless everything is asked for."""
    click.secho(f"{found.old} -> {found.new}", bold=True)
    for section in dict.fromkeys(each.section for each in found.findings):
        of_it = [each for each in found.findings if each.section == section]
        click.secho(f"{section} ({_counted(of_it)})", bold=True)
        heavy = [each for each in of_it if each.weight is not Weight.NOTE]
        shown = of_it if everything else of_it[: max(_SHOWN, len(heavy))]
        for each in shown:
            _write(each)
        if len(shown) < len(of_it):
            click.echo(f"  ... {len(of_it) - len(shown)} more: --all shows them")
    if not found.findings:
        click.echo("no difference that matters")
    if found.window:
        click.echo(f"time: {found.window}")


def _write(finding: Finding) -> None:
    line = f"{_SIGNS[finding.weight]} {finding.subject}: {finding.message}"
    click.secho(output.printable(line), fg=_COLOURS.get(finding.weight))
    if finding.remedy:
        click.echo(f"       {output.printable(finding.remedy)}")


def _counted(findings: Iterable[Finding]) -> str:
    counts = Counter(each.weight.value for each in findings)
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items())

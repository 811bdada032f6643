"""How a boot plan is printed: one block for all nodes whose boots change in the same way."""

from __future__ import annotations

from collections.abc import Iterator

import click

from provisioner.cli import output
from provisioner.cli.difference import counted
from provisioner.operations.bootplan import BootPlan, NodeChanges

LONGEST = 20
"""How many lines of one difference people get to see; programs get all that are kept."""
MOST = 50
"""How many groups people get to see."""

_COLOURS = {"-": "red", "+": "green"}


def write_plan(plan: BootPlan, style: str, *, is_alone: bool = False) -> None:
    """Print what boots would do differently, or that they would not.

    `is_alone` says that nothing before has told which fields differ.
    """
    if style != "table":
        output.write_data(plan.record(), style)
    elif not plan.groups:
        click.echo("no boot changes")
        names = {name for each in plan.differences if each.what == "node" for name in each.names}
        if names and is_alone:
            click.echo(f"fields of {counted(len(names), 'node')} differ: --format json shows them")
    else:
        # click takes the colours away where no terminal shows them.
        click.echo("\n".join(line for group in plan.groups[:MOST] for line in _block(group)))
        rest = plan.groups[MOST:]
        if rest:
            count = sum(len(group.nodes) for group in rest)
            click.echo(f"... and {count} nodes in {len(rest)} more groups: --format json shows them")


def _block(group: NodeChanges) -> Iterator[str]:
    count = f"{len(group.nodes)} node{'s' if len(group.nodes) > 1 else ''}"
    yield click.style(f"{group.kind} {group.folded} ({count})", bold=True)
    for change in group.changes:
        yield output.printable(f"  {change.what} {change.name}".rstrip())
        yield from (f"    {_coloured(line)}" for line in change.lines[:LONGEST])
        if len(change.lines) > LONGEST:
            yield f"    ... {len(change.lines) - LONGEST} more lines: --format json shows them"
    if group.example:
        values = ", ".join(f"{word} {value}" for word, value in sorted(group.example.items()))
        yield output.printable(f"  for {group.nodes[0]}: {values}")


def _coloured(line: str) -> str:
    shown = output.printable(line, keep="\t")
    return click.style(shown, fg=_COLOURS.get(line[:1])) if line else line

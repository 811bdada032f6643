"""`prov why`: where a value of a node comes from, and what the places said that did not win."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths


@click.command("why")
@click.argument("node", shell_complete=complete.node)
@click.argument("field", shell_complete=complete.bare_fields)
@output.format_option
@click.pass_obj
def command(paths: Paths, node: str, field: str, style: str) -> None:
    """Show where a value of a node comes from: prov why n001 image, prov why n001 interfaces.eth0.

    Every place that said something is listed, weakest first; the value shows what those marked with * said. FIELD
    may be the start of several fields, and also boot (what it boots, and why), domain, mac or ip.
    """
    from provisioner.image.store import catalogue
    from provisioner.operations.why import why

    chains = [chain.record() for chain in why(paths, catalogue(paths), node, field)]
    if style == "table":
        output.say("\n".join(output.printable(line) for chain in chains for line in _shown(chain)))
    else:
        output.write_data({"name": node, "fields": chains}, style)


def _shown(chain: Mapping[str, Any]) -> Iterator[str]:
    yield f"{chain['field']}: {output.cell(chain['value'])}"
    rows = [_row(each) for each in chain["statements"]]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield from (f"    {note}" for note in chain["notes"])


def _row(statement: Mapping[str, Any]) -> tuple[str, ...]:
    via = f" via {statement['via']}" if statement["via"] else ""
    mark = "*" if statement["counts"] else " "
    return mark, f"{statement['place']}{via}", statement["said"], statement["where"]

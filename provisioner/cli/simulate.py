"""`prov simulate`: the boots of nodes rehearsed, without any machine and without the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths

# The values of operations.firmware.Asker, which takes longer to import than to write down.
FIRMWARE = ("bios", "uefi", "uefi-http", "arm64", "arm64-http", "ipxe")


@click.command("simulate")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@click.option(
    "--where",
    multiple=True,
    metavar="FILTER",
    shell_complete=complete.filters,
    help="Of these nodes those that pass: image=rocky-9.",
)
@click.option(
    "--firmware",
    multiple=True,
    type=click.Choice(FIRMWARE),
    help="What the machines have; may be given again. Without it, all that suits the image.",
)
@click.option("--steps", is_flag=True, help="List the steps of every group, as of a single node.")
@output.format_option
@click.pass_context
def command(
    context: click.Context,
    nodeset: str | None,
    where: tuple[str, ...],
    firmware: tuple[str, ...],
    steps: bool,
    style: str,
) -> None:
    """Rehearse the boots of nodes, as they are written now: prov simulate n001, prov simulate @compute.

    From the DHCP answer to the archive of overlays every step is decided as the daemon would decide it: loaders
    and image files must be there and whole, every URL of the script must lead to something, every template must
    render. Nodes that fare alike stand together. The exit status is 1 when one of them would not boot.
    """
    from provisioner.image.store import catalogue
    from provisioner.operations.firmware import Asker
    from provisioner.operations.simulate import simulate

    paths: Paths = context.obj
    askers = tuple(map(Asker, firmware)) or None
    found = simulate(paths, catalogue(paths), nodeset, where=where, askers=askers)
    record = found.record()
    if style == "table":
        for outcome in record["outcomes"]:
            output.say("\n".join(_shown(outcome, steps=steps or len(found.outcomes) == outcome["count"] == 1)))
    else:
        output.write_data(record, style)
    context.exit(1 if found.has_problems else 0)


def _shown(outcome: Mapping[str, Any], *, steps: bool) -> Iterator[str]:
    count = f"{outcome['count']} node{'s' if outcome['count'] > 1 else ''}"
    yield f"{_title(outcome)}: {outcome['nodes']} ({count})"
    shown = [step for step in outcome["steps"] if steps or step["problem"]]
    width = max((len(step["what"]) for step in shown), default=0)
    for step in shown:
        if step["problem"]:
            yield f"  {step['what'].ljust(width)}  PROBLEM: {step['problem']}"
            yield f"  {' ' * width}  hint: {step['hint']}"
        else:
            yield f"  {step['what'].ljust(width)}  {'; '.join(filter(None, (step['said'], step['detail'])))}"


def _title(outcome: Mapping[str, Any]) -> str:
    if not outcome["boots"]:
        return "problem"
    return next((step["said"].partition(",")[0] for step in outcome["steps"] if step["what"] == "decision"), "ok")

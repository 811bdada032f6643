"""`prov image test`: boot a generation in a lab before any node gets it."""

from __future__ import annotations

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError


@click.command("test")
@click.argument("image", shell_complete=complete.images)
@click.option("--node", metavar="NODE", shell_complete=complete.node, help="Be this node.")
@click.option("--group", metavar="GROUP", shell_complete=complete.groups, help="Be a node of this group.")
@click.option("--firmware", type=click.Choice(["bios", "uefi"]), default="bios", show_default=True)
@click.option("--memory", default=2048, show_default=True, type=click.IntRange(256), help="MiB.")
@click.option(
    "--patience",
    type=click.FloatRange(1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the boot may take.",
)
@click.option("--accel", type=click.Choice(["tcg", "kvm", "auto"]), default="auto", show_default=True)
@output.format_option
@click.pass_obj
def command(
    paths: Paths,
    *,
    image: str,
    node: str | None,
    group: str | None,
    firmware: str,
    memory: int,
    patience: float,
    accel: str,
    style: str,
) -> None:
    """Boot IMAGE in a virtual machine, as a node of the site with its overlays, and keep the result (root).

    The machine runs in a network of its own with a copy of the site: nothing that is served changes.
    """
    if node and group:
        raise click.UsageError("choose one of --node and --group")
    from provisioner.lab.accelerator import best_accelerator
    from provisioner.lab.imagetest import Wanted, try_image
    from provisioner.lab.machine import Accelerator, MachineFirmware

    accelerator = best_accelerator() if accel == "auto" else Accelerator(accel)
    wanted = Wanted(node, group, MachineFirmware(firmware), memory, patience, accelerator)
    result = try_image(paths, image, wanted, say=lambda step: click.echo(f"{step} ...", err=True))
    if style != "table":
        output.write_data(result.model_dump(mode="json"), style)
    else:
        output.say(f"{result.generation} {result.words}")
        for line in result.console:
            output.say(f"  | {line}")
    if not result.passed:
        hint = "the last lines of its console are above; prov image show tells the result again"
        raise ProvisionerError(f"{result.generation} did not get ready", hint=hint)

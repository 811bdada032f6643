"""`prov switch`: take nodes from one image to another, a few first, and back."""

from __future__ import annotations

from dataclasses import replace

import click

from provisioner.cli import complete, output
from provisioner.cli.confirm import carry_out
from provisioner.cli.consent import Consent, change_options
from provisioner.config.paths import Paths

_COLUMNS = ("name", "state", "nodes", "from", "to", "moved", "done", "failed")
_wait = click.option("--no-wait", is_flag=True, help="Move the nodes, and do not wait for them.")


@click.group("switch")
def command() -> None:
    """Take nodes from one image to another: a few first, then the others, and back when it goes wrong.

    A switch is written in switches.d/NAME.yaml and stays until it is finished or undone.
    """


@command.command("start")
@click.argument("nodeset", shell_complete=complete.nodeset)
@click.option(
    "--to", "target", required=True, metavar="IMAGE", shell_complete=complete.images, help="The new image."
)
@click.option("--where", multiple=True, metavar="FILTER", help="Only nodes that pass: image=centos-7.")
@click.option("--name", metavar="NAME", help="Its name (default: made of nodes and image).")
@click.option("--canary", type=click.IntRange(1), default=1, show_default=True, help="So many nodes go first.")
@click.option("--batch", type=click.IntRange(1), default=10, show_default=True, help="Then so many at a time.")
@click.option("--failures", type=click.IntRange(1), default=1, show_default=True, help="Stop at so many failures.")
@click.option("--patience", type=click.IntRange(10), default=900, show_default=True, help="Seconds until ready.")
@click.option("--reboot-command", "reboot", metavar="COMMAND", help="Restarts {node}: 'ssh {node} reboot'.")
@_wait
@change_options
@click.pass_obj
def start(
    paths: Paths,
    /,
    *,
    nodeset: str,
    target: str,
    where: tuple[str, ...],
    name: str | None,
    no_wait: bool,
    consent: Consent,
    **pace: int | str | None,
) -> None:
    """Take the nodes of NODESET to another image: prov switch start @rack1 --to rocky-9 --plan.

    With --plan it tells what becomes of the nodes, and writes nothing.
    """
    from provisioner.cli.drive import drive
    from provisioner.cli.drive import report as tell
    from provisioner.image.store import catalogue
    from provisioner.operations import switches
    from provisioner.registry.view import SiteView

    images = catalogue(paths)
    order = switches.Order(nodeset, target, switches.pace_of(pace), where, name)
    view = SiteView.of(paths)
    chosen, switch = switches.new_switch(view, order, images)
    if consent.style == "table":
        tell(paths, view, switch)
    wanted = replace(order, name=chosen)
    carry_out(paths, switches.start(wanted.of_all(switch) if consent.plan else wanted, images), consent)
    if not no_wait:
        drive(paths, chosen, consent.style)


@command.command("report")
@click.argument("nodeset", shell_complete=complete.nodeset)
@click.option(
    "--to", "target", required=True, metavar="IMAGE", shell_complete=complete.images, help="The new image."
)
@click.option("--where", multiple=True, metavar="FILTER", help="Only nodes that pass: image=centos-7.")
@click.option("--all", "everything", is_flag=True, help="Show every line, also of long sections.")
@output.format_option
@click.pass_obj
def report(
    paths: Paths, *, nodeset: str, target: str, where: tuple[str, ...], everything: bool, style: str
) -> None:
    """Tell what a switch would mean for nodes: packages, hardware, users, units, overlays, memory, time."""
    from provisioner.cli.findings import write_difference
    from provisioner.image.store import catalogue
    from provisioner.model.switch import Pace
    from provisioner.operations.imagediff import switch_report
    from provisioner.operations.switches import Order, new_switch
    from provisioner.registry.view import SiteView

    view = SiteView.of(paths)
    _, switch = new_switch(view, Order(nodeset, target, Pace(), where), catalogue(paths))
    found = switch_report(paths, switch, view.published.nodes(switch.names))
    if style != "table":
        output.write_data([each.record() for each in found], style)
        return
    for each in found:
        write_difference(each, everything=everything)


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List all switches and how far they are."""
    from provisioner.operations.switches import every, summary
    from provisioner.registry.view import SiteView

    named = list(every(SiteView.of(paths)))
    found = [switch for _, switch in named]
    rows = [summary(name, switch) for name, switch in named]
    if style == "table":
        rows = [{**row, "from": ", ".join(switch.before)} for row, switch in zip(rows, found, strict=True)]
    output.write_rows(rows, style, _COLUMNS)


@command.command("show")
@click.argument("name", shell_complete=complete.switches)
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, style: str) -> None:
    """Show a switch and every node of it."""
    from provisioner.operations.switches import details, find
    from provisioner.registry.view import SiteView

    found = details(name, find(SiteView.of(paths), name))
    if style != "table":
        output.write_data(found, style)
        return
    rows = found.pop("steps")
    found["from"] = ", ".join(found["from"])
    output.lines((key, str(value)) for key, value in found.items() if key != "pace" and value not in ("", None))
    output.write_rows(rows, style, ("node", "from", "state"))


@command.command("pause")
@click.argument("name", shell_complete=complete.switches)
@change_options
@click.pass_obj
def pause(paths: Paths, name: str, consent: Consent) -> None:
    """Move no more nodes, until it is resumed; those that were moved stay so."""
    from provisioner.operations import switches

    carry_out(paths, switches.pause(name), consent)


@command.command("resume")
@click.argument("name", shell_complete=complete.switches)
@_wait
@change_options
@click.pass_obj
def resume(paths: Paths, name: str, no_wait: bool, consent: Consent) -> None:
    """Go on with a switch that was paused, stopped or interrupted; nodes that failed get another chance."""
    from provisioner.cli.drive import drive
    from provisioner.operations import switches

    carry_out(paths, switches.resume(name), consent)
    if not no_wait:
        drive(paths, name, consent.style)


@command.command("finish")
@click.argument("name", shell_complete=complete.switches)
@click.option("--group", metavar="GROUP", shell_complete=complete.groups, help="Write the image to this group.")
@click.option("--nodes", is_flag=True, help="Write the image to the nodes themselves.")
@change_options
@click.pass_obj
def finish(paths: Paths, name: str, group: str | None, nodes: bool, consent: Consent) -> None:
    """Write the new image to the group that has just these nodes, and end the switch."""
    from provisioner.image.store import catalogue
    from provisioner.operations.switchfinish import finish as finished

    if group and nodes:
        raise click.UsageError("choose one of --group and --nodes")
    carry_out(paths, finished(name, catalogue(paths), group=group, nodes=nodes), consent)


@command.command("undo")
@click.argument("name", shell_complete=complete.switches)
@change_options
@click.pass_obj
def undo(paths: Paths, name: str, consent: Consent) -> None:
    """Give every node the generation back that it had, and restart those that were moved."""
    from provisioner.cli.drive import restart_former
    from provisioner.image.store import catalogue
    from provisioner.operations import switches
    from provisioner.registry.view import SiteView

    switch = switches.find(SiteView.of(paths), name)
    carry_out(paths, switches.undo(name, catalogue(paths)), consent)
    restart_former(switch, consent.style)


@command.command("delete")
@click.argument("name", shell_complete=complete.switches)
@change_options
@click.pass_obj
def delete(paths: Paths, name: str, consent: Consent) -> None:
    """Forget a switch that is over; prov history keeps it."""
    from provisioner.operations import switches

    carry_out(paths, switches.delete(name), consent)

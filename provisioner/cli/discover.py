"""`prov discover`: machines that are no nodes, and how they become some."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.moment import age
from provisioner.cli.verbs import Verbs
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_COLUMNS = ("mac", "machine", "serial", "at", "asked", "last", "proposal", "because")


@click.group("discover", cls=Verbs, invoke_without_command=True)
@output.format_option
@click.pass_context
def command(context: click.Context, style: str) -> None:
    """List machines that ask to boot and are no nodes, in the order of their arrival, with what is proposed.

    Nothing changes before you accept, unless the site says discovery.accept: auto.
    """
    if context.invoked_subcommand is None:
        _list(context.obj, style)


@command.command("accept")
@click.argument("machines", nargs=-1, required=True, metavar="MAC...|all")
@click.option("--as", "name", metavar="NAME", help="Make it this node, whatever is proposed.")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", shell_complete=complete.groups, help="For a new node."
)
@click.option("--interface", metavar="DEVICE", help="The device that has the MAC.")
@click.option("--ip", "address", metavar="ADDRESS", help="Its address; may count as --ip of prov node add.")
@change_options
@click.pass_obj
def accept(
    paths: Paths,
    *,
    machines: tuple[str, ...],
    name: str | None,
    groups: tuple[str, ...],
    interface: str | None,
    address: str | None,
    consent: Consent,
) -> None:
    """Make nodes of machines, as proposed: prov discover accept 52:54:00:00:00:01, prov discover accept all.

    A machine that waits boots by itself then. `all` means every machine whose proposal is without doubt.
    """
    from provisioner.operations import discover

    wish = discover.Wish(name, groups, interface, address)
    taken = discover.chosen(discover.proposals(paths), machines, wish)
    if consent.style == "table":
        for each in taken:
            click.echo(f"{each.machine.mac} -> {each.node}: {'; '.join((*each.reasons, *each.doubts))}")
    carry_out(paths, discover.accept(taken, wish), consent)


@command.command("show")
@click.argument("name", metavar="MAC|NODE", shell_complete=complete.node)
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, style: str) -> None:
    """Show what a machine is, as its stage 1 told it: processor, memory, disks, network cards, serial numbers.

    A machine that is no node tells it where the site has discovery.image; that of a node at every boot.
    """
    from provisioner.operations.discover import hardware_of

    output.write_record(hardware_of(paths, name), style)


@command.command("ignore")
@click.argument("machines", nargs=-1, required=True, metavar="MAC...")
@change_options
@click.pass_obj
def ignore(paths: Paths, machines: tuple[str, ...], consent: Consent) -> None:
    """Propose nothing for machines any more, and leave them out of the list: discovery.ignore of the site."""
    from provisioner.operations import discover

    carry_out(paths, discover.ignore(machines), consent)


def _list(paths: Paths, style: str) -> None:
    from provisioner.operations.discover import proposals

    found = proposals(paths)
    if style == "table":
        output.write_rows([_row(each) for each in found], style, _COLUMNS)
    else:
        output.write_data([_record(each) for each in found], style)


def _row(proposal: Any) -> dict[str, Writable]:
    machine = proposal.machine
    made = " ".join(filter(None, (machine.manufacturer, machine.product)))
    return {
        "mac": machine.mac,
        "machine": made or machine.firmware,
        "serial": machine.serial,
        "at": machine.place or machine.address,
        "asked": machine.count,
        "last": f"{age(machine.last)} ago",
        "proposal": f"{proposal.kind} {proposal.node} ({proposal.score})" if proposal.node else None,
        "because": "; ".join((*proposal.doubts, *proposal.reasons)),
    }


def _record(proposal: Any) -> dict[str, Writable]:
    from dataclasses import asdict

    return asdict(proposal)

"""What people see of a switch on its way: the report before it, its steps, and how it ended."""

from __future__ import annotations

import click

from provisioner.cli import output
from provisioner.cli.carry import command_line
from provisioner.cli.findings import write_difference
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.model.switch import Switch, SwitchState
from provisioner.operations.imagediff import switch_report
from provisioner.operations.switchdrive import Drive, restart
from provisioner.registry.view import SiteView


def report(paths: Paths, view: SiteView, switch: Switch) -> None:
    """Tell what becomes of the nodes, before anybody is asked; programs ask for it by `prov switch report`."""
    try:
        for each in switch_report(paths, switch, view.published.nodes(switch.names)):
            write_difference(each)
    except NotFoundError as error:
        # An image from before there were inventories can be switched to all the same.
        output.say(f"no report: {error.message}", err=True)


def drive(paths: Paths, name: str, style: str) -> None:
    """Stay until the switch is through, stops or is paused. Raises ProvisionerError where it stopped.

    Programs (any `style` but `table`) have had their data already: they get nothing more on standard output.
    """
    try:
        switch = Drive(paths, name, command_line(), lambda line: output.say(line, err=True)).run()
    except KeyboardInterrupt:
        click.echo(f"interrupted: nodes keep what they have; prov switch resume {name} goes on", err=True)
        raise
    if switch.state is SwitchState.STOPPED:
        message = f"the switch {name} stopped: {len(switch.failed)} of {len(switch.moved)} nodes failed"
        hint = f"prov switch show {name}, then prov switch resume {name} or prov switch undo {name}"
        raise ProvisionerError(message, hint=hint)
    if switch.state is SwitchState.MOVED:
        words = f"all {len(switch.names)} nodes run {switch.to}; prov switch finish {name} makes it last"
    else:
        words = f"the switch {name} is {switch.state}"
    click.echo(words, err=style != "table")


def restart_former(switch: Switch, style: str) -> None:
    """Restart the nodes that a switch had moved, or say who has to be. ProvisionerError where that failed."""
    if not switch.moved:
        return
    if not switch.pace.reboot:
        words = f"restart {', '.join(switch.moved)} to bring the former image back"
        click.echo(words, err=style != "table")
        return
    refused = restart(switch.pace.reboot, switch.moved)
    if refused:
        lines = [f"{node} could not be restarted: {reason}" for node, reason in refused.items()]
        raise ProvisionerError("\n".join(lines), hint="it boots its former image whenever it restarts")

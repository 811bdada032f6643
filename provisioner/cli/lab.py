"""`prov lab`: virtual nodes on this machine, in a network of their own."""

from __future__ import annotations

import click

from provisioner.cli import labstorm
from provisioner.config.paths import Paths

FIRMWARE = click.Choice(
    ["bios", "uefi", "uefi-http", "uefi-v6", "secure", "secure-http", "site-key", "site-key-http", "arm64"]
)
ACCELERATORS = click.Choice(["tcg", "kvm", "auto"])


@click.group()
def command() -> None:
    """Boot virtual nodes on this machine, in a network of their own, without touching the host's (root)."""


@command.command()
@click.option("--capture", is_flag=True, help="Keep the packets of DHCP, TFTP and DNS in run/lab/lab.pcap.")
@click.option("--accel", type=ACCELERATORS, default="tcg", help="auto: KVM when a guest really starts with it.")
@click.pass_obj
def up(paths: Paths, capture: bool, accel: str) -> None:
    """Build the network of the site and start the daemon in it; both stay until `prov lab down`."""
    from provisioner.lab import control

    state = control.up(paths, ("--accel", accel, *(["--capture"] if capture else [])))
    click.echo(f"the lab is up; its logs are in {state.folder}", err=True)


@command.command()
@click.pass_obj
def down(paths: Paths) -> None:
    """End all virtual nodes, the daemon and the network."""
    from provisioner.lab import control

    click.echo("the lab is down" if control.down(paths) else "no lab was up", err=True)


@command.command()
@click.argument("node")
@click.option("--firmware", type=FIRMWARE, default="bios", show_default=True)
@click.option("--memory", default=1536, show_default=True, type=click.IntRange(256), help="MiB.")
@click.option("--tpm", is_flag=True, help="Give it a TPM 2.0, its own each time.")
@click.option("--console", "follow", is_flag=True, help="Follow the serial line.")
@click.option("--wait", type=float, metavar="SECONDS", help="Wait until the node is ready, or has failed.")
@click.pass_obj
def boot(
    paths: Paths, node: str, *, firmware: str, memory: int, tpm: bool, follow: bool, wait: float | None
) -> None:
    """Switch on the virtual machine of a node. It boots over the network, like a real one."""
    import time

    from provisioner.errors import UnavailableError
    from provisioner.lab import control
    from provisioner.lab.machine import MachineFirmware

    since = time.time()
    serial = control.boot(paths, node, firmware=MachineFirmware(firmware), memory=memory, tpm=tpm)
    click.echo(f"{node} is on; its serial line is in {serial}", err=True)
    if follow:
        _print_console(paths, node)
    if wait is not None:
        record = control.wait_for_boot(paths, node, since=since, timeout=wait)
        click.echo(f"{node}: {record.state} after {record.changed - since:.1f} s, {record.generation}")
        if record.state == "failed":
            raise UnavailableError(f"{node} failed: {record.reason}", hint=f"prov boot show {node}")


@command.command()
@click.argument("node")
@click.pass_obj
def off(paths: Paths, node: str) -> None:
    """Cut the power of a virtual node."""
    from provisioner.lab import control

    control.ask(paths, {"verb": "off", "node": node})


@command.command()
@click.argument("node")
@click.pass_obj
def console(paths: Paths, node: str) -> None:
    """Print the serial line of a virtual node, and follow it until Ctrl-C."""
    _print_console(paths, node)


@command.command()
@click.pass_obj
def status(paths: Paths) -> None:
    """Show what runs in the lab."""
    from provisioner.lab import control

    state = control.ask(paths, {"verb": "status"})
    daemon = "runs" if state["daemon"] else "does not run"
    click.echo(f"head {state['head']}, the daemon {daemon}, logs in {state['folder']}")
    click.echo(f"a shell inside: nsenter --target {state['first']} --net --pid --mount")
    for machine in state["machines"]:
        power = "on " if machine["on"] else "off"
        click.echo(f"{machine['node']:<16} {power} {machine['firmware']} {machine['mac']} {machine['serial']}")


@command.command(hidden=True)
@click.option("--capture", is_flag=True)
@click.option("--accel", type=ACCELERATORS, default="tcg")
@click.pass_obj
def run(paths: Paths, capture: bool, accel: str) -> None:
    """Hold the lab in this process; `up` starts it in the background."""
    from provisioner.lab.accelerator import best_accelerator
    from provisioner.lab.cluster import Lab
    from provisioner.lab.control import network_of_site
    from provisioner.lab.daemon import DaemonCommand
    from provisioner.lab.machine import Accelerator
    from provisioner.lab.state import log_folder
    from provisioner.lab.supervisor import supervise

    accelerator = best_accelerator() if accel == "auto" else Accelerator(accel)
    daemon = DaemonCommand.serve(paths)
    network = network_of_site(paths)
    supervise(paths, Lab(network, log_folder(paths), daemon=daemon, accelerator=accelerator, capture=capture))


command.add_command(labstorm.command, "storm")
command.add_command(labstorm.clients)


def _print_console(paths: Paths, node: str) -> None:
    from provisioner.lab import control

    try:
        for line in control.console(paths, node):
            click.echo(line)
    except KeyboardInterrupt:
        click.echo("", err=True)

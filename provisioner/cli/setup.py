"""`prov setup`: make this machine a head node."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.consent import Consent
from provisioner.config.paths import Paths

_CHANGES = 2
_COMPLETION = Path("/usr/share/bash-completion/completions/prov")


@click.command("setup")
@click.option("--interface", metavar="DEVICE", help="The network device that leads to the nodes, or its address.")
@click.option("--network", metavar="CIDR", help="Their network, where it is not the device's own: 10.0.0.0/16.")
@click.option("--cluster", default="cluster", show_default=True, metavar="NAME", help="Its name, in a new site.")
@click.option("--domain", default="cluster.local", show_default=True, help="Its DNS domain, in a new site.")
@click.option(
    "--admin-key",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with public SSH keys that may log in to nodes as root, in a new site. May be given again.",
)
@click.option("--no-packages", is_flag=True, help="Install no packages; say which are missing.")
@click.option(
    "--prefix",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="/",
    help="The root of another system, which does not run: nothing is started there.",
)
@click.option("--plan", "is_plan", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output.format_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    key_files: tuple[Path, ...],
    no_packages: bool,
    prefix: Path,
    is_plan: bool,
    yes: bool,
    style: str,
    **options: Any,
) -> None:
    """Make this machine a head node.

    That is: packages, the user of the daemon, folders, the systemd unit, a first site with the network of DEVICE,
    the key of the site, the packet filter, and the daemon started. It ends with what prov doctor says of
    the head node; the exit status is 1 where that has a fault.

    Programs that hold ports of ours are named before anything is changed. What is there already stays: a second
    run changes nothing. With --plan the exit status is 2 when something would be done.
    """
    from provisioner.operations.init import read_admin_keys
    from provisioner.operations.setup.facts import Wish
    from provisioner.operations.setup.headnode import demand_root, work_out

    if context.obj != Paths.below(None):
        raise click.UsageError("setup makes the system's own site; for one below --root there is prov init")
    demand_root(os.geteuid())
    keys = tuple(key for file in key_files for key in read_admin_keys(file))
    extra = {_COMPLETION: _completion()}
    wish = Wish(admin_keys=keys, packages=not no_packages, program=_program(prefix), files=extra, **options)
    made = work_out(wish, prefix.absolute())
    if is_plan:
        _write_plan(made, style)
        context.exit(0 if made.is_done else _CHANGES)
    _carry_out(made, Consent(yes=yes, style=style))


def _write_plan(made: Any, style: str) -> None:
    if style != "table":
        output.write_data({"steps": [each.record() for each in made.steps]}, style)
        return
    for step in made.steps:
        output.lines([(step.name, step.change or step.found)])
        for action in step.actions:
            output.say(f"    {action}")
        if step.by_hand:
            output.say(f"    by hand: {step.by_hand}")
    if made.is_done:
        click.echo("nothing to do")


def _carry_out(made: Any, consent: Consent) -> None:
    from provisioner.cli.carry import demand_consent
    from provisioner.operations.setup.headnode import set_up

    is_table = consent.style == "table"
    if not made.is_done and not consent.yes:
        _write_plan(made, "table")
        demand_consent("Do this?", consent)
    set_up(made, lambda step: output.say(f"{step.name}: {step.change}") if is_table else None)
    if is_table:
        for step in made.steps:
            if step.by_hand:
                output.say(f"{step.name}: {step.found}\n    by hand: {step.by_hand}")
        click.echo("nothing to do" if made.is_done else "the head node is set up")
    _finish(made, consent.style)


def _finish(made: Any, style: str) -> None:
    """What the doctor says of the head node, where a daemon runs."""
    from provisioner.cli.doctor import records, write_findings
    from provisioner.operations.setup.headnode import examined

    diagnosis = examined(made)
    findings = diagnosis.findings if diagnosis else ()
    if style != "table":
        output.write_data({"steps": [each.record() for each in made.steps], "findings": records(findings)}, style)
    elif diagnosis:
        write_findings(findings)
    click.get_current_context().exit(0 if diagnosis is None or diagnosis.is_healthy else 1)


def _program(prefix: Path) -> Path | None:
    """The command that runs, where another system would find it too."""
    called = Path(sys.argv[0]).absolute()
    return called if prefix == Path("/") and called.name == "prov" and called.exists() else None


def _completion() -> bytes:
    from provisioner.cli.completion import script

    # As `prov completion` prints it, and as packages bring it.
    return f"{script('bash')}\n".encode()

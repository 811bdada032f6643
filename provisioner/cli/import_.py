"""`prov import`: sites of other products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from provisioner.cli import complete
from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.output import format_option, say, write_rows
from provisioner.config.paths import Paths

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("import")
def command() -> None:
    """Bring nodes and groups over from another product."""


@command.command("warewulf")
@click.argument("nodes_conf", type=_FILE, metavar="NODES.CONF")
@click.option("--warewulf-conf", type=_FILE, metavar="FILE", help="The server's file: its network and DHCP range.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a site of its own there, to look at; the site of this machine stays as it is.",
)
@change_options
@click.pass_obj
def warewulf(
    paths: Paths, *, nodes_conf: Path, warewulf_conf: Path | None, output: Path | None, consent: Consent
) -> None:
    """Import nodes.conf of Warewulf 4: profiles become groups, netnames devices, subnets networks.

    What cannot be carried over is named on standard error, with its place, the reason and what to do.
    """
    from provisioner.exchange.warewulf.importer import import_warewulf
    from provisioner.exchange.warewulf.merge import demand_images, merged_into

    texts = nodes_conf.read_bytes(), warewulf_conf.read_bytes() if warewulf_conf else None
    if output is not None:
        imported = import_warewulf(*texts)
        _say(imported.report, len(imported.groups), len(imported.nodes))
        _write(imported.files, output)
        return
    from provisioner.image.store import catalogue
    from provisioner.registry.collect import own_overlays
    from provisioner.registry.compiler import current

    with current(paths) as published:
        imported = import_warewulf(*texts, site=published.site(), overlays=own_overlays(paths))
    _say(imported.report, len(imported.groups), len(imported.nodes))
    demand_images(imported, catalogue(paths))
    carry_out(paths, lambda view: merged_into(view, imported), consent)


@command.command("hostkeys")
@click.argument("nodeset", shell_complete=complete.nodeset)
@click.option("--ssh", "shell", metavar="COMMAND", help="How to run a shell there: 'ssh -i KEY root@{node}'.")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Take them from DIR/NODE/ssh_host_*_key instead.",
)
@format_option
@click.pass_obj
def hostkeys(paths: Paths, *, nodeset: str, shell: str | None, folder: Path | None, style: str) -> None:
    """Take over the SSH host keys of running nodes, so that they keep them with another image (root)."""
    from provisioner.errors import ProvisionerError
    from provisioner.operations.hostkeys import SSH, from_folder, over_ssh, take
    from provisioner.operations.select import select
    from provisioner.registry.compiler import current

    with current(paths) as published:
        names = select(published, nodeset)
    taken = take(paths, names, from_folder(folder) if folder else over_ssh(shell or SSH))
    rows = [{"node": each.node, "keys": ", ".join(each.kinds), "reason": each.reason} for each in taken]
    write_rows(rows, style, ("node", "keys", "reason"))
    if missing := [each.node for each in taken if each.reason]:
        raise ProvisionerError(f"{len(missing)} of {len(taken)} nodes gave no keys", hint="the table tells why")


def _write(files: Mapping[str, str], folder: Path) -> None:
    from provisioner.errors import ConflictError
    from provisioner.host.files import write_atomically

    taken = [file for file in files if (folder / file).exists()]
    if taken:
        raise ConflictError(f"{folder / taken[0]} exists already", hint="give --output a new folder")
    for file, text in files.items():
        write_atomically(folder / file, text.encode(), mode=0o640)
        click.echo(f"wrote {folder / file}")
    click.echo(f"next: prov --root {folder} check")


def _say(report: Iterable[object], groups: int, nodes: int) -> None:
    remarks = [str(remark) for remark in report]
    say("\n".join([*remarks, f"read: {groups} groups, {nodes} nodes, {len(remarks)} remarks"]), err=True)

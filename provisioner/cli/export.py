"""`prov export`: the site in the languages of other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from provisioner.cli import complete
from provisioner.cli.files import STANDARD, write_output
from provisioner.cli.output import say
from provisioner.config.paths import Paths

F = TypeVar("F", bound=Callable[..., object])


@click.group("export")
def command() -> None:
    """Write nodes and groups in the language of another tool, to standard output.

    What a language cannot say is left out, and named on standard error.
    """


def _selection(function: F) -> F:
    """Add what every kind has: NODESET, `--where` and `--output`."""
    options = (
        click.argument("nodeset", required=False, shell_complete=complete.nodeset),
        click.option(
            "--where",
            multiple=True,
            metavar="FILTER",
            shell_complete=complete.filters,
            help="Only nodes like this: image=rocky-9.",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            metavar="FILE",
            help="Write this file, whole or not at all; - is standard output.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("hosts")
@_selection
@click.pass_obj
def hosts(paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None) -> None:
    """Lines for /etc/hosts: every address of every node."""
    _export(paths, "hosts", (nodeset, where), output)


@command.command("ansible")
@_selection
@click.option("--list", is_flag=True, expose_value=False, help="The whole inventory, as is printed anyway.")
@click.option("--host", metavar="NAME", help="The variables of one host.")
@click.option("--reveal", is_flag=True, help="With passwords, also those that secret:NAME names. Root only.")
@click.pass_obj
def ansible(
    paths: Paths,
    nodeset: str | None,
    where: tuple[str, ...],
    output: Path | None,
    host: str | None,
    *,
    reveal: bool,
) -> None:
    """An inventory for Ansible, in the form of an inventory script.

    Two lines make a script of it: `#!/bin/sh` and `exec prov export ansible "$@"`.
    """
    if host is None:
        _export(paths, "ansible", (nodeset, where), output, reveal=reveal)
        return
    from provisioner.exchange.ansible import export_ansible_host
    from provisioner.exchange.export import inventory_of
    from provisioner.registry.compiler import current

    with current(paths) as published:
        inventory = inventory_of(published, [host], secrets=_secrets(paths) if reveal else None)
        click.echo(export_ansible_host(inventory, host).text, nl=False)


@command.command("slurm")
@_selection
@click.pass_obj
def slurm(paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None) -> None:
    """NodeName and PartitionName lines for slurm.conf.

    Hardware is what resources.slurm says (CPUs, RealMemory, Gres, ...), features are the groups, and the keys of
    resources.slurm.partitions are the partitions.
    """
    _export(paths, "slurm", (nodeset, where), output)


@command.command("genders")
@_selection
@click.pass_obj
def genders(paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None) -> None:
    """A file for /etc/genders: groups, tags, image and cluster as attributes."""
    _export(paths, "genders", (nodeset, where), output)


@command.command("clustershell")
@_selection
@click.option("--upcalls", is_flag=True, help="Print a configuration that asks prov whenever a group is named.")
@click.option("--map", "group", metavar="GROUP", help="The nodes of a group, for an upcall.")
@click.option("--all", "every", is_flag=True, help="All nodes, for an upcall.")
@click.option("--list", "listed", is_flag=True, help="The names of all groups, for an upcall.")
@click.option("--reverse", "node", metavar="NODE", help="The groups of a node, for an upcall.")
@click.pass_obj
def clustershell(
    paths: Paths,
    nodeset: str | None,
    where: tuple[str, ...],
    output: Path | None,
    *,
    upcalls: bool,
    group: str | None,
    every: bool,
    listed: bool,
    node: str | None,
) -> None:
    """A file for /etc/clustershell/groups.d: groups, and tags as group sources of their own."""
    from provisioner.exchange.clustershell import UPCALLS

    if upcalls:
        click.echo(UPCALLS, nl=False)
    elif group is not None or every or listed or node is not None:
        click.echo(_upcall(paths, group, node, every=every))
    else:
        _export(paths, "clustershell", (nodeset, where), output)


@command.command("conman")
@_selection
@click.pass_obj
def conman(paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None) -> None:
    """CONSOLE lines for conman.conf, over the nodes' BMCs."""
    _export(paths, "conman", (nodeset, where), output)


@command.command("powerman")
@_selection
@click.pass_obj
def powerman(paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None) -> None:
    """Device and node lines for powerman.conf, over the nodes' BMCs."""
    _export(paths, "powerman", (nodeset, where), output)


def _network(function: F) -> F:
    """Add `--network`, for the configurations of DHCP servers."""
    return click.option(
        "--network", "networks", multiple=True, metavar="NAME", help="Only this network; may be given again."
    )(function)


@command.command("dnsmasq")
@_selection
@_network
@click.pass_obj
def dnsmasq(
    paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None, networks: tuple[str, ...]
) -> None:
    """A file for dnsmasq's conf-dir: addresses, loaders and boot scripts of all nodes, by DHCP."""
    _export_dhcp(paths, "dnsmasq", (nodeset, where, networks), output)


@command.command("kea")
@_selection
@_network
@click.pass_obj
def kea(
    paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None, networks: tuple[str, ...]
) -> None:
    """The same as a configuration of Kea (kea-dhcp4)."""
    _export_dhcp(paths, "kea", (nodeset, where, networks), output)


@command.command("isc")
@_selection
@_network
@click.pass_obj
def isc(
    paths: Paths, nodeset: str | None, where: tuple[str, ...], output: Path | None, networks: tuple[str, ...]
) -> None:
    """The same as a file for ISC's dhcpd.conf to include."""
    _export_dhcp(paths, "isc", (nodeset, where, networks), output)


def _export_dhcp(
    paths: Paths,
    kind: str,
    selection: tuple[str | None, tuple[str, ...], tuple[str, ...]],
    output: Path | None,
) -> None:
    from provisioner.errors import NotFoundError
    from provisioner.exchange.addressing import addressing_of
    from provisioner.exchange.export import DHCP_EXPORTERS
    from provisioner.operations.select import select
    from provisioner.registry.compiler import current

    nodeset, where, networks = selection
    with current(paths) as published:
        names = None if nodeset is None and not where else frozenset(select(published, nodeset, where))
        try:
            exported = DHCP_EXPORTERS[kind](addressing_of(published.snapshot(), names, networks))
        except LookupError as error:
            raise NotFoundError(str(error.args[0]), hint="networks are written in provisioner.yaml") from None
    _write(exported, output)


def _export(
    paths: Paths,
    kind: str,
    selection: tuple[str | None, tuple[str, ...]],
    output: Path | None,
    *,
    reveal: bool = False,
) -> None:
    from provisioner.exchange.export import EXPORTERS, inventory_of
    from provisioner.operations.select import select
    from provisioner.registry.compiler import current

    nodeset, where = selection
    with current(paths) as published:
        names = None if nodeset is None and not where else select(published, nodeset, where)
        exported = EXPORTERS[kind](inventory_of(published, names, secrets=_secrets(paths) if reveal else None))
    _write(exported, output, private=reveal)


def _write(exported: Any, output: Path | None, *, private: bool = False) -> None:
    for sentence in exported.left_out:
        say(f"left out: {sentence}", err=True)
    write_output(output or STANDARD, exported.text.encode(), private=private)


def _secrets(paths: Paths) -> Any:
    from provisioner.trust.secrets import SecretFolder

    return SecretFolder.of(paths.site)


def _upcall(paths: Paths, group: str | None, node: str | None, *, every: bool) -> str:
    from provisioner.errors import NotFoundError
    from provisioner.model.nodeset import fold
    from provisioner.registry.compiler import current

    with current(paths) as published:
        if group is not None:
            try:
                return fold(published.members(group))
            except LookupError as error:
                raise NotFoundError(str(error.args[0]), hint="prov group list") from None
        if every:
            return fold(published.names())
        if node is not None:
            return "\n".join(each for record in published.records([node]) for each in record["groups"])
        return "\n".join(row.name for row in published.groups())

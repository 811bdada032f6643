"""`prov init`: make a new site."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.config.paths import Paths


@click.command("init")
@click.option("--cluster", required=True, metavar="NAME", help="The name of the cluster.")
@click.option("--network", required=True, metavar="CIDR", help="The network that nodes boot from: 10.0.0.0/16.")
@click.option("--domain", default="cluster.local", show_default=True, help="The DNS domain of the nodes.")
@click.option("--server", metavar="IP", help="The address of this machine in the network.")
@click.option(
    "--admin-key",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the public SSH keys that may log in as root. May be given again.",
)
@click.pass_obj
def command(
    paths: Paths, *, cluster: str, network: str, domain: str, server: str | None, key_files: tuple[Path, ...]
) -> None:
    """Make a new site."""
    from provisioner.operations.init import NewSite, init_site, read_admin_keys

    keys = tuple(key for file in key_files for key in read_admin_keys(file))
    new = NewSite(cluster=cluster, network=network, domain=domain, server=server, admin_keys=keys)
    click.echo(f"wrote {init_site(paths, new)}")

"""Every kind of export by its name, and the inventory of a published site."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from provisioner.exchange.addressing import Addressing
from provisioner.exchange.ansible import export_ansible
from provisioner.exchange.clustershell import export_clustershell
from provisioner.exchange.console import export_conman, export_powerman
from provisioner.exchange.dnsmasq import export_dnsmasq
from provisioner.exchange.genders import export_genders
from provisioner.exchange.hosts import export_hosts
from provisioner.exchange.inventory import Exported, Inventory
from provisioner.exchange.iscdhcp import export_isc
from provisioner.exchange.kea import export_kea
from provisioner.exchange.slurm import export_slurm
from provisioner.registry.published import Published
from provisioner.trust.secrets import SecretFolder

EXPORTERS: dict[str, Callable[[Inventory], Exported]] = {
    "hosts": export_hosts,
    "ansible": export_ansible,
    "slurm": export_slurm,
    "genders": export_genders,
    "clustershell": export_clustershell,
    "conman": export_conman,
    "powerman": export_powerman,
}

DHCP_EXPORTERS: dict[str, Callable[[Addressing], Exported]] = {
    "dnsmasq": export_dnsmasq,
    "kea": export_kea,
    "isc": export_isc,
}


def inventory_of(
    published: Published, names: Iterable[str] | None = None, *, secrets: SecretFolder | None = None
) -> Inventory:
    """These nodes of a published site, or all of them; given `secrets`, with those that they have or name."""
    groups = {row.name: tuple(row.groups) for row in published.groups()}
    return Inventory(tuple(published.records(names)), groups, secrets.revealed if secrets else None)

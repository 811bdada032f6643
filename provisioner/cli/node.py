"""`prov node`: add, change, list, show and delete nodes."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.changes import changes_of, interface_options, layer_options
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.model.resolved import ResolvedNode

_COLUMNS = ("name", "groups", "image", "interface", "mac", "ip")


@click.group("node")
def command() -> None:
    """Add, change, list, show and delete nodes.

    NODESET is one name or many: n001, n[001-004,010], n[1-9]!n3.
    """


@command.command("add")
@click.argument("nodeset")
@layer_options
@interface_options
@click.pass_obj
def add(paths: Paths, /, nodeset: str, **options: Any) -> None:
    """Add nodes, as one entry: prov node add n[001-004] --group compute --ip 10.0.1.1+."""
    from provisioner.image.store import catalogue
    from provisioner.operations.nodes import add_nodes

    applied = add_nodes(paths, catalogue(paths), nodeset, changes_of(options))
    output.say_written(applied.files, applied.unserved)


@command.command("set")
@click.argument("nodeset")
@layer_options
@interface_options
@click.pass_obj
def set_(paths: Paths, /, nodeset: str, **options: Any) -> None:
    """Change nodes.

    A list (groups, kernel arguments, overlays) replaces the list of the same entry; what groups and other
    entries say is still added to it.
    """
    from provisioner.image.store import catalogue
    from provisioner.operations.nodes import set_nodes

    applied = set_nodes(paths, catalogue(paths), nodeset, changes_of(options))
    output.say_written(applied.files, applied.unserved)


@command.command("delete")
@click.argument("nodeset")
@click.pass_obj
def delete(paths: Paths, nodeset: str) -> None:
    """Remove nodes that are written as entries of their own."""
    from provisioner.image.store import catalogue
    from provisioner.operations.nodes import delete_nodes

    applied = delete_nodes(paths, catalogue(paths), nodeset)
    output.say_written(applied.files, applied.unserved)


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List all nodes."""
    from provisioner.image.store import catalogue
    from provisioner.operations.nodes import usable_site

    site, problems = usable_site(paths, catalogue(paths))
    output.write_rows([_row(node) for node in site.nodes], style, _COLUMNS)
    output.warn_of_problems(problems)


@command.command("show")
@click.argument("node")
@output.format_option
@click.pass_obj
def show(paths: Paths, node: str, style: str) -> None:
    """Show every value of a node, and where it comes from: the strongest place first."""
    from provisioner.image.store import catalogue
    from provisioner.operations.nodes import find_node, usable_site

    site, problems = usable_site(paths, catalogue(paths))
    found = find_node(site, node)
    if style == "table":
        rows = [[key, output.cell(value), _origin(found, key)] for key, value in _values(found).items()]
        output.table(["FIELD", "VALUE", "FROM"], rows)
    else:
        output.write_data(_record(found), style)
    output.warn_of_problems(problems)


def _row(node: ResolvedNode) -> dict[str, Writable]:
    boot = node.boot_interface
    return {
        "name": node.name,
        "groups": node.groups,
        "image": node.image,
        "interface": node.primary,
        "mac": boot.mac if boot else None,
        "ip": str(boot.ip.ip) if boot and boot.ip else None,
        "ip6": str(boot.ip6.ip) if boot and boot.ip6 else None,
        "tags": node.tags,
    }


def _record(node: ResolvedNode) -> dict[str, Writable]:
    record: dict[str, Writable] = node.model_dump(mode="json", exclude={"provenance"})
    sources = {key: [str(source) for source in reversed(each)] for key, each in node.provenance.items()}
    return {**record, "provenance": sources}


def _values(node: ResolvedNode) -> dict[str, Writable]:
    values: dict[str, Writable] = {
        "groups": node.groups,
        "domain": node.domain,
        "image": node.image,
        "root.kind": node.root,
        "overlays.system": node.system_overlays,
        "overlays.runtime": node.runtime_overlays,
        "kernel.args": node.kernel_args,
        "script": node.script,
    }
    values.update({f"tags.{key}": value for key, value in node.tags.items()})
    for each in node.interfaces:
        fields = {"network": each.network, "mac": each.mac, "ip": each.ip, "ip6": each.ip6}
        values.update({f"interfaces.{each.name}.{key}": str(value) for key, value in fields.items() if value})
    return values


def _origin(node: ResolvedNode, key: str) -> str:
    sources = node.provenance.get(key, ())
    return ", ".join(str(source) for source in reversed(sources)) or "default"

"""`prov group`: add, change, list and show groups."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.changes import changes_of, layer_options
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_COLUMNS = ("name", "groups", "image", "nodes", "place")


@click.group("group")
def command() -> None:
    """Add, change, list and show groups."""


@command.command("add")
@click.argument("name")
@layer_options
@click.pass_obj
def add(paths: Paths, /, name: str, **options: Any) -> None:
    """Add a group, in a file of its own: prov group add compute --image debian-12."""
    from provisioner.image.store import catalogue
    from provisioner.operations.groups import add_group

    applied = add_group(paths, catalogue(paths), name, changes_of(options))
    output.say_written(applied.files, applied.unserved)


@command.command("set")
@click.argument("name")
@layer_options
@click.pass_obj
def set_(paths: Paths, /, name: str, **options: Any) -> None:
    """Change a group. A list replaces the list that the group has."""
    from provisioner.image.store import catalogue
    from provisioner.operations.groups import set_group

    applied = set_group(paths, catalogue(paths), name, changes_of(options))
    output.say_written(applied.files, applied.unserved)


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List all groups."""
    from provisioner.image.store import catalogue
    from provisioner.model.nodeset import fold
    from provisioner.operations.groups import members
    from provisioner.operations.nodes import usable_site

    site, problems = usable_site(paths, catalogue(paths))
    nodes = members(site)
    rows: list[dict[str, Writable]] = [
        {
            "name": name,
            "groups": group.value.groups,
            "image": group.value.image,
            "nodes": fold(nodes[name]),
            "place": f"{group.file}:{group.key.span.line}",
        }
        for name, group in sorted(site.groups.items())
    ]
    output.write_rows(rows, style, _COLUMNS)
    output.warn_of_problems(problems)


@command.command("show")
@click.argument("name")
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, style: str) -> None:
    """Show what a group sets itself, and which nodes are in it."""
    from provisioner.image.store import catalogue
    from provisioner.model.nodeset import fold
    from provisioner.operations.groups import find_group, members
    from provisioner.operations.nodes import usable_site
    from provisioner.registry.facts import facts_of

    site, problems = usable_site(paths, catalogue(paths))
    group = find_group(site, name)
    values: dict[str, Writable] = {
        ".".join(path): list(fact.value) if isinstance(fact.value, tuple) else str(fact.value)
        for path, fact in facts_of(group, f"group {name}").items()
        if fact.sources
    }
    record = {"name": name, "place": f"{group.file}:{group.key.span.line}", "nodes": fold(members(site)[name])}
    output.write_record({**record, **values}, style)
    output.warn_of_problems(problems)

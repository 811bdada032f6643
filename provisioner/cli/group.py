"""`prov group`: add, change, list, show and delete groups."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.changes import assignment_argument, assignments_of, layer_options
from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.files import TEXT, texts_of
from provisioner.cli.verbs import Verbs
from provisioner.config.paths import Paths

_COLUMNS = ("name", "groups", "image", "count", "place")

_name = click.argument("name", shell_complete=complete.groups)


@click.group("group", cls=Verbs)
def command() -> None:
    """Add, change, list, show and delete groups. The usual short names work too: ls, rm, create, mv, cp."""


@command.command("add")
@click.argument("name")
@assignment_argument
@layer_options
@change_options
@click.pass_obj
def add(paths: Paths, /, name: str, consent: Consent, **options: Any) -> None:
    """Add a group, in a file of its own: prov group add compute --image debian-12."""
    from provisioner.operations import groups

    carry_out(paths, groups.add(name, assignments_of(options)), consent)


@command.command("set")
@_name
@assignment_argument
@layer_options
@change_options
@click.pass_obj
def set_(paths: Paths, /, name: str, consent: Consent, **options: Any) -> None:
    """Change a group: prov group set compute image=rocky-9 kernel.args+=quiet.

    FIELD=VALUE sets a value, FIELD+=VALUE adds to a list, FIELD-=VALUE takes an item away, wherever it comes from.
    With = and by an option, a list replaces the list that the group has.
    """
    from provisioner.operations import groups

    carry_out(paths, groups.change(name, assignments_of(options)), consent)


@command.command("unset")
@_name
@click.argument("fields", nargs=-1, required=True, metavar="FIELD...", shell_complete=complete.bare_fields)
@click.option("--inherited", is_flag=True, help="Also take away what groups of this group say.")
@change_options
@click.pass_obj
def unset(paths: Paths, *, name: str, fields: tuple[str, ...], inherited: bool, consent: Consent) -> None:
    """Take values away: prov group unset compute kernel.args tags.kind."""
    from provisioner.operations import groups

    carry_out(paths, groups.unset(name, fields, inherited=inherited), consent)


@command.command("delete")
@_name
@click.option("--detach", is_flag=True, help="Also take it out of the nodes and groups that name it.")
@change_options
@click.pass_obj
def delete(paths: Paths, *, name: str, detach: bool, consent: Consent) -> None:
    """Remove a group. One that is in use stays, and its users are named."""
    from provisioner.operations import groups

    carry_out(paths, groups.delete(name, detach=detach), consent)


@command.command("rename")
@click.argument("old", shell_complete=complete.groups)
@click.argument("new")
@change_options
@click.pass_obj
def rename(paths: Paths, old: str, new: str, consent: Consent) -> None:
    """Give a group another name, in all files that name it."""
    from provisioner.operations import groups

    carry_out(paths, groups.rename(old, new), consent)


@command.command("copy")
@click.argument("source", shell_complete=complete.groups)
@click.argument("name")
@change_options
@click.pass_obj
def copy(paths: Paths, source: str, name: str, consent: Consent) -> None:
    """Add a group that says the same as another one."""
    from provisioner.operations import groups

    carry_out(paths, groups.copy(source, name), consent)


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List all groups, and how many nodes are in each, inherited ones included."""
    from provisioner.operations.listing import groups
    from provisioner.registry.compiler import current

    with current(paths) as published:
        output.write_rows(groups(published), style, _COLUMNS)
        output.warn_of_problems(len(published.problems()))


@command.command("show")
@_name
@click.option("--secrets", is_flag=True, help="Show passwords.")
@output.format_option
@click.pass_obj
def show(paths: Paths, name: str, *, secrets: bool, style: str) -> None:
    """Show what a group says itself, and which nodes are in it."""
    from provisioner.operations.entry import tree_of
    from provisioner.operations.groups import shown
    from provisioner.registry.view import SiteView

    values = shown(SiteView.of(paths), name, secrets=secrets)
    if style == "table":
        output.write_record({".".join(path): value for path, value in values.items()}, style)
    else:
        output.write_data(tree_of(values), style)


@command.command("edit")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete.groups)
@change_options
@click.pass_obj
def edit(paths: Paths, names: tuple[str, ...], consent: Consent) -> None:
    """Edit groups in $VISUAL or $EDITOR, checked like every change before anything is written."""
    from provisioner.cli.edit import edit_entries
    from provisioner.operations import groups

    edit_entries(paths, lambda view: groups.existing(view, names), groups.entries, groups.edited, consent)


@command.command("export")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.groups)
@click.pass_obj
def export(paths: Paths, names: tuple[str, ...]) -> None:
    """Print what is written about groups, all without NAME, as a document that prov apply takes."""
    from provisioner.operations import groups
    from provisioner.registry.view import SiteView

    view = SiteView.of(paths)
    click.echo(groups.exported(view, groups.existing(view, names or tuple(sorted(view.groups)))), nl=False)


@command.command("import")
@click.argument("file", type=TEXT)
@change_options
@click.pass_obj
def import_(paths: Paths, file: Any, consent: Consent) -> None:
    """Add and change groups as a document says, as prov group export prints it; - reads it from a pipe."""
    from provisioner.operations.apply import documents

    carry_out(paths, documents(texts_of([file]), only="groups"), consent)

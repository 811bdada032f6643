"""`prov node`: add, change, list, show and delete nodes."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.changes import assignment_argument, assignments_of, interface_options, layer_options
from provisioner.cli.confirm import Consent, carry_out, change_options
from provisioner.cli.files import TEXT, texts_of
from provisioner.cli.verbs import Verbs
from provisioner.config.paths import Paths

_COLUMNS = ("name", "groups", "image", "interface", "mac", "ip")

_nodeset = click.argument("nodeset", shell_complete=complete.nodeset)
_where = click.option(
    "--where",
    multiple=True,
    metavar="FILTER",
    shell_complete=complete.filters,
    help="Of these nodes those that pass: image=rocky-9, tags.rack~r?, !interfaces.*.mac. Repeat to narrow.",
)


@click.group("node", cls=Verbs)
def command() -> None:
    """Add, change, list, show and delete nodes.

    NODESET is one name or many: n001, n[001-004,010], n[1-9]!n3, @compute, @rack:r1, @*. The usual short names
    work too: ls, rm, create, mv, cp.
    """


@command.command("add")
@click.argument("nodeset")
@assignment_argument
@layer_options
@interface_options
@change_options
@click.pass_obj
def add(paths: Paths, /, nodeset: str, consent: Consent, **options: Any) -> None:
    """Add nodes, as one entry: prov node add n[001-004] --group compute --ip 10.0.1.1+."""
    from provisioner.operations import nodes

    carry_out(paths, nodes.add(nodeset, assignments_of(options)), consent)


@command.command("set")
@_nodeset
@assignment_argument
@layer_options
@interface_options
@_where
@change_options
@click.pass_obj
def set_(paths: Paths, /, nodeset: str, where: tuple[str, ...], consent: Consent, **options: Any) -> None:
    """Change nodes: prov node set @compute image=rocky-9 kernel.args+=quiet.

    FIELD=VALUE sets a value, FIELD+=VALUE adds to a list, FIELD-=VALUE takes an item away, wherever it comes from.
    With = and by an option, a list (groups, kernel arguments, overlays) replaces the list of the same entry; what
    groups and other entries say is still added to it.
    """
    from provisioner.operations import nodes

    carry_out(paths, nodes.change(nodeset, assignments_of(options), where), consent)


@command.command("unset")
@_nodeset
@click.argument("fields", nargs=-1, required=True, metavar="FIELD...", shell_complete=complete.bare_fields)
@click.option("--inherited", is_flag=True, help="Also take away what groups say.")
@_where
@change_options
@click.pass_obj
def unset(
    paths: Paths,
    *,
    nodeset: str,
    fields: tuple[str, ...],
    inherited: bool,
    where: tuple[str, ...],
    consent: Consent,
) -> None:
    """Take values away: prov node unset n001 tags.rack interfaces.eth0.mac."""
    from provisioner.operations import nodes

    carry_out(paths, nodes.unset(nodeset, fields, where, inherited=inherited), consent)


@command.command("delete")
@_nodeset
@_where
@change_options
@click.pass_obj
def delete(paths: Paths, nodeset: str, where: tuple[str, ...], consent: Consent) -> None:
    """Remove nodes; an entry that holds others too keeps these."""
    from provisioner.operations import nodes

    carry_out(paths, nodes.delete(nodeset, where), consent)


@command.command("rename")
@click.argument("old", shell_complete=complete.nodeset)
@click.argument("new")
@change_options
@click.pass_obj
def rename(paths: Paths, old: str, new: str, consent: Consent) -> None:
    """Give nodes other names: prov node rename n[001-004] m[001-004].

    Addresses that count (10.0.1.1+) follow the number in the name; what becomes of them is shown first.
    """
    from provisioner.operations import nodes
    from provisioner.operations.select import members_of
    from provisioner.registry.compiler import current

    with current(paths) as published:
        plan, renamed = nodes.rename(old, new, members_of(published))
    carry_out(paths, plan, consent, renamed=renamed)


@command.command("copy")
@click.argument("source", shell_complete=complete.node)
@click.argument("nodeset")
@change_options
@click.pass_obj
def copy(paths: Paths, source: str, nodeset: str, consent: Consent) -> None:
    """Add nodes like another one, but for MACs, addresses and what else tells the machine.

    Addresses that count (10.0.1.1+) are kept: they give every node one of its own.
    """
    from provisioner.operations import nodes

    carry_out(paths, nodes.copy(source, nodeset), consent)


@command.command("list")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@_where
@click.option(
    "--fields",
    metavar="FIELD,...",
    shell_complete=complete.columns,
    help="Show these: name,image,tags.rack,interfaces.eth0.mac.",
)
@output.format_option
@click.pass_obj
def list_(paths: Paths, nodeset: str | None, where: tuple[str, ...], fields: str | None, style: str) -> None:
    """List nodes, all without NODESET."""
    from provisioner.operations.listing import FIELDS, rows
    from provisioner.registry.compiler import current

    wanted = _listed(fields)
    with current(paths) as published:
        names = None
        if nodeset is not None or where:
            from provisioner.operations.select import select

            names = select(published, nodeset, where)
        output.write_rows(rows(published, names, wanted or FIELDS), style, wanted or _COLUMNS)
        output.warn_of_problems(len(published.problems()))


@command.command("show")
@click.argument("node", shell_complete=complete.node)
@click.option("--secrets", is_flag=True, help="Show passwords.")
@output.format_option
@click.pass_obj
def show(paths: Paths, node: str, *, secrets: bool, style: str) -> None:
    """Show every value of a node, and where it comes from: the strongest place first."""
    from provisioner.cli.bootcontrol import say_orders
    from provisioner.operations.listing import details
    from provisioner.operations.record import flat

    record, places = details(paths, node, secrets=secrets)
    if style == "table":
        say_orders(paths, (node,))
    if style != "table":
        output.write_data({**record, "provenance": places}, style)
        return
    values = {path: value for path, value in flat(record) if path in places or _tells(path, value)}
    origins = (", ".join(places.get(path, ())) or "default" for path in values)
    lines = (
        [path, output.cell(value), origin] for (path, value), origin in zip(values.items(), origins, strict=True)
    )
    output.table(["FIELD", "VALUE", "FROM"], list(lines))


@command.command("edit")
@_nodeset
@_where
@change_options
@click.pass_obj
def edit(paths: Paths, nodeset: str, where: tuple[str, ...], consent: Consent) -> None:
    """Edit the entries of nodes in $VISUAL or $EDITOR.

    What is saved is checked like every change; with a mistake in it the editor opens again and names it.
    """
    from provisioner.cli.edit import edit_entries
    from provisioner.operations import nodes
    from provisioner.operations.select import select

    edit_entries(
        paths,
        lambda view: tuple(select(view.published, nodeset, where)),
        nodes.entries,
        nodes.edited,
        consent,
    )


@command.command("export")
@click.argument("nodeset", required=False, shell_complete=complete.nodeset)
@_where
@click.option("--resolved", is_flag=True, help="Every effective value as data (--format), not what is written.")
@click.option("--format", "style", type=click.Choice(["yaml", "json"]), default="yaml", help="With --resolved.")
@click.pass_obj
def export(paths: Paths, *, nodeset: str | None, where: tuple[str, ...], resolved: bool, style: str) -> None:
    """Print what is written about nodes, all without NODESET, as a document that prov apply takes."""
    from provisioner.operations import listing, nodes
    from provisioner.operations.select import select
    from provisioner.registry.view import SiteView

    view = SiteView.of(paths)
    names = select(view.published, nodeset, where)
    if resolved:
        output.write_data({"nodes": listing.resolved(view.published, names)}, style)
    else:
        click.echo(nodes.exported(view, names), nl=False)


@command.command("import")
@click.argument("file", type=TEXT)
@change_options
@click.pass_obj
def import_(paths: Paths, file: Any, consent: Consent) -> None:
    """Add and change nodes as a document says, as prov node export prints it; - reads it from a pipe."""
    from provisioner.operations.apply import documents

    carry_out(paths, documents(texts_of([file]), only="nodes"), consent)


def _listed(fields: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in fields.split(",") if each.strip()) if fields else ()


def _tells(path: str, value: object) -> bool:
    """Whether a value that nobody set is worth a line."""
    return path in {"groups", "image"} or value not in (None, "", [], False)

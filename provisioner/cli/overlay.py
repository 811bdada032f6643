"""`prov overlay`: what overlays hold, make and read. The verbs that change them are in `overlaychanges`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from provisioner.cli import complete, output
from provisioner.cli.overlaychanges import CHANGES
from provisioner.config.emit import Writable
from provisioner.config.paths import Paths

_COLUMNS = ("name", "origin", "files", "description")
_ENTRIES = ("path", "kind", "mode", "owner", "bytes", "overlay")
_WRITTEN = ("path", "kind", "mode", "owner", "bytes")
_VARIABLES = ("name", "type", "meaning", "used_by")
_FINDINGS = ("level", "overlay", "path", "message", "image", "nodes")
# The names that other tools have for the same.
_ALIASES = {"ls": "list", "rm": "delete", "del": "delete", "add": "create", "cp": "copy"}

_overlay = click.argument("overlay", shell_complete=complete.overlays)


class _Verbs(click.Group):
    """A group in which `ls` is `list` and so on; the help shows one name for each verb."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb with this name or alias."""
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))


@click.group("overlay", cls=_Verbs)
def command() -> None:
    """List, show, change, render and push overlays. The usual short names work too: ls, rm, add, cp."""


@command.command("list")
@output.format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List the overlays that nodes can have, the site's own and the shipped ones."""
    from provisioner.operations.overlays import overlays

    rows: list[dict[str, Writable]] = [
        {
            "name": each.name,
            "origin": each.origin,
            "files": len(each.files),
            "uses": list(each.uses),
            "choose": dict(each.choose),
            "description": each.description,
        }
        for each in overlays(paths)
    ]
    output.write_rows(rows, style, _COLUMNS)


@command.command("show")
@_overlay
@click.argument("path", required=False)
@output.format_option
@click.pass_obj
def show(paths: Paths, overlay: str, path: str | None, style: str) -> None:
    """Show the files and links of an overlay; names that end in .j2 are templates. With PATH print that file.

    PATH is the one in the node, such as etc/motd, or overlay.yaml.
    """
    from provisioner.operations.overlays import overlay_file, show_overlay

    if path is not None:
        _print(overlay_file(paths, overlay, path))
        return
    found = show_overlay(paths, overlay)
    record: dict[str, Writable] = {
        "name": found.name,
        "description": found.description,
        "origin": found.origin,
        "uses": list(found.uses),
        "choose": dict(found.choose),
    }
    if style != "table":
        files: dict[str, Writable] = {"files": list(found.files), "own": list(found.own), "links": found.links}
        output.write_data({**record, **files}, style)
        return
    shown = {key: value for key, value in record.items() if value or key not in {"uses", "choose"}}
    output.write_record(shown, style)
    for name in found.files:
        output.say(
            output.printable(f"  {name}{' (site)' if found.origin == 'both' and name in found.own else ''}")
        )
    for name, target in found.links.items():
        output.say(output.printable(f"  {name} -> {target}"))


@command.command("render")
@click.argument("nodes", metavar="NODESET", shell_complete=complete.nodeset)
@click.argument("path", required=False)
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the files to this new or empty folder; of a node set, to a folder for each node in it.",
)
@click.option("--private", is_flag=True, help="With PATH: show a file that is for its owner alone.")
@click.option("--reveal", is_flag=True, help="With secrets in their places, and not words for them. Root only.")
@output.format_option
@click.pass_obj
def render(
    paths: Paths, nodes: str, path: str | None, folder: Path | None, *, private: bool, reveal: bool, style: str
) -> None:
    """List what the overlays of a node make as they are written now, print one file, or write all to a folder.

    A folder then holds SSH host keys: keep it to yourself.
    """
    from provisioner.operations.overlayrender import list_rendered, render_file, render_overlays

    if path is not None and folder is not None:
        raise click.UsageError("PATH prints one file, and --output writes all: give one of the two")
    if path is not None:
        _print(render_file(paths, nodes, path, private=private, reveal=reveal))
    elif folder is None:
        made = list_rendered(paths, nodes, reveal=reveal)
        rows = [{**_row(each.entry), "overlay": each.overlay} for each in made]
        output.write_rows(rows, style, _ENTRIES)
    else:
        written = render_overlays(paths, nodes, folder, reveal=reveal)
        of_one = [_row(entry) for entries in written.values() for entry in entries]
        each_node = [{"node": name, **_row(entry)} for name, entries in written.items() for entry in entries]
        several = nodes not in written
        output.write_rows(each_node if several else of_one, style, ("node", *_WRITTEN) if several else _WRITTEN)


@command.command("diff")
@click.argument("node", shell_complete=complete.node)
@click.argument("other", required=False, shell_complete=complete.node)
@click.option("--since", metavar="REVISION", help="Compare NODE with itself at this revision.")
@output.format_option
@click.pass_context
def diff(context: click.Context, node: str, other: str | None, since: str | None, style: str) -> None:
    """Show how the files of two nodes differ: lines with - are NODE's, with + OTHER's.

    Words stand for keys, and what is private is not shown. The exit status is 2 when something differs.
    """
    from provisioner.operations.overlaydiff import diff_nodes, diff_since

    if (other is None) == (since is None):
        raise click.UsageError("name another node, or a revision: --since REVISION")
    paths: Paths = context.obj
    found = diff_since(paths, node, since) if since else diff_nodes(paths, node, other or "")
    if style == "table":
        for each in found:
            output.say("\n".join([each.path, *(f"  {output.printable(line)}" for line in each.lines)]))
    else:
        output.write_data([{"path": each.path, "lines": list(each.lines)} for each in found], style)
    context.exit(2 if found else 0)


@command.command("vars")
@_overlay
@click.argument("path", required=False)
@output.format_option
@click.pass_obj
def vars_(paths: Paths, overlay: str, path: str | None, style: str) -> None:
    """List the variables that the templates of an overlay read, with type and meaning; with PATH those of one."""
    from provisioner.operations.overlayvars import overlay_variables

    rows: list[dict[str, Writable]] = [
        {"name": each.name, "type": each.type, "meaning": each.meaning, "used_by": list(each.used_by)}
        for each in overlay_variables(paths, overlay, path)
    ]
    output.write_rows(rows, style, _VARIABLES)


@command.command("lint")
@click.argument("overlays", nargs=-1, metavar="[OVERLAY]...", shell_complete=complete.overlays)
@click.option("--image", metavar="IMAGE", shell_complete=complete.images, help="Compare with this image only.")
@click.option("--notes", is_flag=True, help="Also list configuration files of packages that overlays replace.")
@output.format_option
@click.pass_context
def lint(context: click.Context, overlays: tuple[str, ...], image: str | None, *, notes: bool, style: str) -> None:
    """Compare overlays with the images that their nodes boot: what is in the way, and what would not be found.

    The exit status is 1 for problems. What prov check finds is told first.
    """
    from provisioner.image.store import catalogue
    from provisioner.operations.overlaylint import lint as look

    paths: Paths = context.obj
    rows = [each.record() for each in look(paths, catalogue(paths), overlays, image)]
    counts = Counter(str(row["level"]) for row in rows)
    shown = [row for row in rows if notes or row["level"] != "note"]
    if style != "table" or shown:
        output.write_rows(shown if style == "table" else rows, style, _FINDINGS)
    if style == "table":
        told = ", ".join(f"{counts[level]} {level}s" for level in ("problem", "warning", "note"))
        click.echo(told + ("" if notes or not counts["note"] else " (--notes lists them)"))
    context.exit(1 if counts["problem"] else 0)


@command.command("push")
@click.argument("nodeset", shell_complete=complete.nodeset)
@output.format_option
@click.pass_obj
def push(paths: Paths, nodeset: str, style: str) -> None:
    """Have nodes fetch their runtime overlays now, and look at every file again.

    An edit reaches them by itself; this is for files that somebody changed on the node. Nothing is sent but the
    answer to the node's own question.
    """
    from provisioner.operations.push import push as tell
    from provisioner.operations.select import select
    from provisioner.registry.compiler import current

    with current(paths) as published:
        names = select(published, nodeset)
    pushed = tell(paths, names)
    if style != "table":
        told: dict[str, Writable] = {"told": pushed.told, "next": pushed.next, "limited": pushed.limited}
        output.write_data(told, style)
        return
    from provisioner.model.nodeset import fold

    meanings = (
        (pushed.told, "look now"),
        (pushed.next, "when they ask next"),
        (pushed.limited, "were told a moment ago"),
    )
    for nodes, meaning in meanings:
        if nodes:
            output.say(f"{fold(nodes)} {meaning}")


for change in CHANGES:
    command.add_command(change)


def _row(entry: Any) -> dict[str, Writable]:
    return {
        "path": entry.path,
        "kind": entry.kind.name.lower(),
        "mode": f"{entry.mode:04o}",
        "owner": f"{entry.uid}:{entry.gid}",
        "bytes": len(entry.content),
    }


def _print(content: bytes) -> None:
    """Print a file as it is, whatever is in it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)

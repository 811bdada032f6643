"""`prov image`: what there is, what became of it, and names and marks for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option, say, warn_of_unserved, write_data, write_record, write_rows
from provisioner.config.paths import Paths

_COLUMNS = ("generation", "current", "system", "kernel", "root", "nodes", "tags", "made")
_PACKAGES_SHOWN = 8


@click.command("list")
@click.option("--kernels", is_flag=True, help="List the kernels of every generation, and which one boots.")
@format_option
@click.pass_obj
def list_(paths: Paths, *, kernels: bool, style: str) -> None:
    """List all generations of all images. The current one of an image is what its bare name means."""
    from provisioner.operations.imagestore import list_generations, list_kernels

    if kernels:
        found = list_kernels(paths)
        shown = (
            [{**each, "boots": "yes" if each["boots"] else ""} for each in found] if style == "table" else found
        )
        write_rows(shown, style, ("generation", "kernel", "boots", "nodes"))
        return
    rows = list_generations(paths)
    tested = ("tested",) if any(each["tested"] for each in rows) else ()
    write_rows([_row(each) for each in rows] if style == "table" else rows, style, (*_COLUMNS, *tested))


@click.command("history")
@click.argument("name", shell_complete=complete.images)
@format_option
@click.pass_obj
def history(paths: Paths, *, name: str, style: str) -> None:
    """Show what became of an image: its generations with what each changed, and what was done with them."""
    from provisioner.operations.imagehistory import history as read

    found = read(paths, name)
    if style != "table":
        write_data(found.record(), style)
        return
    for past in found.generations:
        each = past.generation
        marks = f" ({', '.join(past.marks)})" if past.marks else ""
        origin = f"{each.origin.kind} {each.origin.reference}" + (f", of {each.parent}" if each.parent else "")
        say(f"{each.name}{marks}: made {_day(each.created)} by {each.made_by or 'somebody'} from {origin}")
        tested = f"tested: {past.tested}" if past.tested else ""
        for line in (each.note, *_changes(past.changes), tested):
            if line:
                say(f"    {line}")
    for entry in found.entries:
        if entry.what != "made":
            number = f" {name}@{entry.number}" if entry.number else ""
            before = f" instead of {name}@{entry.before}" if entry.before else ""
            say(f"{_day(entry.time)} {entry.who}: {entry.what}{number} {entry.detail}".rstrip() + before)


@click.command("rollback")
@click.argument("name", shell_complete=complete.images)
@click.option("--to", metavar="NUMBER", help="The number or tag of the generation (default: the one before).")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", is_flag=True, help="Show which nodes would boot differently, and change nothing.")
@format_option
@click.pass_obj
def rollback(paths: Paths, *, name: str, to: str | None, yes: bool, plan: bool, style: str) -> None:
    """Let the bare NAME mean an earlier generation again: nodes boot it from now on.

    Nothing is removed: --to takes back a rollback, too. Nodes that run stay as they are until they boot.
    """
    from provisioner.cli.consent import Consent
    from provisioner.cli.imagemove import carry
    from provisioner.operations import imagemove

    carry(paths, imagemove.rollback(paths, name, to), Consent(yes=yes, plan=plan, style=style))


@click.command("tag")
@click.argument("image", shell_complete=complete.images)
@click.argument("tag")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", is_flag=True, help="Show which nodes would boot differently, and change nothing.")
@format_option
@click.pass_obj
def tag(paths: Paths, *, image: str, tag: str, yes: bool, plan: bool, style: str) -> None:
    """Give the generation IMAGE (NAME@NUMBER) a name: afterwards NAME@TAG means it, and it is never collected."""
    from provisioner.cli.consent import Consent
    from provisioner.cli.imagemove import carry
    from provisioner.operations import imagemove

    carry(paths, imagemove.tag(paths, image, tag), Consent(yes=yes, plan=plan, style=style))


@click.command("untag")
@click.argument("image", metavar="NAME@TAG")
@format_option
@click.pass_obj
def untag(paths: Paths, *, image: str, style: str) -> None:
    """Forget a tag. Refused while a node, group or switch names it."""
    from provisioner.operations.imagemove import untag as forget

    _tell(f"{image} means nothing any more", {"name": forget(paths, image), "tag": image}, style)


@click.command("pin")
@click.argument("image", shell_complete=complete.images)
@format_option
@click.pass_obj
def pin(paths: Paths, *, image: str, style: str) -> None:
    """Keep a generation for ever: it is neither collected nor deleted."""
    from provisioner.operations.imagestore import pin as keep

    name = keep(paths, image).generation.name
    _tell(f"{name} is pinned", {"name": name, "pinned": True}, style)


@click.command("unpin")
@click.argument("image", shell_complete=complete.images)
@format_option
@click.pass_obj
def unpin(paths: Paths, *, image: str, style: str) -> None:
    """Let a generation be collected again when nothing uses it."""
    from provisioner.operations.imagestore import pin as keep

    name = keep(paths, image, pinned=False).generation.name
    _tell(f"{name} is not pinned", {"name": name, "pinned": False}, style)


@click.command("copy")
@click.argument("image", shell_complete=complete.images)
@click.argument("new")
@format_option
@click.pass_obj
def copy(paths: Paths, *, image: str, new: str, style: str) -> None:
    """Make another image NEW of a generation; it takes no room until one of them changes."""
    from provisioner.operations.imagestore import copy as make

    done = make(paths, image, new)
    _tell(f"{done.generation.name} is a copy of {done.generation.parent}", {"name": done.generation.name}, style)
    warn_of_unserved("copied", done.unserved)


@click.command("rename")
@click.argument("name", shell_complete=complete.images)
@click.argument("new")
@format_option
@click.pass_obj
def rename(paths: Paths, *, name: str, new: str, style: str) -> None:
    """Give an image another name, with all of its generations. Refused while nodes, groups or switches name it."""
    from provisioner.operations.imagestore import rename as move

    done = move(paths, name, new)
    _tell(f"{name} is {new} now", {"name": new, "before": name}, style)
    warn_of_unserved("renamed", done.unserved)


@click.command("verify")
@click.argument("image", required=False, shell_complete=complete.images)
@click.option("--deep", is_flag=True, help="Read every file of the trees, too.")
@format_option
@click.pass_context
def verify(context: click.Context, *, image: str | None, deep: bool, style: str) -> None:
    """Check that the store is whole: all of it, an image, or a generation. Ends with status 1 if it is not."""
    from provisioner.operations.imagestore import verify as look

    count, damage = look(context.obj, image, deep=deep)
    if style != "table":
        found = [
            {"message": each.message, "generations": each.generations, "remedy": each.remedy} for each in damage
        ]
        write_data({"generations": count, "damage": found}, style)
    else:
        for each in damage:
            say(f"{', '.join(each.generations)}: {each.message}\n    hint: {each.remedy}")
        verdict = f"{len(damage)} things are damaged" if damage else "everything is whole"
        click.echo(f"{count} generations: {verdict}")
    context.exit(1 if damage else 0)


COMMANDS = (list_, history, rollback, tag, untag, pin, unpin, copy, rename, verify)


def _row(each: dict[str, Any]) -> dict[str, Any]:
    marks = [*each["tags"], *(["(pinned)"] if each["pinned"] else [])]
    return {
        "generation": each["name"],
        "current": "yes" if each["current"] else "",
        "system": each["os_name"],
        "kernel": each["kernel_release"],
        "root": f"{each['root']['size'] >> 20} MiB" if each["root"] else "base",
        "nodes": each["nodes"],
        "tags": " ".join(marks),
        "made": _day(each["created"]),
        "tested": each["tested"],
    }


def _changes(changes: Any) -> Iterator[str]:
    if changes.words:
        yield f"against {changes.since}: {changes.words}"
    for sign, names in (("+", changes.added), ("-", changes.removed)):
        if names:
            more = f" and {len(names) - _PACKAGES_SHOWN} more" if len(names) > _PACKAGES_SHOWN else ""
            yield f"  {sign} {' '.join(names[:_PACKAGES_SHOWN])}{more}"
    changed = list((changes.changed or {}).items())
    for name, (old, new) in changed[:_PACKAGES_SHOWN]:
        yield f"  ~ {name} {old} -> {new}"
    if len(changed) > _PACKAGES_SHOWN:
        yield f"  ~ and {len(changed) - _PACKAGES_SHOWN} more"


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def _tell(words: str, record: dict[str, Any], style: str) -> None:
    if style == "table":
        click.echo(words)
    else:
        write_record(record, style)

"""`prov image export` and `prov image load`: images to and from a file."""

from __future__ import annotations

import copy

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option, say, warn_of_unserved, write_data
from provisioner.config.paths import Paths


@click.command("export")
@click.argument("images", metavar="NAME[@NUMBER]...", nargs=-1, required=True, shell_complete=complete.images)
@click.argument("file")
@click.option(
    "--tree", "with_trees", is_flag=True, help="Put the unpacked trees in, so that images can be changed there."
)
@click.option(
    "--against", metavar="NAME@NUMBER", help="Only what differs from this generation, which the receiver has."
)
@format_option
@click.pass_obj
def export(
    paths: Paths, *, images: tuple[str, ...], file: str, with_trees: bool, against: str | None, style: str
) -> None:
    """Write generations into the bundle FILE (- for standard output), for prov image load at another site."""
    from provisioner.operations.imagestore import export as write

    index = write(paths, images, file, with_trees=with_trees, against=against, say=_say)
    names = [each.name for each in index.generations]
    size = sum(each.size for each in index.members)
    if file == "-":
        return
    if style == "table":
        base = f"; whoever loads it needs {index.base}" if index.base else ""
        say(f"{', '.join(names)} in {file}: {size / (1 << 20):.1f} MiB{base}")
    else:
        write_data({"generations": names, "file": file, "size": size, "base": index.base}, style)


# The word that other tools have for it.
save = copy.copy(export)
save.name, save.hidden = "save", True


@click.command("load")
@click.argument("file")
@click.argument("name", required=False)
@format_option
@click.pass_obj
def load(paths: Paths, *, file: str, name: str | None, style: str) -> None:
    """Take over the generations in the bundle FILE (- for standard input), under another NAME if one is given."""
    from provisioner.operations.imagestore import load as read

    done = read(paths, file, name, say=_say)
    if style == "table":
        for each, is_new in done.generations:
            say(f"{each.name} {'is loaded and current' if is_new else 'is here already: nothing new was made'}")
    else:
        write_data([{"name": each.name, "new": is_new} for each, is_new in done.generations], style)
    warn_of_unserved("loaded", done.unserved)


def _say(step: str) -> None:
    click.echo(f"{step} ...", err=True)


COMMANDS = (export, save, load)

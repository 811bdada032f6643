"""`prov image exec` and `prov image shell`: programs in an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from provisioner.cli import complete
from provisioner.cli.packing import packing_options
from provisioner.config.paths import Paths

F = TypeVar("F", bound=Callable[..., object])


def _room(function: F) -> F:
    """Add what both commands take."""
    for option in (
        click.option(
            "--as", "node", metavar="NODE", shell_complete=complete.node, help="Look as this node sees it."
        ),
        click.option("--read-only", is_flag=True, help="Only look: nothing can be changed."),
        click.option("--note", default="", metavar="TEXT", help="What to remember of the new generation."),
        click.option("--network", is_flag=True, help="With the network of this machine and its resolv.conf."),
        click.option(
            "--bind", "binds", multiple=True, metavar="SRC:DST[:ro]", help="Show a file or folder of this machine."
        ),
    ):
        function = option(function)
    return function


class _Running(click.Command):
    """A command whose own options may stand before and behind IMAGE; COMMAND has all words from its first on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the options first, and keep those of COMMAND from being taken for ours."""
        options = [each for each in self.params if isinstance(each, click.Option)]
        valued = {name for each in options if not each.is_flag for name in each.opts}
        ours: list[str] = []
        rest = list(args)
        images: list[str] = []
        while rest and rest[0] != "--" and (rest[0].startswith("-") or not images):
            word = rest.pop(0)
            if not word.startswith("-"):
                images.append(word)
                continue
            ours.append(word)
            ours += [rest.pop(0)] if word in valued and rest else []
        command = rest[1:] if rest[:1] == ["--"] else rest
        return super().parse_args(ctx, [*ours, "--", *images, *command])


@click.command("exec", cls=_Running)
@click.argument("image", shell_complete=complete.images)
@click.argument("command", nargs=-1, required=True)
@click.option("--keep", is_flag=True, help="Keep what a failed COMMAND left.")
@_room
@packing_options
@click.pass_obj
def exec_(paths: Paths, /, *, image: str, command: tuple[str, ...], keep: bool, **room: Any) -> None:
    """Run COMMAND in an image and make the next generation of what it changes.

    The image itself is never changed: COMMAND runs on a copy, as root, shut off from this machine. When it fails
    nothing is made; when it changes nothing neither. Its exit status is this one's.
    """
    _run(paths, image, command, keep=keep, **room)


@click.command("shell")
@click.argument("image", shell_complete=complete.images)
@_room
@packing_options
@click.pass_obj
def shell(paths: Paths, /, *, image: str, **room: Any) -> None:
    """Start a shell in an image and make the next generation of what is changed in it.

    Leave it with `exit 1` to throw everything away.
    """
    from provisioner.operations.imageexec import shell_of

    _run(paths, image, shell_of(paths, image), keep=False, **room)


def _run(
    paths: Paths,
    image: str,
    command: tuple[str, ...],
    *,
    keep: bool,
    binds: tuple[str, ...],
    network: bool,
    note: str,
    read_only: bool,
    node: str | None,
    packing: Any,
) -> None:
    from provisioner.cli.imagemade import Steps, report
    from provisioner.operations.imageexec import Room, exec_image, look

    context, room = click.get_current_context(), Room(binds, network)
    if read_only or node is not None:
        if keep or note or packing:
            raise click.UsageError("--read-only and --as make no generation to keep, note or pack")
        context.exit(look(paths, image, command, room, node=node))
    with Steps() as steps:
        done = exec_image(paths, image, command, room, note=note, keep=keep, packing=packing, say=steps.say)
    if done.made is None:
        click.echo(f"the command ended with status {done.status}: nothing is made (--keep keeps it)", err=True)
    else:
        report(done.made, "table")
    context.exit(done.status)


COMMANDS = (exec_, shell)

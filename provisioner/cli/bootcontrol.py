"""`prov boot set`, `unset` and `retry`: what nodes boot next, once."""

from __future__ import annotations

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths

_nodeset = click.argument("nodeset", shell_complete=complete.nodeset)


@click.command("set")
@_nodeset
@click.option(
    "--once",
    "what",
    required=True,
    metavar="WHAT",
    shell_complete=complete.images,
    help="rescue, memtest, disk, or an image: debian-12@3.",
)
@click.pass_obj
def set_(paths: Paths, nodeset: str, what: str) -> None:
    """Have nodes boot something else, once: prov boot set n001 --once rescue.

    The order holds from the next time that the machine asks for its script until a boot used it up; a machine that
    asks again before stage 1 has reported gets it again. `prov boot unset` takes it back. Nothing restarts the
    machine.
    """
    from provisioner.model.nodeset import fold
    from provisioner.operations.bootcontrol import order

    names = order(paths, nodeset, what)
    output.say(f"{fold(names)}: once {what}, at the next boot")


@click.command("unset")
@_nodeset
@click.pass_obj
def unset(paths: Paths, nodeset: str) -> None:
    """Take back what `prov boot set` ordered."""
    from provisioner.model.nodeset import fold
    from provisioner.operations.bootcontrol import withdraw

    names = withdraw(paths, nodeset)
    output.say(f"{fold(names)}: no order any more" if names else "nothing was ordered")


@click.command("retry")
@_nodeset
@click.pass_obj
def retry(paths: Paths, nodeset: str) -> None:
    """Have nodes boot the generation that is written for them again, however often it failed."""
    from provisioner.model.nodeset import fold
    from provisioner.operations.bootcontrol import retry as retry_boots

    output.say(f"{fold(retry_boots(paths, nodeset))}: what is written, at the next boot")


def say_orders(paths: Paths, nodes: tuple[str, ...] | None) -> None:
    """Print what holds for the next boots of some nodes, or of all."""
    from provisioner.operations.bootcontrol import orders, words

    for name, control in orders(paths).items():
        if nodes is None or name in nodes:
            output.say(f"next boot of {name}: {words(control)}")


COMMANDS = (set_, unset, retry)

"""`prov completion`: the script that makes a shell complete nodes, groups, images, overlays and fields."""

from __future__ import annotations

import click

from provisioner.cli.verbs import COMPLETE


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: prov completion bash > /etc/bash_completion.d/prov. For zsh and fish see their manuals for the
    folder of such files.
    """
    click.echo(script(shell))


def script(shell: str) -> str:
    """The text of the script; BadParameter for a shell that click does not know."""
    from click.shell_completion import get_completion_class

    from provisioner.cli import bash
    from provisioner.cli.main import prov

    bash.install()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"click completes for no {shell}", param_hint="SHELL")
    return kind(prov, {}, "prov", COMPLETE).source()

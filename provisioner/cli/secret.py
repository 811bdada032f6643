"""`prov secret`: set, list and delete secrets. There is no command that shows one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from provisioner.cli import output
from provisioner.cli.output import format_option, warn_of_unserved
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError

_COLUMNS = ("name", "bytes", "changed", "used_by")


@click.group("secret")
def command() -> None:
    """Set, list and delete the secrets of the site. None is ever shown."""


@command.command("set")
@click.argument("name")
@click.option("--from-file", "file", type=click.Path(path_type=Path), metavar="FILE", help="The bytes of a file.")
@click.option("--from-command", "program", metavar="COMMAND", help="What a command prints; no shell reads it.")
@click.option("--generate", "count", type=int, metavar="BYTES", help="So many random bytes.")
@click.pass_obj
def set_(paths: Paths, name: str, *, file: Path | None, program: str | None, count: int | None) -> None:
    """Set a secret to what comes on standard input, to the byte; on a terminal it is asked for and not shown.

    It is for root alone, and no part of a revision. Nodes get it with their next boot.
    """
    from provisioner.operations.secrets import set_secret

    if sum(each is not None for each in (file, program, count)) > 1:
        raise click.UsageError("give one of --from-file, --from-command and --generate")
    existed = set_secret(paths, name, _content(name, file, program, count))
    click.echo(f"secret {name} {'changed' if existed else 'set'}")
    _have_it_looked_at(paths, "kept")


@command.command("list")
@format_option
@click.pass_obj
def list_(paths: Paths, style: str) -> None:
    """List the secrets, and the overlays and fields of nodes that use them."""
    from provisioner.operations.secrets import list_secrets

    output.write_rows([each.record() for each in list_secrets(paths)], style, _COLUMNS)


@command.command("delete")
@click.argument("name")
@click.option("--force", is_flag=True, help="Even if a node needs it.")
@click.pass_obj
def delete(paths: Paths, name: str, *, force: bool) -> None:
    """Delete a secret that no node needs."""
    from provisioner.operations.secrets import delete_secret

    delete_secret(paths, name, force=force)
    click.echo(f"secret {name} deleted")
    _have_it_looked_at(paths, "deleted")


def _have_it_looked_at(paths: Paths, done: str) -> None:
    """A running daemon tries again what nodes need."""
    from provisioner.operations.live import serve_changes

    warn_of_unserved(done, serve_changes(paths))


def _content(name: str, file: Path | None, program: str | None, count: int | None) -> bytes:
    from provisioner.operations.secrets import content_of, generated, output_of
    from provisioner.trust.secrets import LARGEST

    if file is not None:
        return content_of(file)
    if program is not None:
        return output_of(program)
    if count is not None:
        return generated(count)
    if sys.stdin.isatty():
        typed: str = click.prompt(name, hide_input=True, confirmation_prompt=True, err=True)
        return typed.encode()
    try:
        return sys.stdin.buffer.read(LARGEST + 1)
    except OSError as error:
        raise ProvisionerError(f"standard input cannot be read: {error.strerror}") from None

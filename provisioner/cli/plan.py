"""`prov plan`: what nodes would boot differently, before it is done or since it was done."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.confirm import Consent, carry_out
from provisioner.cli.files import TEXT, texts_of
from provisioner.cli.output import format_option
from provisioner.config.paths import Paths

_CHANGES = 2


@click.command("plan")
@click.option(
    *("-f", "--file", "files"),
    multiple=True,
    type=TEXT,
    metavar="FILE|-",
    help="What prov apply would take; may be given again.",
)
@click.option(
    "--since",
    metavar="REVISION",
    shell_complete=complete.revisions,
    help="From this revision to what is written now; its start is enough.",
)
@format_option
@click.pass_context
def command(context: click.Context, files: tuple[Any, ...], since: str | None, style: str) -> None:
    """Show what the next boot of each node would do differently; nothing is written.

    Compared are the image, the boot script, the kernel line, the files of overlays, and the answers of DHCP and
    DNS. Nodes with the same difference stand together; {name}, {ip} and the like stand for what only one node
    has. The exit status is 2 when a boot changes or a field of a node does, and with -f when a file would be
    written.
    """
    paths: Paths = context.obj
    if bool(files) == (since is not None):
        raise click.UsageError("say what to look at: -f FILE (as for prov apply), or --since REVISION")
    if since is None:
        from provisioner.operations.apply import documents

        carry_out(paths, documents(texts_of(files)), Consent(plan=True, style=style))
        return
    from provisioner.cli.bootplan import write_plan
    from provisioner.image.store import catalogue
    from provisioner.operations.bootplan import plan_since

    found = plan_since(paths, catalogue(paths), since)
    write_plan(found, style, is_alone=True)
    context.exit(_CHANGES if found.groups or found.differences else 0)
